"""The door itself: from what a site worked out to what may leave it. Both sides of the wire are in this file.

    site:         answer --review--> Release --ledger--> bytes    (door.py puts them together)
    coordinator:  bytes --unpack--> (key, code, numbers)

Everything starts as zeros and a code; a number takes a zero's place only when every rule has said yes. Whatever raises
in here turns the whole reply into zeros.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields, replace
from math import ceil
from pathlib import Path

import numpy as np

from kommunbench.core.answer import Answer, Code, Cost
from kommunbench.core.dp import PrivateSteps
from kommunbench.core.errors import Fault, FederationError
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Request, Slot
from kommunbench.release.adapter import longest_update, memory_code, update_code
from kommunbench.release.budget import noised_tallies
from kommunbench.release.cells import Row, is_row, row_code, within_bounds
from kommunbench.release.ledger import Ledger
from kommunbench.release.noise import noise_code, noised, plausible
from kommunbench.release.past import Past, Sizes, all_sizes
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.rounding import rounded_count, rounded_row
from kommunbench.release.sealed import _DOOR, Contents, Int64s, Release, read_payload

log = logging.getLogger(__name__)

COST_UNIT = Cost(
    evaluate_ms=100,
    train_ms=100,
    examples=10,
    prompt_tokens=1000,
    new_tokens=1000,
    train_examples=10,
    train_steps=10,
    train_tokens=1000,
    epsilon_hundredths=1,
    reused=10,
    energy_j=100,
)
"""Costs leave rounded to the nearest multiple of these (half to even)."""
COST_MOST = 10**12
"""A cost above this is no cost of a run (it would be 30 years, say) and is left out."""


def refuse(code: Code, request: Request | None = None, ledger: Ledger | None = None) -> Release:
    """Zeros and one code for everything: what the outermost guard sends instead of an exception.

    Args:
        code: why. OK is no reason and becomes INTERNAL, as does anything that is not a Code.
        request: gives the reply its layout; without it, or where it has none, the vectors are empty.
        ledger: writes a line if it can. A refusal holds nothing, so it goes out even if the line cannot be written.
    """
    code = code if type(code) is Code and code is not Code.OK else Code.INTERNAL
    slots = _slots(request)
    values = (0,) * sum(slot.width for slot in slots)
    release = Release(_DOOR, Contents(values, (code,) * len(slots), Cost(), code, code))
    if ledger is not None and request is not None:
        try:
            return ledger.enter(release, request, None)
        except Exception as error:
            log_place("no ledger line for a refusal", error)
    return release


def review(
    policy: ReleasePolicy, request: Request, answer: Answer, received_adapter: Adapter | None, past: Past | None = None
) -> Release:
    """What of `answer` may leave as the reply to `request`. Never raises: what goes wrong is a refusal of everything.

    Args:
        policy: the site's own, after `with_installed`; anything else counts as no policy.
        received_adapter: what came with the request; the update must have its layout.
        past: what has left before; without it no closing sum leaves.
    """
    if type(policy) is not ReleasePolicy:
        return refuse(Code.POLICY_MISSING, request)
    try:
        return _review(policy.checked(), request, answer, received_adapter, past or Past())
    except Exception as error:
        log_place("the door refused everything", error)
        return refuse(Code.INTERNAL, request)


def _review(
    policy: ReleasePolicy, request: Request, answer: Answer, received_adapter: Adapter | None, past: Past
) -> Release:
    if type(answer) is not Answer:
        return refuse(Code.INTERNAL, request)
    if (code := _first_no(iter((policy.sum_code(request), past.run_code(policy))))) is not Code.OK:
        return refuse(code, request)
    slots = _slots(request)
    if not slots and (request.cells or request.totals or request.pairs):
        return refuse(Code.BAD_REQUEST)
    if len({slot.key for slot in slots}) != len(slots):
        return refuse(Code.BAD_REQUEST, request)
    found = [answer.values.get(slot.key) for slot in slots]
    asked = zip(slots, found, strict=True)
    codes = [_first_no(_slot_verdicts(policy, request, answer, slot, value, past)) for slot, value in asked]
    codes, past = _within_budget(policy, request, codes, past)
    values: list[int] = []
    for slot, code, value in zip(slots, codes, found, strict=True):
        fit = code is Code.OK and value is not None
        values.extend(_leaving(policy, request, slot, value or ()) if fit else (0,) * slot.width)
    adapter = answer.adapter
    adapter_code = _first_no(_adapter_verdicts(policy, request, answer, past, received_adapter))
    adapter = adapter if adapter_code is Code.OK else None
    left = Code.OK in codes or adapter is not None
    hidden = Code.TOO_FEW_EXAMPLES in (*codes, adapter_code) or _differs(policy, slots, codes, found, past)
    cost = _shown(policy, request, answer.cost, hidden) if left else Cost()
    steps = answer.private_steps if adapter is not None else None
    cost = replace(cost, epsilon_hundredths=ceil(steps.epsilon * 100) if steps else 0)
    shown = [(slot, row) for slot, code, row in zip(slots, codes, found, strict=True) if code is Code.OK and row]
    sets = {} if request.spec.dp.noisy else all_sizes(shown)
    return Release(_DOOR, Contents(values, codes, cost, Code.OK, adapter_code, adapter or {}, sets))


def seal_step(policy: ReleasePolicy, request: Request, words: Int64s) -> Release:
    """One step of a masked sum as a Release: its words and nothing else. Outside such a sum, a refusal."""
    if type(policy) is not ReleasePolicy or request.masking is None:
        return refuse(Code.POLICY_MISSING if request.masking is not None else Code.INTERNAL, request)
    if (code := policy.sum_code(request)) is not Code.OK:
        return refuse(code, request)
    return Release(_DOOR, Contents(words.tolist(), (), Cost(), Code.OK, Code.OK))


def readmit(
    policy: ReleasePolicy, request: Request, held: tuple[bytes, Sizes], received_adapter: Adapter | None, past: Past
) -> Release:
    """A release that was reviewed before, held, and approved by a person: the same bytes, or a refusal of everything.

    What can have changed since is asked again: hours, runs of the year, what other runs got, the weights' layout.

    Args:
        held: its bytes, and the sizes of the sets behind them.
    """
    data, sets = held
    try:
        (status, values, codes, cost), adapter = read_payload(data)
        rows = unpack(request, values, codes, cost)
        slots = zip(request.slots(), rows, strict=True)
        lacking = any(code is Code.OK and past.lacks_tally(slot) for slot, (_, code, _) in slots)
        verdicts = [
            Code.NOT_AVAILABLE if lacking else Code.OK,
            Code.OK if past.apart(policy, sets, closing=request.action == "close") else Code.SMALL_CELL,
            policy.sum_code(request),
            past.run_code(policy),
            update_code(received_adapter, adapter) if adapter else Code.OK,
        ]
        if (code := _first_no(iter(verdicts))) is not Code.OK:
            return refuse(code, request)
        stated = [code for _, code, _ in rows]
        contents = Contents(values.tolist(), stated, unpack_cost(cost), *unpack_status(status), adapter, sets)
        return Release(_DOOR, contents)
    except Exception as error:
        log_place("an approved release is not readable", error)
        return refuse(Code.INTERNAL, request)


def _slot_verdicts(
    policy: ReleasePolicy, request: Request, answer: Answer, slot: Slot, value: object, past: Past
) -> Iterator[Code]:
    """Every rule on one slot, in order; a later one may rely on the earlier ones having said OK."""
    if slot.bare:
        yield policy.holding_code(request, slot)
        yield _stated(answer.codes.get(slot.key, Code.NOT_AVAILABLE))
        yield Code.OK if value is None else Code.INTERNAL  # nothing has a number here
        return
    yield policy.slot_code(request.spec, slot)
    yield policy.judge_code(request, slot)
    yield noise_code(request.spec.dp, slot) if request.spec.dp.noisy else Code.OK
    yield _stated(answer.codes.get(slot.key, Code.OK))
    if value is None:
        yield Code.NOT_AVAILABLE
    yield row_code(policy, slot, value)
    yield Code.OK if rounded_count(value[0], policy.rounding) else Code.TOO_FEW_EXAMPLES  # type: ignore[index]
    yield past.code(policy, slot, value)  # type: ignore[arg-type]


def _differs(
    policy: ReleasePolicy, slots: Sequence[Slot], codes: Sequence[Code], found: Sequence[Row | None], past: Past
) -> bool:
    """Whether a set was held back for being nearly one that left: costs would tell the examples between them apart."""
    held = [(slot, row) for slot, code, row in zip(slots, codes, found, strict=True) if row and code is Code.SMALL_CELL]
    return any(past.code(policy, slot, row) is not Code.OK for slot, row in held)


def _within_budget(policy: ReleasePolicy, request: Request, codes: list[Code], past: Past) -> tuple[list[Code], Past]:
    """The codes, with BUDGET_SPENT for every noised tally where they cost too much; the past, with those that leave."""
    more = noised_tallies(request, codes)
    after = replace(past, spent=past.spent.with_tallies(more))
    code = after.spent.code(policy, request.spec.dp) if more else Code.OK
    return (codes, after) if code is Code.OK else ([code if each is Code.OK else each for each in codes], past)


def _leaving(policy: ReleasePolicy, request: Request, slot: Slot, row: Row) -> Row:
    """The row as it leaves: with noise where the run asks for it, and coarser where the policy wants that."""
    dp = request.spec.dp
    if dp.noisy and slot.metric is not None:
        return tuple(rounded_count(entry, policy.rounding) for entry in noised(dp, slot.metric, row))
    return rounded_row(slot, row, policy.rounding)


def _adapter_verdicts(
    policy: ReleasePolicy, request: Request, answer: Answer, past: Past, received: Adapter | None
) -> Iterator[Code]:
    """Every rule on the trained weights, in order. Where none were asked for there are none, and that is OK."""
    adapter: object = answer.adapter
    if not request.train:
        yield Code.OK if adapter is None else Code.ADAPTER_DENIED
        return
    yield policy.adapter_code(request)
    yield _stated(answer.adapter_code)
    if adapter is None:
        yield Code.NOT_AVAILABLE
    cost, settings = answer.cost, request.spec.train
    if type(cost.train_examples) is not int or type(cost.train_steps) is not int or settings is None:
        yield Code.INTERNAL
    yield Code.OK if _trained_on(request, cost) >= policy.min_examples else Code.TOO_FEW_EXAMPLES
    yield private_code(policy, request, answer, past)
    yield update_code(received, adapter)
    most = longest_update(policy, settings, cost.train_steps, received)  # type: ignore[arg-type]
    yield update_code(received, adapter, most)
    yield memory_code(policy, answer.memory)


def _trained_on(request: Request, cost: Cost) -> int:
    """How many examples the training has seen, at most: one step of one example saw one."""
    settings = request.spec.train
    return min(cost.train_examples, cost.train_steps * settings.batch_size) if settings is not None else 0


def private_code(policy: ReleasePolicy, request: Request, answer: Answer, past: Past) -> Code:
    """Weights of a private run leave with what they spent, within the site's budget; others have spent nothing."""
    dp, steps = request.spec.dp, answer.private_steps
    if not dp.trains:
        return Code.OK if steps is None else Code.INTERNAL
    if type(steps) is not PrivateSteps or steps.delta != dp.delta or steps.epsilon <= past.spent.training[0]:
        return Code.INTERNAL
    return past.spent.with_training(steps).code(policy, dp)


def _first_no(verdicts: Iterator[Code]) -> Code:
    """The first that is not OK; later rules are not asked."""
    return next((code for code in verdicts if code is not Code.OK), Code.OK)


def _stated(code: object) -> Code:
    """A code as the site's own work stated it; anything else is INTERNAL."""
    return code if type(code) is Code else Code.INTERNAL


def _shown(policy: ReleasePolicy, request: Request, cost: Cost, hidden: bool) -> Cost:
    """Costs in coarse steps, without the counts that would tell of a few examples.

    Evaluated examples and their tokens: not where a set was too small to show (`hidden`), since those of the whole
    reply, less those of the slots that are shown, would give its size; nor where tallies have noise, which an exact
    count would undo. Tokens read: not where worked examples are in every prompt, as each would be counted as often.
    Training: not where it has seen fewer than `min_examples`; else its counts are of all train splits together and
    nothing tells them apart by task, and the coordinator weighs adapters by them. A cost that is no row of counts is
    left out.
    """
    if (
        type(cost) is not Cost
        or not is_row(astuple(cost), len(fields(Cost)))
        or not 0 <= min(astuple(cost)) <= max(astuple(cost)) <= COST_MOST
    ):
        return Cost()
    if hidden or request.spec.dp.noisy:
        cost = replace(cost, examples=0, prompt_tokens=0, new_tokens=0, reused=0)
    if any(prompt.shots for prompt in request.spec.prompts):
        cost = replace(cost, prompt_tokens=0)
    if _trained_on(request, cost) < policy.min_examples:
        cost = replace(cost, train_examples=0, train_steps=0, train_tokens=0)
    least = policy.rounding
    unit = replace(COST_UNIT, examples=max(COST_UNIT.examples, least), reused=max(COST_UNIT.reused, least),
                   train_examples=max(COST_UNIT.train_examples, least))  # fmt: skip
    pairs = zip(astuple(cost), astuple(unit), strict=True)
    return Cost(*(round(amount / unit) * unit for amount, unit in pairs))


def unpack(request: Request, values: Int64s, codes: Int64s, cost: Int64s) -> list[tuple[tuple[object, ...], Code, Row]]:
    """What a site's reply says: (slot's key, code, numbers), one for each slot of `request`, in its order.

    The coordinator trusts nothing: lengths, types, codes, bounds, and zeros wherever a code is not OK.
    Two empty vectors are the refusal of a site that could not read the request: an empty list.

    Raises:
        FederationError: the reply is not one that a door makes.
    """
    slots = request.slots()
    unpack_cost(cost)
    rows = _ints(values, "values")
    stated = [_code(code) for code in _ints(codes, "codes")]
    if not rows and not stated:
        return []
    if len(stated) != len(slots) or len(rows) != sum(slot.width for slot in slots):
        raise _malformed("its vectors are not as long as the request's slots")
    result: list[tuple[tuple[object, ...], Code, Row]] = []
    start = 0
    for slot, code in zip(slots, stated, strict=True):
        row = tuple(rows[start : start + slot.width])
        start += slot.width
        if code is Code.OK and not (is_row(row, slot.width) and _possible(request, slot, row)):
            raise _malformed("a number is outside what its metric states")
        if code is not Code.OK and any(row):
            raise _malformed("a slot that is withheld has numbers")
        result.append((slot.key, code, row))
    return result


def _possible(request: Request, slot: Slot, row: Row) -> bool:
    """Whether the row could be a sum of at least one example, noised where the run asks for it."""
    dp = request.spec.dp
    if slot.bare:
        return not row
    if dp.noisy:
        return slot.metric is not None and plausible(dp, slot.metric, row)
    return row[0] > 0 and within_bounds(slot, row)


def unpack_cost(cost: Int64s) -> Cost:
    """The reply's cost. Raises FederationError where it is not a row of counts."""
    row = _ints(cost, "cost")
    if len(row) != len(fields(Cost)) or min(row) < 0:
        raise _malformed("its cost is not a row of counts")
    return Cost(*row)


def unpack_status(status: Int64s) -> tuple[Code, Code]:
    """The codes of the whole reply and of its adapter. Raises FederationError where they are not two codes."""
    row = _ints(status, "status")
    if len(row) != 2:
        raise _malformed("its status is not two codes")
    return _code(row[0]), _code(row[1])


def _ints(vector: object, name: str) -> list[int]:
    if not isinstance(vector, np.ndarray) or vector.dtype != np.dtype("<i8") or vector.ndim != 1:
        raise _malformed(f"{name} is not a vector of int64")
    return [int(entry) for entry in vector]


def _code(number: int) -> Code:
    try:
        return Code(number)
    except ValueError:
        raise _malformed("a code is unknown") from None


def _malformed(what: str) -> FederationError:
    return FederationError(
        Fault(f"a site's reply is malformed: {what}", do="its numbers are left out; compare versions")
    )


def _slots(request: Request | None) -> Sequence[Slot]:
    try:
        return () if request is None else request.slots()
    except Exception as error:
        log_place("the request has no layout", error)
        return ()


def log_place(what: str, error: BaseException) -> None:
    """The place of a failure, never its message: an exception's text and even its class can quote an example."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "unknown"
    kind = type(error).__name__ if type(error).__module__ == "builtins" else "an error"
    log.error("%s: %s at %s", what, kind, where)
