"""From pooled tallies and closing sums to rows: value, intervals, worst site, and why something is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kommunbench.core.dp import DpSettings
from kommunbench.core.metric import Measure, Metric, Tally
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell
from kommunbench.report.codes import Outcome
from kommunbench.report.influence import influence
from kommunbench.report.noisy import feasible, noise_deviation, noisy_spread
from kommunbench.report.pool import Gathered, Parts, Pooled, groups, pool
from kommunbench.report.record import RosterSite
from kommunbench.report.rows import Row
from kommunbench.report.statistics import MIN_SITES, Heterogeneity, Moments, Spread, across_sites, stratified, wilson

TOO_FEW_SITES = f"fewer than {MIN_SITES} sites"
EXACT = DpSettings()
NOISE = "noise was added, and at a site it is as large as what it was added to"
DROWNED = "the noise is as large as what it was added to"
NO_SUMS = "no closing sums from every site in the value"
ONE_EXAMPLE = "a site in the value has a single example"


def rows(
    gathered: Gathered, roster: Sequence[RosterSite], primaries: Mapping[str, str], dp: DpSettings = EXACT
) -> tuple[list[Row], list[Row]]:
    """Every row of the run: those of test splits, and those of other splits.

    Args:
        primaries: the primary measure by task.
        dp: what noise the tallies have.
    """
    test: list[Row] = []
    other: list[Row] = []
    for (cell, name), parts in gathered.tallies.items():
        metric: Metric = find("metrics", name)
        inside = groups(roster, local=cell.stage == "local")
        pools = {
            group: pool(metric, parts, [key for key in parts if belongs(*key)]) for group, belongs in inside.items()
        }
        for measure in metric.measures:
            estimate = Estimate(metric, measure, parts, gathered.singles.get((cell, name, measure.name), {}), dp)
            primary = primaries.get(cell.task) == measure.name
            for group, pooled in pools.items():
                row = _row(cell, group, estimate, pooled, primary)
                (test if cell.split == "test" else other).append(row)
    return test, other


class Estimate:
    """One measure of one system, with what sites said of its spread."""

    def __init__(self, metric: Metric, measure: Measure, parts: Parts, sums: Parts, dp: DpSettings = EXACT) -> None:
        self.metric, self.measure, self.parts, self.sums, self.dp = metric, measure, parts, sums, dp
        self._centres: dict[str, Tally] = {}

    def value(self, total: Tally) -> float | None:
        """The measure's value of a sum; None where it is undefined, or where noise makes it what no share can be."""
        if not self.dp.noisy:
            return self.metric.value(total, self.measure)
        value = self.metric.value(feasible(self.metric, total), self.measure)
        drowned = value is not None and self.measure.unit == "share" and not 0 <= value <= 1
        return None if drowned else value

    def noisy_spread(self, total: Tally, tallies: int) -> Spread | str:
        """Standard error at a sum of so many noised tallies, or why there is none."""
        return noisy_spread(self.dp, self.metric, self.measure, feasible(self.metric, total), tallies)

    def noise(self, pooled: Pooled) -> float | None:
        """Standard deviation that noise gives the value; None where none was added or there is no value."""
        if not self.dp.noisy or self.value(pooled.total) is None:
            return None
        total, tallies = feasible(self.metric, pooled.total), sum(map(len, pooled.strata.values()))
        return noise_deviation(self.dp, self.metric, self.measure, total, tallies)

    def steepness(self, origin: str, group: Tally) -> float:
        """How many times steeper the measure is at a group's sum than at the total its scores were linearised at.

        For a ratio that is (mean denominator of all) / (mean denominator of the group), exactly; measures with
        another formula are taken to be equally steep.
        """
        if not self.measure.numerator:
            return 1.0
        if origin not in self._centres:
            own = [key for key in self.parts if key[0] == origin]
            self._centres[origin] = pool(self.metric, self.parts, own).total
        centre = self._centres[origin]
        whole, part = (self.metric.part(total, self.measure.denominator) for total in (centre, group))
        return whole * group[0] / (part * centre[0]) if part and centre[0] else 1.0

    def moments(self, strata: Iterable[tuple[str, str]], group: Tally) -> list[list[Moments]] | None:
        """Moments by site of the given (origin, site), in the group's own steepness; None where one is lacking."""
        found: dict[str, list[Moments]] = {}
        for origin, site in strata:
            sums = self.sums.get((origin, site))
            if sums is None or sums.outcome is not Outcome.RELEASED:
                return None
            moments, factor = Moments.of(sums.values, self.measure.closing_scale), self.steepness(origin, group)
            found.setdefault(site, []).append(
                Moments(moments.n, moments.mean * factor, moments.variance * factor * factor)
            )
        return list(found.values())

    def interval(self, pooled: Pooled) -> tuple[float, float] | str:
        """95 % interval for these sites, or why there is none."""
        value = self.value(pooled.total)
        if value is None:
            return "no value"
        if self.dp.noisy:
            noisy = self.noisy_spread(pooled.total, sum(map(len, pooled.strata.values())))
            return noisy if isinstance(noisy, str) else self._clip(*noisy.interval(value))
        if self.measure.proportion:
            return wilson(*(part / pooled.repeats for part in self._count(pooled.total)))
        moments = self.moments((key for keys in pooled.strata.values() for key in keys), pooled.total)
        if moments is None:
            return NO_SUMS
        spread = stratified(moments)
        return ONE_EXAMPLE if spread is None else self._clip(*spread.interval(value))

    def across(self, pooled: Pooled) -> Heterogeneity | str:
        """How sites differ and what that says of others like them, or why not."""
        values, variances = [], []
        for site, total in pooled.by_site.items():
            value = self.value(total)
            if value is None:
                continue
            variance = self._site_variance(pooled.strata[site], total)
            if variance is None:
                return NOISE if self.dp.noisy else NO_SUMS
            values.append(value)
            variances.append(variance)
        found = across_sites(values, variances)
        if found is None:
            return TOO_FEW_SITES
        return found.clipped() if self.measure.unit == "share" else found

    def _site_variance(self, keys: Sequence[tuple[str, str]], total: Tally) -> float | None:
        if self.dp.noisy:
            found = self.noisy_spread(total, len(keys))
            return None if isinstance(found, str) else found.error**2
        if self.measure.proportion:
            count, n = self._count(total)
            share = (count + 0.5) / (n + 1)  # a site with none or all right is not certain to stay so
            return share * (1 - share) / n
        moments = self.moments(keys, total)
        spread: Spread | None = stratified(moments) if moments else None
        return None if spread is None else spread.error**2

    def _count(self, total: Tally) -> tuple[float, float]:
        return self.metric.part(total, self.measure.numerator), self.metric.part(total, self.measure.denominator)

    def _clip(self, low: float, high: float) -> tuple[float, float]:
        if self.measure.unit != "share":
            return low, high
        return max(low, 0.0), min(high, 1.0)


def extremes(values: Mapping[str, float], direction: str) -> tuple[str, str] | None:
    """(worst, best) site; the first by name where several are alike. None below two sites or without a direction."""
    if len(values) < 2 or direction == "none":
        return None
    sign = 1 if direction == "higher" else -1
    ranked = sorted(values, key=lambda site: (sign * values[site], site))
    best = min(values, key=lambda site: (-sign * values[site], site))
    return ranked[0], best


def _row(cell: Cell, group: str, estimate: Estimate, pooled: Pooled, primary: bool) -> Row:
    measure, total = estimate.measure, pooled.total
    value = estimate.value(total)
    interval = estimate.interval(pooled)
    across = estimate.across(pooled) if value is not None else "no value"
    low, high = (None, None) if isinstance(interval, str) else interval
    spread = None if isinstance(across, str) else across
    moved = influence(value, total, pooled.by_site, estimate.value)
    values = dict(_site_values(estimate, pooled.by_site))
    worst, best = extremes(values, measure.direction) or (None, None)
    return Row(
        task=cell.task,
        metric=measure.name,
        model=cell.model,
        prompt=cell.prompt,
        stage=cell.stage,
        site_group=group,
        round=cell.round,
        seed=cell.seed,
        value=value,
        unit=measure.unit,
        direction=measure.direction,
        primary=primary,
        low=low,
        high=high,
        low_new_site=spread.low if spread else None,
        high_new_site=spread.high if spread else None,
        low_one_new_site=spread.one_low if spread else None,
        high_one_new_site=spread.one_high if spread else None,
        n=max(total[0], 0),
        unscored=max(total[1], 0),
        suppressed=pooled.absent.get(Outcome.SUPPRESSED, 0),
        sites=len(pooled.by_site),
        refused=pooled.absent.get(Outcome.REFUSED, 0),
        missing=pooled.absent.get(Outcome.MISSING, 0),
        failed=pooled.absent.get(Outcome.FAILED, 0),
        unavailable=pooled.absent.get(Outcome.UNAVAILABLE, 0),
        worst_site=worst,
        worst_value=None if worst is None else values[worst],
        best_site=best,
        best_value=None if best is None else values[best],
        gap=None if worst is None or best is None else abs(values[best] - values[worst]),
        influential_site=moved.site if moved else None,
        value_without=moved.without if moved else None,
        i2=spread.i2 if spread else None,
        tau2=spread.tau2 if spread else None,
        interval=None if low is None else "noisy" if estimate.dp.noisy else "wilson" if measure.proportion else "delta",
        noise=estimate.noise(pooled),
        interval_new_site="hksj" if spread else None,
        reason=DROWNED if value is None and pooled.by_site and estimate.dp.noisy else _reason(value, pooled),
        interval_reason=interval if isinstance(interval, str) else None,
        new_site_reason=across if isinstance(across, str) else None,
    )


def _site_values(estimate: Estimate, by_site: Mapping[str, Tally]) -> Iterator[tuple[str, float]]:
    for site, total in by_site.items():
        value = estimate.value(total)
        if value is not None:
            yield site, value


def _reason(value: float | None, pooled: Pooled) -> str | None:
    if value is not None:
        return None
    if not pooled.by_site:
        why = ", ".join(f"{count} {outcome}" for outcome, count in sorted(pooled.absent.items()))
        return f"no site released it: {why}" if why else "no site was asked"
    if pooled.total[0] <= 0:
        return "no example could be scored: a reference or a fact is lacking"
    return "undefined: what it divides by does not occur"
