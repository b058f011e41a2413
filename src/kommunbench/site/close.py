"""The closing message: from pooled totals to (n, sum z, sum z^2), which is all that intervals and pairs need.

A measure is linearised at the pooled total T with n scored examples (the delta method): example i contributes
z_i = n * gradient(T) . tally_i. For a mean that is the example's score less the mean; for a ratio or a corpus score it
is the example's influence. The coordinator adds these sums over sites; the variance follows (report/statistics.py).
Sums are integers in fixed point, as fine as the measure's unit allows (`Measure.closing_scale`).

Matrices and bootstrap replicates would say more and give single examples away; three numbers do not. But the pooled
total is the coordinator's word: at a made-up one, z can be so small that it rounds to zero for all examples but one or
two, and their sum would count those. So sums of which the rounding could tell are not made (`COARSEST`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kommunbench.core.answer import Answer, Code
from kommunbench.core.metric import INT64_MAX, Measure, Metric, Tally
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, Pair, Request, Total
from kommunbench.site.evaluations import Kept, KeptEvaluations
from kommunbench.site.keep import KeptTallies

Totals = Mapping[tuple[Cell, str], Tally]
COARSEST = 20.0
"""Least root mean square of z, in units of its fixed point: rounding then changes no z by more than 2.5 % of that."""
NOTHING = 1e-3
"""A root mean square below this is that of equal scores."""


class Influence(NamedTuple):
    """Digests and linearised scores of a system's scored examples, and the digest of the data where it is needed."""

    ids: npt.NDArray[np.str_]
    z: npt.NDArray[np.float64]
    data: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a site has kept: of the run at hand, and from run to run."""

    run: str
    kept: KeptTallies
    evaluations: KeptEvaluations

    def load(self, cell: Cell, metric: Metric, across: bool) -> Kept | None:
        """Tallies of a cell. `across` runs they come with the digest of the data that they are about."""
        if across or cell.run:
            return self.evaluations.load(self.run, cell, metric)
        found = self.kept.load(cell, metric)
        return None if found is None else Kept(*found, "")


def close(request: Request, kept: KeptTallies, evaluations: KeptEvaluations) -> Answer:
    """Sums for every total and pair of `request` that this site has tallies for; the rest is NOT_AVAILABLE."""
    shelf = Shelf(request.spec.digest, kept, evaluations)
    totals: Totals = {(total.cell, total.metric): total.total for total in request.totals}
    answer = Answer(values={}, codes={})
    values: dict[tuple[object, ...], Tally] = {}
    codes: dict[tuple[object, ...], Code] = {}
    for total in request.totals:
        metric = find("metrics", total.metric)
        for measure in metric.measures:
            found = influence(total, measure, shelf)
            sums = None if found is None else closing_sums(found.z, measure)
            _put(values, codes, (total.cell, total.metric, measure.name), sums)
    for pair in request.pairs:
        metric = find("metrics", pair.metric)
        measure = metric.measure(pair.measure)
        sides = [
            influence(_total(cell, pair, totals), measure, shelf, across=bool(pair.right.run))
            if (cell, pair.metric) in totals
            else None
            for cell in (pair.left, pair.right)
        ]
        z = difference(*sides)
        _put(values, codes, tuple(pair), None if z is None else closing_sums(z, measure))
        if metric.needs and not any((cell, pair.metric) in totals for cell in (pair.left, pair.right)):
            codes[tuple(pair)] = Code.NO_READING  # no site had anything to say
    answer.values, answer.codes = values, codes
    return answer


def influence(total: Total, measure: Measure, shelf: Shelf, across: bool = False) -> Influence | None:
    """Digests and z of the scored examples of a cell, or None where its tallies are not kept."""
    metric: Metric = find("metrics", total.metric)
    found = shelf.load(total.cell, metric, across)
    if found is None:
        return None
    scored = found.tallies[:, 0] == 1
    gradient = np.array(metric.gradient(total.total, measure))
    z = total.total[0] * (found.tallies[scored].astype(np.float64) @ gradient)
    return Influence(found.ids[scored], z, found.data)


def difference(left: Influence | None, right: Influence | None) -> npt.NDArray[np.float64] | None:
    """z of the left system less that of the right, over the examples scored in both.

    None where one is not kept, or where the data is no longer the same: an id may mean another text by now.
    """
    if left is None or right is None or left.data != right.data:
        return None
    _, first, second = np.intersect1d(left.ids, right.ids, assume_unique=True, return_indices=True)
    return left.z[first] - right.z[second]


def closing_sums(z: npt.NDArray[np.float64], measure: Measure) -> Tally | None:
    """(n, sum z, sum z^2) in the measure's fixed point; None where they do not fit in 64 bits with a sign.

    None, too, where z is too small for the fixed point, which is judged by the sum of squares alone: so whether there
    is an answer says no more than the answer would.
    """
    spread = float(np.sqrt(np.mean(np.square(z * measure.closing_scale)))) if len(z) else 0.0
    if NOTHING < spread < COARSEST:
        return None
    fixed = [round(entry * measure.closing_scale) for entry in z.tolist()]
    sums = (len(fixed), sum(fixed), sum(entry * entry for entry in fixed))
    return None if any(abs(entry) > INT64_MAX for entry in sums) else sums


def _total(cell: Cell, pair: Pair, totals: Totals) -> Total:
    return Total(cell=cell, metric=pair.metric, total=totals[cell, pair.metric])


def _put(
    values: dict[tuple[object, ...], Tally],
    codes: dict[tuple[object, ...], Code],
    key: tuple[object, ...],
    sums: Tally | None,
) -> None:
    if sums is None:
        codes[key] = Code.NOT_AVAILABLE
    else:
        values[key] = sums
