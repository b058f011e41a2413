"""Statistics of a site's own text, and the door that they pass: all that a stand-in data set is made of.

A site may want others to develop against something like its data before any of it is used. What they get is made by
`synthetic.stand_in` from a `Statistics` and nothing else, so a Statistics is what leaves, and it is held to the rules
of every other release: the task is approved, `lix` and `long_words` are metrics that may leave, at least `min_examples`
texts stand behind a number, no count of a kind of example is small, sets of earlier statistics are the same or differ
by `min_difference`, `rounding` applies, and a line is in the ledger before anyone sees them. A model that gives back
what it reads makes a run's `lix` a sum over the same texts, so runs and stand-ins are held against each other too.
`hours`, `runs_a_year` and `max_minutes` are about replies to a run and not asked: here someone at the site acts.

Every leaf of a Statistics is an integer or None (held back); its keys are names of tasks and of their fields,
which the installed tasks state. There is nowhere to put a word, a name or a figure of a text. Two things are done to
counts so that more of them may leave: small counts of kinds are folded together, and neighbouring lengths are merged
until each bin has enough texts.

Not promised: sums over the same number of examples are not told apart, so what an exchanged example did can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.answer import Code
from kommunbench.core.digests import canonical, digest
from kommunbench.core.errors import Fault, PolicyError
from kommunbench.core.registry import find
from kommunbench.core.spec import Slot, TaskRef
from kommunbench.core.task import Task
from kommunbench.release.cells import Row, row_code
from kommunbench.release.ledger import Ledger
from kommunbench.release.past import Past, answered
from kommunbench.release.policy import EVALUATED, ReleasePolicy
from kommunbench.release.rounding import rounded_count, rounded_row

METRICS = ("lix", "long_words")
"""Whose tallies of the site's own texts leave: words, sentences, long words and letters."""
EDGES = (0, 1, *(step for power in range(1, 20) for step in (2**power, 3 * 2 ** (power - 1))))
"""Words from which a bin of lengths begins: two bins a doubling. The last one has no end."""
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Texts(_Frozen):
    """One field of a task's rows, or the first reference: sums over `texts` of them; `lacking` rows have none."""

    texts: Count
    lacking: Count
    words: Count
    sentences: Count
    long_words: Count
    letters: Count
    lengths: tuple[tuple[Count, Count, Count], ...]
    """(fewest words, from how many words on not, texts); bins without texts are left out."""


class TaskStatistics(_Frozen):
    """What of one task may leave.

    Args:
        rows: how many examples there are.
        splits: of them in train, validation and test; None where it is held back.
        kinds: of them of each kind (`synthetic.profile.kinds_of`), the last of no known kind; empty where the task has
            no kinds, None where it is held back.
        fields: by the task's input, and `reference`; one that is held back is absent.
    """

    rows: Count
    splits: tuple[Count | None, Count | None, Count | None]
    kinds: tuple[Count | None, ...]
    fields: dict[str, Texts]


class Statistics(_Frozen):
    """Everything that a stand-in is made of.

    Args:
        kind: what it is to be like; the site says so itself.
        seed: of the stand-in.
        tasks: by name.
        withheld: the `Code` of what is held back, by task or `task/part`.
    """

    kind: Literal["municipality", "region"]
    seed: Count
    tasks: dict[str, TaskStatistics]
    withheld: dict[str, Annotated[int, Field(ge=1, lt=100)]]

    @property
    def digest(self) -> str:
        """SHA-256 of all of it; the ledger names it by this."""
        return digest(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class CountedTexts:
    """One field at the site, before the door: a tally by metric, and how many texts lie in each bin of EDGES."""

    tallies: Mapping[str, Row]
    lengths: Sequence[int]


@dataclass(frozen=True, slots=True)
class Counted:
    """One task at the site, before the door."""

    task: Task
    rows: int
    splits: tuple[int, int, int]
    kinds: tuple[int, ...]
    fields: Mapping[str, CountedTexts]


def let_out_statistics(
    policy: ReleasePolicy, counted: Sequence[Counted], about: Mapping[str, object], ledger: Ledger, by: str = ""
) -> Statistics:
    """What of `counted` may leave, with its line in the ledger already on disk.

    Args:
        policy: the site's own.
        about: `kind` and `seed` of the Statistics.
        by: who does it. With `results: approve` that person is the one who approves.

    Raises:
        PolicyError: the policy lets no statistics of this site alone leave, or the ledger is not whole.
        OSError: the ledger cannot be read or written; nothing may leave then.
    """
    PolicyError.raise_if(_refusals(policy, by))
    with ledger.alone():
        made = review_statistics(policy, counted, about, Past.of(ledger.remembered(), ""))
        ledger.append(_line(policy, made, counted, by))
    return made


def review_statistics(
    policy: ReleasePolicy, counted: Sequence[Counted], about: Mapping[str, object], past: Past
) -> Statistics:
    """What of `counted` may leave. It has no line in the ledger, so it must not."""
    policy = policy.checked().with_installed([one.task for one in counted], {})
    withheld: dict[str, int] = {}
    tasks = {one.task.name: found for one in counted if (found := _task(policy, one, past, withheld))}
    return Statistics.model_validate({**about, "tasks": tasks, "withheld": withheld})


def set_of(task: str, field: str = "") -> str:
    """What the ledger calls the set of examples behind a task's statistics, or behind one field's."""
    return f"{task}/stand-in/{field or 'rows'}"


def run_sets(task: str) -> list[str]:
    """What a run calls the sets behind the same sums over models' answers, which can be the very texts (past.py)."""
    return [f"{task}/{EVALUATED}/{metric}" for metric in METRICS]


def folded(counts: Sequence[int], min_cell: int) -> tuple[int | None, ...]:
    """Counts of all kinds of a whole, those that would show a small one as None.

    Kinds with fewer than `min_cell`, empty ones among them, are folded together, and if need be the smallest others
    too: what is folded is of two kinds or more and adds up to `min_cell` or more, so subtracting gives no small count.
    """
    order = sorted(range(len(counts)), key=lambda at: (counts[at], at))
    hidden = [at for at in order if counts[at] < min_cell]
    if not any(counts[at] for at in hidden):
        return tuple(counts)
    for at in order[len(hidden) :]:
        if len(hidden) > 1 and sum(counts[each] for each in hidden) >= min_cell:
            break
        hidden.append(at)
    return tuple(None if at in hidden else count for at, count in enumerate(counts))


def merged(counts: Sequence[int], min_cell: int) -> tuple[tuple[int, int, int], ...]:
    """Neighbouring bins put together until none has 1 to `min_cell` - 1; (first, last, count), empty ones left out."""
    bins: list[tuple[int, int, int]] = []
    small: tuple[int, int, int] | None = None
    for at, count in enumerate(counts):
        first, total = (small[0], small[2] + count) if small else (at, count)
        small = (first, at, total) if 0 < total < min_cell else None
        if small is None:
            bins.append((first, at, total))
    while small and small[2] < min_cell and bins:
        first, _, count = bins.pop()
        small = (first, small[1], count + small[2])
    return tuple(each for each in (*bins, *([small] if small else [])) if each[2])


def _refusals(policy: ReleasePolicy, by: str) -> Iterator[Fault]:
    """What of the policy speaks against letting out sums of this site alone, without noise."""
    if policy.results == "deny":
        yield Fault("results: deny", "site.yaml", "no statistics may leave, so there is nothing to make a stand-in of")
    if policy.results == "approve" and not by:
        yield Fault("results: approve", "site.yaml", "say with --by who approves")
    if policy.noise == "required":
        yield Fault("noise: required", "site.yaml", "statistics for a stand-in are exact, so none may leave")
    if policy.min_sites > 1:
        yield Fault(f"min_sites: {policy.min_sites}", "site.yaml", "a stand-in would show this site's own sums")


def _line(policy: ReleasePolicy, made: Statistics, counted: Sequence[Counted], by: str) -> dict[str, object]:
    """The ledger's account: what left is told by its digest, and how many examples, exactly, stand behind it."""
    sets: dict[str, list[int]] = {}
    for one in counted:
        if (task := made.tasks.get(one.task.name)) is None:
            continue
        exact = {field: one.fields[field].tallies[METRICS[0]][0] for field in task.fields}
        sets |= {set_of(one.task.name): [one.rows], answered(one.task.name, EVALUATED): [one.rows]}
        sets |= {set_of(one.task.name, field): [n] for field, n in exact.items()}
        sets |= {each: sorted(set(exact.values())) for each in run_sets(one.task.name)}
    held = [Code(code).name for code in made.withheld.values()]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "statistics": made.digest,
        "tasks": sorted(made.tasks),
        "sets": sets,
        "withheld": {code: held.count(code) for code in sorted(set(held))},
        "bytes": len(canonical(made.model_dump(mode="json"))),
        "policy": policy.digest,
        "by": by,
    }


def _task(policy: ReleasePolicy, counted: Counted, past: Past, withheld: dict[str, int]) -> TaskStatistics | None:
    """What of one task may leave; what may not is noted in `withheld`."""
    name, task = counted.task.name, counted.task
    rows = [set_of(name), answered(name, EVALUATED)]  # a run sees the test split's, which can be all but a few of them
    reference = TaskRef(name=name, digest=task.digest, metrics=task.metrics, max_new_tokens=1)
    code = _first_no((policy.task_code(reference), _set_code(policy, past, rows, counted.rows)))
    if code is not Code.OK:
        withheld[name] = int(code)
        return None
    fields: dict[str, Texts] = {}
    for field, texts in counted.fields.items():
        code = _first_no(_field_codes(policy, past, name, field, texts))
        if code is Code.OK:
            fields[field] = _texts(policy, texts)
        else:
            withheld[f"{name}/{field}"] = int(code)
    splits, kinds = (folded(counts, policy.min_cell) for counts in (counted.splits, counted.kinds))
    withheld |= {f"{name}/splits": int(Code.SMALL_CELL)} if None in splits else {}
    withheld |= {f"{name}/kinds": int(Code.SMALL_CELL)} if None in kinds else {}
    one, two, three = (_rounded(policy, count) for count in splits)
    return TaskStatistics(
        rows=rounded_count(counted.rows, policy.rounding),
        splits=(one, two, three),
        kinds=tuple(_rounded(policy, count) for count in kinds),
        fields=fields,
    )


def _field_codes(policy: ReleasePolicy, past: Past, task: str, field: str, texts: CountedTexts) -> Iterator[Code]:
    """Every rule on one field's tallies and lengths, in order."""
    for metric in METRICS:
        allowed = policy.metrics == "all" or metric in policy.metrics
        yield Code.OK if allowed else Code.METRIC_NOT_ALLOWED
        yield row_code(policy, Slot((task, field, metric), find("metrics", metric)), texts.tallies[metric])
    texts_n = texts.tallies[METRICS[0]][0]
    yield Code.OK if sum(texts.lengths) == texts_n else Code.INTERNAL
    yield _set_code(policy, past, [set_of(task, field), *run_sets(task)], texts_n)


def _set_code(policy: ReleasePolicy, past: Past, names: Iterable[str], n: int) -> Code:
    """TOO_FEW_EXAMPLES, or SMALL_CELL where this set less one of `names` that left would be a few examples."""
    if n < policy.min_examples or not rounded_count(n, policy.rounding):
        return Code.TOO_FEW_EXAMPLES
    return Code.OK if past.apart(policy, dict.fromkeys(names, (n,))) else Code.SMALL_CELL


def _texts(policy: ReleasePolicy, texts: CountedTexts) -> Texts:
    """One field as it leaves."""
    lix, long_words = (
        rounded_row(Slot((metric,), find("metrics", metric)), texts.tallies[metric], policy.rounding)
        for metric in METRICS
    )
    ends = [(low, high) for low, high in pairwise((*EDGES, 2 * EDGES[-1]))]
    bins = merged(texts.lengths, policy.min_cell)
    return Texts(
        texts=lix[0], lacking=lix[1], words=lix[2], sentences=lix[3], long_words=lix[4], letters=long_words[4],
        lengths=tuple(
            (ends[first][0], ends[last][1], rounded_count(count, policy.rounding)) for first, last, count in bins
        ),
    )  # fmt: skip


def _rounded(policy: ReleasePolicy, count: int | None) -> int | None:
    return None if count is None else rounded_count(count, policy.rounding)


def _first_no(codes: Iterable[Code]) -> Code:
    return next((code for code in codes if code is not Code.OK), Code.OK)
