"""Two systems compared, example by example where sites still had both: effect and interval first, p last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kommunbench.core.dp import DpSettings
from kommunbench.core.metric import Metric, Tally, add
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, Pair
from kommunbench.report.codes import Outcome
from kommunbench.report.estimate import EXACT, Estimate
from kommunbench.report.influence import Influence, less, most_influential
from kommunbench.report.pool import Gathered, Inside, Part, Parts, groups
from kommunbench.report.record import RosterSite
from kommunbench.report.rows import PairRow, RowKey
from kommunbench.report.statistics import Heterogeneity, Moments, Spread, across_sites, holm, independent, stratified

SIGNIFICANT = 0.05
NOISE_HIDES = "noise was added, and what it leaves has no interval"


@dataclass(frozen=True, slots=True)
class _Effect:
    difference: float
    spread: Spread
    n: int
    paired: bool
    sites: int
    across: Heterogeneity | None
    influence: Influence | None


def pair_rows(
    gathered: Gathered,
    roster: Sequence[RosterSite],
    declared: Iterable[Pair],
    primaries: Mapping[str, str],
    dp: DpSettings = EXACT,
    earlier: Mapping[str, str] = MappingProxyType({}),
) -> list[PairRow]:
    """A row for every declared pair and group of sites.

    Holm's p is over a family: the declared pairs of one group of sites and one seed, those on primary measures apart
    from the rest, so that what a run sets out to show is not drowned by what it looks at besides.

    Args:
        earlier: names of earlier runs by the digest of their specification.
    """
    found: list[PairRow] = []
    bare = (pair._replace(left=_bare(pair.left), right=_bare(pair.right)) for pair in declared)
    for pair in dict.fromkeys((*bare, *gathered.pairs)):
        local = "local" in (pair.left.stage, pair.right.stage)
        primary = primaries.get(pair.left.task) == pair.measure
        comparison = Comparison(gathered, pair, dp)
        for group, belongs in groups(roster, local).items():
            row = _pair_row(pair, group, primary, comparison.effect(belongs))
            found.append(row.model_copy(update={"right_run": earlier.get(pair.right.run)}))
    return _adjusted(found)


class Comparison:
    """One pair over groups of sites."""

    def __init__(self, gathered: Gathered, pair: Pair, dp: DpSettings = EXACT) -> None:
        metric: Metric = find("metrics", pair.metric)
        measure = metric.measure(pair.measure)
        self.metric, self.sums, self.dp = metric, gathered.pairs.get(pair, {}), dp
        self.left, self.right = (
            Estimate(
                metric,
                measure,
                gathered.tallies.get((cell, pair.metric), {}),
                gathered.singles.get((cell, pair.metric, pair.measure), {}),
                dp,
            )
            for cell in (pair.left, pair.right)
        )

    def effect(self, belongs: Inside) -> _Effect | str:
        """The difference over the sites that released both systems, or why there is none.

        Paired over the sites that also released the pair's sums; unpaired over those that released each system's own
        sums where that is more sites.
        """
        strata = [
            key
            for key in dict.fromkeys((*self.left.parts, *self.right.parts))
            if belongs(*key) and _released(self.left.parts, key) and _released(self.right.parts, key)
        ]
        if "" in {origin for origin, _ in strata} != {""}:
            strata = [key for key in strata if key[0]]  # an adapter of one site against one of all: by its origin
        if not strata:
            return "no site released both systems"
        if self.dp.noisy:
            return self._over(strata, paired=False)
        paired = [key for key in strata if _released(self.sums, key)]
        single = [key for key in strata if _released(self.left.sums, key) and _released(self.right.sums, key)]
        if not paired and not single:
            return "no closing sums from the sites that released both systems"
        by_pair = len(paired) >= len(single)
        return self._over(paired if by_pair else single, by_pair)

    def _over(self, strata: list[tuple[str, str]], paired: bool) -> _Effect | str:
        left, right = (self._total(side.parts, strata) for side in (self.left, self.right))
        difference = self._difference(left, right)
        if difference is None:
            return "undefined for one of the systems"
        spread = self._spread(strata, paired, left, right)
        if spread is None and self.dp.noisy:
            return NOISE_HIDES
        if spread is None:
            return "a site that released both systems has a single example"
        sites = list(dict.fromkeys(site for _, site in strata))
        n = self._pairs(strata) if paired else max(min(left[0], right[0]), 0)
        across, moved = self._across(strata, sites, paired), self._influence(strata, sites, difference, (left, right))
        return _Effect(difference, spread, n, paired, len(sites), across, moved)

    def _total(self, parts: Parts, strata: Iterable[tuple[str, str]]) -> Tally:
        total = self.metric.zero
        for key in strata:
            part = _at(parts, key)
            total = add(total, part.values) if part else total
        return total

    def _difference(self, left: Tally, right: Tally) -> float | None:
        ours, theirs = self.left.value(left), self.right.value(right)
        return None if ours is None or theirs is None else ours - theirs

    def _spread(self, strata: list[tuple[str, str]], paired: bool, left: Tally, right: Tally) -> Spread | None:
        """By the pair's sums, in the steepness of the steeper side; or from both systems' own sums (Welch)."""
        if self.dp.noisy:
            noisy = [side.noisy_spread(total, len(strata)) for side, total in ((self.left, left), (self.right, right))]
            found = [each for each in noisy if not isinstance(each, str)]
            return independent(*found) if len(found) == len(noisy) else None
        if not paired:
            sides = [
                stratified(side.moments([_own_key(side.sums, key) for key in strata], total) or [])
                for side, total in ((self.left, left), (self.right, right))
            ]
            return None if sides[0] is None or sides[1] is None else independent(sides[0], sides[1])
        by_site: dict[str, list[Moments]] = {}
        for origin, site in strata:
            factor = max(
                side.steepness(_own_key(side.parts, (origin, site))[0], total)
                for side, total in ((self.left, left), (self.right, right))
            )
            moments = Moments.of(self.sums[origin, site].values, self.left.measure.closing_scale)
            by_site.setdefault(site, []).append(
                Moments(moments.n, moments.mean * factor, moments.variance * factor * factor)
            )
        return stratified(list(by_site.values()))

    def _pairs(self, strata: Iterable[tuple[str, str]]) -> int:
        return sum(self.sums[key].values[0] for key in strata)

    def _influence(
        self, strata: list[tuple[str, str]], sites: list[str], difference: float, totals: tuple[Tally, Tally]
    ) -> Influence | None:
        """Each site is left out in turn, of both systems."""
        if len(sites) < 2:
            return None
        keys: dict[str, list[tuple[str, str]]] = {}
        for key in strata:
            keys.setdefault(key[1], []).append(key)
        without = {}
        for site, own in keys.items():
            left, right = (
                less(total, self._total(side.parts, own))
                for side, total in zip((self.left, self.right), totals, strict=True)
            )
            without[site] = self._difference(left, right)
        return most_influential(difference, without)

    def _across(self, strata: list[tuple[str, str]], sites: list[str], paired: bool) -> Heterogeneity | None:
        differences, variances = [], []
        for site in sites:
            own = [key for key in strata if key[1] == site]
            left, right = (self._total(side.parts, own) for side in (self.left, self.right))
            difference, spread = self._difference(left, right), self._spread(own, paired, left, right)
            if difference is None or spread is None:
                continue
            differences.append(difference)
            variances.append(spread.error**2)
        return across_sites(differences, variances)


def _bare(cell: Cell) -> Cell:
    return cell._replace(origin="")


def _own_key(parts: Parts, key: tuple[str, str]) -> tuple[str, str]:
    """The key of a side's part: a system of all sites has no origin."""
    return key if key in parts else ("", key[1])


def _at(parts: Parts, key: tuple[str, str]) -> Part | None:
    return parts.get(_own_key(parts, key))


def _released(parts: Parts, key: tuple[str, str]) -> bool:
    part = _at(parts, key)
    return part is not None and part.outcome is Outcome.RELEASED


def _key(cell: Cell, measure: str, group: str) -> RowKey:
    return RowKey(
        task=cell.task,
        metric=measure,
        model=cell.model,
        prompt=cell.prompt,
        stage=cell.stage,
        site_group=group,
        round=cell.round,
        seed=cell.seed,
    )


def _pair_row(pair: Pair, group: str, primary: bool, effect: _Effect | str) -> PairRow:
    measure = find("metrics", pair.metric).measure(pair.measure)
    found = None if isinstance(effect, str) else effect
    low, high = found.spread.interval(found.difference) if found else (None, None)
    across, moved = (found.across, found.influence) if found else (None, None)
    return PairRow(
        left=_key(pair.left, pair.measure, group),
        right=_key(pair.right, pair.measure, group),
        difference=found.difference if found else None,
        low=low,
        high=high,
        low_new_site=across.low if across else None,
        high_new_site=across.high if across else None,
        low_one_new_site=across.one_low if across else None,
        high_one_new_site=across.one_high if across else None,
        influential_site=moved.site if moved else None,
        difference_without=moved.without if moved else None,
        detectable=found.spread.detectable if found else None,
        n_needed=found.spread.needed(found.difference, found.n) if found else None,
        p=found.spread.p(found.difference) if found else None,
        p_holm=None,
        n=found.n if found else 0,
        paired=bool(found and found.paired),
        sites=found.sites if found else 0,
        primary=primary,
        unit=measure.unit,
        direction=measure.direction,
        better=None,
        reason=effect if isinstance(effect, str) else None,
    )


def _adjusted(found: list[PairRow]) -> list[PairRow]:
    families: dict[tuple[str, int, bool], list[int]] = {}
    for index, row in enumerate(found):
        if row.p is not None:
            family = (row.left.site_group, max(row.left.seed, row.right.seed), row.primary)
            families.setdefault(family, []).append(index)
    for members in families.values():
        adjusted = holm([found[index].p or 0.0 for index in members])
        for index, p_holm in zip(members, adjusted, strict=True):
            row = found[index]
            found[index] = row.model_copy(update={"p_holm": p_holm, "better": _better(row, p_holm)})
    return found


def _better(row: PairRow, p_holm: float) -> str | None:
    if row.direction == "none" or row.difference is None:
        return None
    if p_holm >= SIGNIFICANT or row.difference == 0:
        return "tie"
    return "left" if (row.difference > 0) == (row.direction == "higher") else "right"
