"""A run compared with earlier ones: which of their systems, and what of their numbers comes along.

    releases/before-1/<site>.json    tallies and closing sums of the first earlier run, as that run has them

So a report still needs nothing but its own folder. Sites that have kept their tallies answer the pairs in the closing
message, example by example; for the others the carried sums give an unpaired comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kommunbench.core.answer import Code
from kommunbench.core.spec import Cell
from kommunbench.report.record import EarlierRun, Received, RunFolder, RunInfo

BEFORE = "before-"
"""Sorts before the run's own moments, so that what a site answers now takes the place of what it answered then."""


def carry_over(folder: RunFolder, info: RunInfo, earlier: Sequence[Path]) -> None:
    """Write what `info.pairs` need of the earlier runs into `folder`.

    Closing sums come along only where every site of the earlier run is on this run's roster: they were linearised at
    that run's total.
    """
    roster = {site.name for site in info.roster}
    for number, (run, path) in enumerate(zip(info.earlier, earlier, strict=True), start=1):
        wanted = {(pair.right._replace(run=""), pair.metric) for pair in info.pairs if pair.right.run == run.spec}
        before = RunFolder(path)
        whole = {site.name for site in before.info().roster} <= roster
        for site in roster:
            slots: dict[str, tuple[tuple[object, ...], Code, tuple[int, ...]]] = {}
            for received in before.received():
                if received.site != site or received.moment.startswith(BEFORE):
                    continue
                for key, code, values in received.slots:
                    carried = _carried(key, wanted, run, whole)
                    if carried is not None and (code is Code.OK or str(carried) not in slots):
                        slots[str(carried)] = (carried, code, values)
            folder.keep(Received(site=site, moment=f"{BEFORE}{number}", status="ok", slots=tuple(slots.values())))


def _carried(
    key: tuple[object, ...], wanted: set[tuple[Cell, str]], run: EarlierRun, whole: bool
) -> tuple[object, ...] | None:
    """A slot's key as this run has it; None for a slot that it has no use for."""
    cell, *names = (Cell(*part) if isinstance(part, list | tuple) else str(part) for part in key)
    is_single = bool(names) and not isinstance(names[0], Cell)
    if not isinstance(cell, Cell) or not is_single or (cell, names[0]) not in wanted or (len(names) == 2 and not whole):
        return None
    return (cell._replace(run=run.spec), *names)
