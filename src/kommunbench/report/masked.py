"""What a report can say of masked sums: one number over all sites, and nothing about any one of them.

The sum is read as the answer of a single made-up site. What would need sites' own numbers is null with a reason. Two
sums are held against each other only where the same number of sites gave as many examples to both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kommunbench.core.answer import Code
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, Pair
from kommunbench.report.estimate import rows
from kommunbench.report.pool import gather, question_of
from kommunbench.report.record import Received, RosterSite
from kommunbench.report.rows import Key, PairRow, Row
from kommunbench.report.versus import pair_rows

NOT_KNOWN = "sums are masked: how sites differ is not known"
OTHER_SITES = "the two sums are over different sites"
TOO_FEW = "too few sites gave it, or have a model that gives what it needs, or it would have shown single sites"
SUM = RosterSite(name=MASKED_SUM, title="")


class Given(NamedTuple):
    """What stands behind a sum: sites, and scored examples."""

    sites: int
    examples: int


Question = tuple[object, ...]


def masked_rows(
    received: Iterable[Received], roster: Sequence[RosterSite], declared: Iterable[Pair], primaries: Mapping[str, str]
) -> tuple[list[Row], list[Row], list[PairRow]]:
    """Rows of test splits, rows of other splits, and pairs, of a run with masked sums."""
    sums = [reply for reply in received if reply.site == MASKED_SUM]
    given = _given(sums)
    gathered = gather([SUM], [_fitting(reply, given) for reply in sums])
    behind = _by_row(given)
    test, other = ([_row(row, len(roster), behind) for row in found if row.site_group == "all"]
                   for found in rows(gathered, [SUM], primaries))  # fmt: skip
    pairs = pair_rows(gathered, [SUM], declared, primaries)
    return test, other, [_pair(pair, behind) for pair in pairs if pair.left.site_group == "all"]


def _given(sums: Iterable[Received]) -> dict[Question, Given]:
    return {
        question_of(key): Given(count, values[0])
        for reply in sums
        for (key, code, values), count in zip(reply.slots, reply.given_by, strict=True)
        if code is Code.OK
    }


def _fitting(reply: Received, given: Mapping[Question, Given]) -> Received:
    """The same without closing sums that are over other sites than the tallies that they go with."""
    slots = []
    for key, code, values in reply.slots:
        asked = question_of(key)
        single = len(asked) == 3 and isinstance(asked[0], Cell)
        fits = not single or given.get(asked[:2]) == given.get(asked)
        slots.append((key, code, values) if fits else (key, Code.NOT_AVAILABLE, (0,) * len(values)))
    return reply.model_copy(update={"slots": tuple(slots)})


def _by_row(given: Mapping[Question, Given]) -> dict[Key, Given]:
    """What stands behind each row, from what stands behind its tally."""
    found: dict[Key, Given] = {}
    for asked, behind in given.items():
        cell = asked[0]
        if len(asked) == 2 and isinstance(cell, Cell):
            for measure in find("metrics", str(asked[1])).measures:
                own = (cell.task, measure.name, cell.model, cell.prompt, cell.stage, "all", cell.round, cell.seed)
                found[own] = behind
    return found


def _row(row: Row, invited: int, behind: Mapping[Key, Given]) -> Row:
    sites = behind[row.key].sites if row.key in behind else 0
    return row.model_copy(
        update={
            **dict.fromkeys(("suppressed", "refused", "missing", "failed", "unavailable")),
            "sites": sites,
            "withheld": invited - sites,
            "new_site_reason": NOT_KNOWN,
            "reason": TOO_FEW if row.value is None and not sites else row.reason,
        }
    )


def _pair(pair: PairRow, behind: Mapping[Key, Given]) -> PairRow:
    left, right = behind.get(pair.left.key), behind.get(pair.right.key)
    if left == right:
        return pair.model_copy(update={"sites": left.sites if left else 0})
    numbers = [name for name, value in pair if isinstance(value, float)]
    lost = {**dict.fromkeys(numbers), "n_needed": None, "better": None, "n": 0, "sites": 0, "paired": False}
    return pair.model_copy(update={**lost, "reason": OTHER_SITES})
