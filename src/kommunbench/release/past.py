"""What this site has let out before, as its ledger tells it: the door's only memory.

Four things need one. Replies may be limited to some hours and some runs a year. What left with noise has cost epsilon
(budget.py). A closing sum may leave only where the tally behind it did, in the same run: it has no support counts of
its own to check. And two sums over sets of examples that differ by a few can be subtracted from each other, so the
exact sizes of the sets behind all that left are remembered, under two kinds of name:

    task/split/metric    how many examples were scored: held against sums of the same metric
    task/split           how many were answered, scored or not: held against sums of every metric, as many share a part
                         (words, say), and what one scores is seldom what another leaves out

A size is the same as one that left, and so nothing new, or it is at least `min_difference` from all that did.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kommunbench.core.answer import Code
from kommunbench.core.spec import OPINIONS, Slot
from kommunbench.release.budget import YEAR, Spent
from kommunbench.release.policy import ReleasePolicy

Row = tuple[int, ...]
Sizes = Mapping[str, Collection[int]]
"""Numbers of examples, exact, by the names of `sizes_of`."""


def sets_of(slot: Slot) -> list[str]:
    """The sets of examples that a slot sums over, as `task/split/metric`: one, or two for a pair.

    What a metric can score does not depend on the answer, so a set is the same for every model, prompt and round. What
    staff rated does: each cell has a set of its own.
    """
    if slot.metric_name in OPINIONS:
        return ["/".join(map(str, (*cell, slot.metric_name))) for cell in slot.cells]
    return [f"{cell.task}/{cell.split}/{slot.metric_name}" for cell in slot.cells]


def sizes_of(slot: Slot, row: Row) -> dict[str, int]:
    """The exact size of each set behind a slot's row, by name.

    Only a tally says how many were answered: (n, unscored, ...). What staff rated of a cell's answers is of that cell.
    """
    found = dict.fromkeys(sets_of(slot), row[0])
    if slot.metric is not None and slot.metric.name not in OPINIONS:
        found |= {answered(cell.task, cell.split): row[0] + row[1] for cell in slot.cells}
    return found


def answered(task: str, split: str) -> str:
    """The name of the set of all examples of a split that were answered."""
    return f"{task}/{split}"


def all_sizes(found: Iterable[tuple[Slot, Row]]) -> dict[str, list[int]]:
    """The sizes behind many slots' rows."""
    sizes: dict[str, set[int]] = {}
    for slot, row in found:
        for name, size in sizes_of(slot, row).items():
            sizes.setdefault(name, set()).add(size)
    return {name: sorted(each) for name, each in sizes.items()}


MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Past:
    """Sizes of the sets behind what has left.

    Args:
        here: in the run at hand.
        elsewhere: in other runs.
        runs: how many other runs got numbers in the 365 days before `now`.
        ms: what the run at hand has taken of this site's time.
        spent: epsilon and delta of what left with noise.
        now: local time; without it only a policy that is open always lets anything out.
    """

    here: Sizes = field(default_factory=dict)
    elsewhere: Sizes = field(default_factory=dict)
    runs: int = 0
    now: datetime | None = None
    ms: int = 0
    spent: Spent = field(default_factory=Spent)

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]], spec: str, now: datetime | None = None) -> Past:
        """From a ledger's lines; `spec` is the digest of the run at hand, `now` a local time with its zone."""
        now = now or datetime.now().astimezone()
        runs: set[str] = set()
        here: dict[str, set[int]] = {}
        elsewhere: dict[str, set[int]] = {}
        ms = 0
        entries = list(entries)
        for entry in entries:
            sizes = here if entry.get("spec") == spec else elsewhere
            ms += entry.get("ms", 0) if sizes is here else 0
            if sizes is elsewhere and _gave(entry) and now - datetime.fromisoformat(entry["time"]) < YEAR:
                runs.add(entry["spec"])
            for name, found in entry.get("sets", {}).items():
                sizes.setdefault(name, set()).update(found)
        return cls(here, elsewhere, len(runs), now, ms, Spent.of(entries, spec, now))

    def run_code(self, policy: ReleasePolicy) -> Code:
        """OVER_LIMIT outside the policy's hours, or where its runs of a year are spent on others."""
        closed = policy.hours != "always" and (self.now is None or not policy.open_at(self.now))
        spent = bool(policy.runs_a_year) and self.runs >= policy.runs_a_year
        return Code.OVER_LIMIT if closed or spent else Code.OK

    def work_code(self, policy: ReleasePolicy) -> Code:
        """OVER_LIMIT where the run has had its minutes: no more work is begun for it. What was done may still leave."""
        return Code.OVER_LIMIT if policy.max_minutes and self.ms >= policy.max_minutes * MINUTE_MS else Code.OK

    def code(self, policy: ReleasePolicy, slot: Slot, row: Row) -> Code:
        """NOT_AVAILABLE for a closing sum whose tally has not left in this run; SMALL_CELL where `apart` says no."""
        if self.lacks_tally(slot):
            return Code.NOT_AVAILABLE
        sizes = {name: (size,) for name, size in sizes_of(slot, row).items()}
        return Code.OK if self.apart(policy, sizes, closing=slot.metric is None) else Code.SMALL_CELL

    def lacks_tally(self, slot: Slot) -> bool:
        """Whether it is a closing sum, and a tally behind it has not left in this run."""
        return slot.metric is None and any(name not in self.here for name in sets_of(slot))

    def apart(self, policy: ReleasePolicy, sets: Sizes, closing: bool = False) -> bool:
        """Whether each of these sets is one that left, or at least `min_difference` examples from all that did.

        Those of this run are among them: the site's data may have changed, or ratings come in, between two messages.
        Closing sums have no counts of their own to check, so theirs are `min_cell` apart as well.
        """
        few = max(policy.min_difference, policy.min_cell) if closing else policy.min_difference
        for name, sizes in sets.items():
            left = {*self.here.get(name, ()), *self.elsewhere.get(name, ())}
            if any(abs(size - other) < few for size in set(sizes) - left for other in left):
                return False
        return True


def _gave(entry: Mapping[str, Any]) -> bool:
    """Whether a ledger's line is of a reply with numbers in it; what a site holds is told in codes alone."""
    return entry.get("action") != "holdings" and bool(entry.get("released") or entry.get("adapter") == Code.OK.name)
