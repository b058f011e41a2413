"""The closing message: from pooled totals to (n, sum z, sum z^2), which is all that intervals and pairs need.

A measure is linearised at the pooled total T with n scored examples (the delta method): example i contributes
z_i = n * gradient(T) . tally_i. For a mean that is the example's score less the mean; for a ratio or a corpus score it
is the example's influence. The coordinator adds these sums over sites; the variance follows (report/statistics.py).
Sums are integers: z in units of 1e-6, z^2 in units of 1e-12.

Matrices and bootstrap replicates would say more and give single examples away; three numbers do not.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from kommunbench.core.metric import INT64_MAX, Measure, Metric, Tally
from kommunbench.core.registry import find
from kommunbench.core.spec import SECOND_MOMENT_SCALE, Answer, Cell, Code, Request, Total
from kommunbench.site.keep import KeptTallies

Influence = tuple[npt.NDArray[np.str_], npt.NDArray[np.float64]]
Totals = Mapping[tuple[Cell, str], Tally]


def close(request: Request, kept: KeptTallies) -> Answer:
    """Sums for every total and pair of `request` that this site has tallies for; the rest is NOT_AVAILABLE."""
    totals: Totals = {(total.cell, total.metric): total.total for total in request.totals}
    answer = Answer(values={}, codes={})
    values: dict[tuple[object, ...], Tally] = {}
    codes: dict[tuple[object, ...], Code] = {}
    for total in request.totals:
        metric = find("metrics", total.metric)
        for measure in metric.measures:
            found = influence(total, metric, measure, kept)
            _put(values, codes, (total.cell, total.metric, measure.name), None if found is None else found[1])
    for pair in request.pairs:
        metric = find("metrics", pair.metric)
        measure = metric.measure(pair.measure)
        sides = [
            influence(Total(cell=cell, metric=pair.metric, total=totals[cell, pair.metric]), metric, measure, kept)
            if (cell, pair.metric) in totals
            else None
            for cell in (pair.left, pair.right)
        ]
        _put(values, codes, tuple(pair), difference(*sides))
    answer.values, answer.codes = values, codes
    return answer


def influence(total: Total, metric: Metric, measure: Measure, kept: KeptTallies) -> Influence | None:
    """Digests and z of the scored examples of a cell, or None where its tallies are not kept."""
    found = kept.load(total.cell, metric)
    if found is None:
        return None
    ids, tallies = found
    scored = tallies[:, 0] == 1
    gradient = np.array(metric.gradient(total.total, measure))
    return ids[scored], total.total[0] * (tallies[scored].astype(np.float64) @ gradient)


def difference(left: Influence | None, right: Influence | None) -> npt.NDArray[np.float64] | None:
    """z of the left system less that of the right, over the examples scored in both."""
    if left is None or right is None:
        return None
    _, first, second = np.intersect1d(left[0], right[0], assume_unique=True, return_indices=True)
    return left[1][first] - right[1][second]


def _put(
    values: dict[tuple[object, ...], Tally],
    codes: dict[tuple[object, ...], Code],
    key: tuple[object, ...],
    z: npt.NDArray[np.float64] | None,
) -> None:
    if z is None:
        codes[key] = Code.NOT_AVAILABLE
        return
    fixed = [round(entry * SECOND_MOMENT_SCALE) for entry in z.tolist()]
    sums = (len(fixed), sum(fixed), sum(entry * entry for entry in fixed))
    if any(abs(entry) > INT64_MAX for entry in sums):
        codes[key] = Code.NOT_AVAILABLE
    else:
        values[key] = sums
