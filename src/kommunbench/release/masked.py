"""The door's rules on a masked sum: what of a reviewed reply goes into it, and when a sum may be read at all.

    site:         answer --review--> numbers --pack--> vector --mask (privacy/secagg.py)--> Release --ledger--> bytes
    coordinator:  sum of vectors --Layout.read--> (key, how many sites gave it, numbers), mean adapter, cost

A reply is reviewed exactly as one that leaves as it is: what is suppressed is zeros. What is reviewed becomes one
vector of int64: every slot's numbers, the cost, the adapter, and a 1 for each of these units that has something in it
and a 0 for each that has not. So the sum tells how many sites stand behind each unit, and nothing suppressed looks
like 0.

A unit that fewer than `min_sites` sites give, or other sites than before, is left out by all of them. They know, since
each tells the others, sealed, which units it gives (release/company.py); the coordinator's word is not taken for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from kommunbench.core.answer import Answer, Code, Cost
from kommunbench.core.errors import Fault, FederationError, PolicyError
from kommunbench.core.metric import INT64_MAX
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Request
from kommunbench.release.cells import Row, within_bounds
from kommunbench.release.door import reviewed
from kommunbench.release.ledger import Ledger, describe
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.review import seal_step
from kommunbench.release.sealed import Int64s, Release

COSTS = len(fields(Cost))
ADAPTER_SCALE = 2**32
"""Weights are summed as examples * (trained - sent) in units of 2^-32, 2.3e-10: finer than float32 above 0.004."""


class WithheldError(PolicyError):
    """This site gives nothing to a masked sum, or takes no further step in it; `code` is what the coordinator hears."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(Fault(what, "masked sum", "nothing more of this site's leaves in it"))
        self.code = code


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each unit lies in the vector.

    Args:
        widths: of the slots, of the cost, and of the adapter last where one was asked for: its examples, its weights.
    """

    widths: tuple[int, ...]

    @classmethod
    def of(cls, request: Request, sent: Adapter | None) -> Layout:
        """The same at every site and at the coordinator; `sent` is the adapter that came along."""
        weights = (1 + sum(array.size for array in (sent or {}).values()),) if request.train else ()
        return cls((*(slot.width for slot in request.slots()), COSTS, *weights))

    @property
    def flags(self) -> slice:
        """The ones and zeros that say which units have something in them."""
        start = sum(self.widths)
        return slice(start, start + len(self.widths))

    @property
    def length(self) -> int:
        """Integers in the vector."""
        return sum(self.widths) + len(self.widths)

    def kept(self, words: Int64s, weights: bool) -> Int64s:
        """`words` but for those of the weights, where the last unit is such: what a coordinator keeps of them."""
        end = sum(self.widths)
        start = end - self.widths[-1] if weights else end
        return np.concatenate([words[:start], words[end:]])

    def only(self, vector: Int64s, keep: Sequence[bool]) -> Int64s:
        """`vector` with every other unit, and its flag, zero."""
        mask = np.repeat([*keep, *keep], [*self.widths, *(1 for _ in keep)])
        return np.where(mask, vector, 0)

    def fitting(self, vector: Int64s, sites: int) -> list[bool]:
        """Units whose sum over so many sites like this one fits in 63 bits: refused rather than wrapped."""
        ends = np.cumsum(self.widths)
        bound = INT64_MAX // sites
        units = (vector[end - width : end] for end, width in zip(ends, self.widths, strict=True))
        return [not bool(((unit > bound) | (unit < -bound)).any()) for unit in units]


def pack(layout: Layout, release: Release, sent: Adapter | None) -> Int64s:
    """A reviewed reply as one vector. An adapter that does not fit in fixed point is left out."""
    flags = [code == Code.OK for code in release.codes]
    flags.append(any(flags) or bool(release.adapter))
    parts: list[Int64s] = [release.values, release.cost]
    if len(layout.widths) > len(flags):
        examples = max(Cost(*release.cost.tolist()).train_examples, 1)
        update = _fixed(release.adapter, sent or {}, examples) if release.adapter else None
        flags.append(update is not None)
        parts.append(np.zeros(layout.widths[-1], np.int64) if update is None else np.array([examples, *update]))
    return np.concatenate([*parts, np.array(flags, np.int64)]).astype(np.int64)


def _fixed(trained: Adapter, sent: Adapter, examples: int) -> Int64s | None:
    moved = [trained[name].astype(np.float64) - sent[name] for name in sorted(sent)]
    scaled = np.rint(np.concatenate([array.ravel() for array in moved]) * examples * ADAPTER_SCALE)
    return scaled.astype(np.int64) if np.abs(scaled).max(initial=0) < 2.0**62 else None


@dataclass(frozen=True, slots=True)
class Sum:
    """A masked sum, read.

    Args:
        slots: (key, sites that gave it, numbers) in the order of the request.
        cost: of the `costed` sites that gave theirs, together.
        adapter: the mean of the trained adapters by examples, where any site gave one; `trained` says how many.
        examples: that they were trained on, together.
    """

    slots: Sequence[tuple[tuple[object, ...], int, Row]]
    cost: Cost
    costed: int = 0
    trained: int = 0
    examples: int = 0
    adapter: Adapter | None = None


def read_sum(request: Request, sent: Adapter | None, total: Int64s, sites: int) -> Sum:
    """What the coordinator makes of a sum over so many sites.

    Raises:
        FederationError: it is no sum that doors make.
    """
    layout = Layout.of(request, sent)
    if total.shape != (layout.length,):
        raise _malformed("it has not as many numbers as were asked for")
    found = read_numbers(request, layout.kept(total, request.train), sites)
    if not found.trained or sent is None:
        return found
    start = layout.flags.start - layout.widths[-1]
    examples = int(total[start])
    if examples < found.trained:
        raise _malformed("an adapter was trained on no examples")
    mean = total[start + 1 : layout.flags.start].astype(np.float64) / (ADAPTER_SCALE * examples)
    return replace(found, examples=examples, adapter=_moved(sent, mean))


def read_numbers(request: Request, kept: Int64s, sites: int) -> Sum:
    """The same of a sum's words but for those of the weights (`Layout.kept`): its slots, cost, and how many trained.

    Raises:
        FederationError: they are not those of a sum that doors make.
    """
    slots_asked = request.slots()
    end = sum(slot.width for slot in slots_asked)
    flags = slice(end + COSTS, end + COSTS + len(slots_asked) + 1 + request.train)
    if kept.shape != (flags.stop,):
        raise _malformed("it has not as many numbers as were asked for")
    counts = [int(count) for count in kept[flags]]
    if not all(0 <= count <= sites for count in counts):
        raise _malformed("more sites gave a number than are in it")
    numbers, start, slots = kept.tolist(), 0, []
    for slot, count in zip(slots_asked, counts, strict=False):
        row = tuple(numbers[start : start + slot.width])
        start += slot.width
        if not within_bounds(slot, row) or (any(row) if not count else row[0] < count):
            raise _malformed("a number is outside what its metric states")
        slots.append((slot.key, count, row))
    cost, costed = numbers[end : flags.start], counts[len(slots_asked)]
    if min(cost) < 0 or (any(cost) and not costed):
        raise _malformed("a cost is below 0, or of nobody")
    return Sum(slots, Cost(*cost), costed, counts[-1] if request.train else 0)


def _moved(sent: Adapter, mean: np.ndarray) -> Adapter:
    moved, start = dict(sent), 0
    for name in sorted(sent):
        size = math.prod(sent[name].shape)
        step = mean[start : start + size].reshape(sent[name].shape)
        moved[name] = (sent[name].astype(np.float64) + step).astype(np.float32)
        start += size
    return moved


def open_sum(
    policy: ReleasePolicy, request: Request, answer: Answer, sent: Adapter | None, ledger: Ledger
) -> tuple[Int64s, dict[str, Any]]:
    """What of `answer` may go into a sum, and what the ledger will say of it when it does. Nothing leaves here.

    Raises:
        WithheldError: nothing may, or it awaits approval.
        OSError: the ledger cannot be read, or what waits for approval cannot be kept.
    """
    release, approved_by, answer, _ = reviewed(policy, request, answer, sent, ledger)
    if release.code is not Code.OK:
        raise WithheldError(release.code, "the reply was refused as a whole")
    line = {**describe(release, request.work, policy, answer), "reviewed": release.digest, "approved_by": approved_by}
    unsaid = ("time", "payload", "bytes")
    return pack(Layout.of(request, sent), release, sent), {k: v for k, v in line.items() if k not in unsaid}


def left_out(line: Mapping[str, Any], layout: Layout, given: Sequence[bool], keep: Sequence[bool]) -> dict[str, Any]:
    """The ledger's line where some units stayed behind because too few sites, or others, give them."""
    slots = len(layout.widths) - 1 - bool(line["adapter"])
    dropped = sum(had and not kept for had, kept in zip(given[:slots], keep, strict=False))
    changed: dict[str, Any] = {**line, "released": line["released"] - dropped}
    if dropped:
        changed["withheld"] = {**line["withheld"], Code.TOO_FEW_SITES.name: dropped}
    if line["adapter"] == Code.OK.name and not keep[-1]:
        changed["adapter"] = Code.TOO_FEW_SITES.name
    return changed


def let_out_step(
    policy: ReleasePolicy,
    request: Request,
    words: Int64s,
    line: Mapping[str, Any],
    ledger: Ledger,
    layout: Layout | None = None,
) -> Release:
    """One step's bytes, with their line in the ledger already on disk.

    Args:
        words: what the mechanism made: keys, sealed shares, a signature, or numbers behind masks.
        line: what the ledger says besides.
        layout: of numbers behind masks; these have a receipt, which the line holds too.

    Raises:
        OSError: the line cannot be written. Nothing may leave then.
    """
    release = seal_step(policy, request, words)
    if release.code is Code.OK and request.masking is not None:
        own = {**describe(release, request, policy), "step": request.masking.step, "session": request.masking.session}
        if layout is not None:
            kept = layout.kept(release.values, request.train).tobytes()
            return ledger.enter_masked(release, request, policy, {**own, **line}, kept)
        ledger.append({**own, **line})
    return release


def to_words(data: bytes) -> Int64s:
    """Bytes as whole int64 words, zeros at the end."""
    return np.frombuffer(data + bytes(-len(data) % 8), dtype="<i8")


def _malformed(what: str) -> FederationError:
    return FederationError(Fault(f"a masked sum is malformed: {what}", do="compare the sites' versions"))
