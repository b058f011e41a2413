"""What federation gains: base, each site alone, all together and, as the upper bound, all text in one place.

Read off the report's rows and pairs, seed by seed. A mean over seeds is a mean of pooled values, each from its own
sums; its interval is the widest that the seeds' own intervals span, which claims less than any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean

from kommunbench.core.spec import Stage
from kommunbench.report.rows import PairRow, Report, Row, TaskRow

GROUPS: tuple[tuple[str, str], ...] = (("own", "trained"), ("others", "trained"), ("unseen", "unseen"))
"""Groups of sites as an adapter that was trained at one site has them, and as one of all sites has them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One stage less another: the mean over seeds, and from the lowest to the highest end of the seeds' intervals."""

    difference: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Stages:
    """A task's primary measure over one group of sites, by stage and seed.

    Args:
        group: own (each adapter at the site that trained it), others (at the other sites that trained), unseen.
        values: by stage, one value a seed; a stage that was not run is absent.
        over_base: federated less base. None where sites released too little.
        over_alone: federated less local.
        share: (federated - base) / (central - base), of means over seeds; None where central is no better than base.
    """

    task: TaskRow
    group: str
    unit: str
    values: dict[Stage, tuple[float, ...]]
    over_base: Change | None
    over_alone: Change | None
    share: float | None

    def mean(self, stage: Stage) -> float | None:
        """The mean over seeds."""
        found = self.values.get(stage)
        return fmean(found) if found else None


def stages(report: Report) -> tuple[Stages, ...]:
    """Every task and group, for the trained model's first prompt; empty where no other training was run."""
    rows = [row for row in report.rows if row.model in report.trained and row.primary]
    if not {row.stage for row in rows} & {"local", "central"}:
        return ()
    prompt = rows[0].prompt
    last = max(row.round for row in rows)
    rows = [row for row in rows if row.prompt == prompt and row.round in (0, last)]
    return tuple(
        found
        for task in report.tasks
        for alone, together in GROUPS
        if (found := _stages(report, [row for row in rows if row.task == task.name], task, alone, together)) is not None
    )


def _stages(report: Report, rows: list[Row], task: TaskRow, alone: str, together: str) -> Stages | None:
    groups = {row.site_group for row in rows}
    if together not in groups:  # every site trains
        together = "all" if together == "trained" else together
    if together not in groups:
        return None
    names = {"base": together, "local": alone, "federated": together, "central": together}
    values: dict[Stage, tuple[float, ...]] = {}
    for row in sorted(rows, key=lambda row: row.seed):
        if row.value is not None and names[row.stage] == row.site_group:
            values[row.stage] = (*values.get(row.stage, ()), row.value)
    base, federated, central = (fmean(values[stage]) if stage in values else None for stage in _BOUNDS)
    share = None
    if base is not None and federated is not None and central is not None:
        better = base < central if task.direction == "higher" else base > central
        share = (federated - base) / (central - base) if better else None
    unit = rows[0].unit
    return Stages(
        task,
        alone,
        unit,
        values,
        _change(report, task, lambda pair: _is(pair, "base", together)),
        _change(report, task, lambda pair: _is(pair, "local", alone)),
        share,
    )


_BOUNDS: tuple[Stage, ...] = ("base", "federated", "central")


def _is(pair: PairRow, other: Stage, group: str) -> bool:
    left, right = pair.left, pair.right
    return (
        (left.stage, right.stage) == ("federated", other)
        and left.site_group == group
        and left.model == right.model
        and left.prompt == right.prompt
    )


def _change(report: Report, task: TaskRow, wanted: Callable[[PairRow], bool]) -> Change | None:
    pairs = [pair for pair in report.pairs if pair.primary and pair.left.task == task.name and wanted(pair)]
    ends = [(pair.difference, pair.low, pair.high, pair.n) for pair in pairs]
    known = [end for end in ends if None not in end]
    if not known or len(known) < len(ends):
        return None
    differences, lows, highs, ns = zip(*known, strict=True)
    return Change(fmean(_floats(differences)), min(_floats(lows)), max(_floats(highs)), int(min(_floats(ns))))


def _floats(values: Iterable[float | int | None]) -> list[float]:
    return [float(value) for value in values if value is not None]
