"""What this site has let out before, as its ledger tells it: the door's only memory.

Four things need one. Replies may be limited to some hours and some runs a year. A closing sum may leave only where the
tally behind it did, in the same run: it has no support counts of its own to check. And two runs on sets of examples
that differ by a few can be subtracted from each other, so the sets' sizes of earlier runs count. And what left with
noise has cost epsilon (budget.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kommunbench.core.answer import Code
from kommunbench.core.spec import OPINIONS, Cell, Slot
from kommunbench.release.budget import YEAR, Spent
from kommunbench.release.policy import ReleasePolicy

Sizes = Mapping[str, frozenset[int]]
"""Numbers of scored examples by the names of `sets_of`."""


def sets_of(slot: Slot) -> list[str]:
    """The sets of examples that a slot sums over, as `task/split/metric`: one, or two for a pair.

    What a metric can score does not depend on the answer, so a set is the same for every model, prompt and round. What
    staff rated does: each cell has a set of its own.
    """
    metric = slot.key[1] if slot.metric is not None else slot.key[-2]
    cells = [cell for cell in slot.key if isinstance(cell, Cell)]
    if metric in OPINIONS:
        return ["/".join(map(str, (*cell, metric))) for cell in cells]
    return [f"{cell.task}/{cell.split}/{metric}" for cell in cells]


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
        here: dict[str, frozenset[int]] = {}
        elsewhere: dict[str, frozenset[int]] = {}
        ms = 0
        entries = list(entries)
        for entry in entries:
            sizes = here if entry.get("spec") == spec else elsewhere
            ms += entry.get("ms", 0) if sizes is here else 0
            if sizes is elsewhere and _gave(entry) and now - datetime.fromisoformat(entry["time"]) < YEAR:
                runs.add(entry["spec"])
            for name, found in entry.get("sets", {}).items():
                sizes[name] = sizes.get(name, frozenset()) | frozenset(found)
        return cls(here, elsewhere, len(runs), now, ms, Spent.of(entries, spec, now))

    def run_code(self, policy: ReleasePolicy) -> Code:
        """OVER_LIMIT outside the policy's hours, or where its runs of a year are spent on others."""
        closed = policy.hours != "always" and (self.now is None or not policy.open_at(self.now))
        spent = bool(policy.runs_a_year) and self.runs >= policy.runs_a_year
        return Code.OVER_LIMIT if closed or spent else Code.OK

    def work_code(self, policy: ReleasePolicy) -> Code:
        """OVER_LIMIT where the run has had its minutes: no more work is begun for it. What was done may still leave."""
        return Code.OVER_LIMIT if policy.max_minutes and self.ms >= policy.max_minutes * MINUTE_MS else Code.OK

    def code(self, policy: ReleasePolicy, slot: Slot, n: int) -> Code:
        """SMALL_CELL where a sum over `n` examples and one that left before would give a few away by subtraction.

        A tally is held against every one that left (`min_difference`): in this run too, since the site's data may have
        changed and ratings come in between two messages. A closing sum is held against the tallies of this run
        (`min_cell`); NOT_AVAILABLE where its tally has not left in this run.
        """
        sets = sets_of(slot)
        if slot.metric is None and any(name not in self.here for name in sets):
            return Code.NOT_AVAILABLE
        before = [self.here] if slot.metric is None else [self.here, self.elsewhere]
        few = policy.min_cell if slot.metric is None else policy.min_difference
        distances = [abs(n - other) for sizes in before for name in sets for other in sizes.get(name, ())]
        return Code.SMALL_CELL if any(0 < distance < few for distance in distances) else Code.OK


def _gave(entry: Mapping[str, Any]) -> bool:
    """Whether a ledger's line is of a reply with numbers in it; what a site holds is told in codes alone."""
    return entry.get("action") != "holdings" and bool(entry.get("released") or entry.get("adapter") == Code.OK.name)
