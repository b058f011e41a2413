"""Intervals for values that were made from noised tallies: what the noise adds, and what sampling adds at most.

No closing sums are released with noise, so the spread of single examples is not known. It is bounded instead. A measure
N / D is linearised as usual: example i has u_i = x_i - R y_i with mean 0, where x and y are its contributions to the
numerator and the denominator. Both have stated bounds, so u lies within [a, b], and what has mean 0 in [a, b] has a
variance of at most -a b (Bhatia and Davis 2000). The noise's own variance is exact: that of each entry times the square
of the measure's slope there (the delta method), summed over sites. Both are added. So the interval is wider than need
be; a sum that noise has drowned has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kommunbench.core.dp import DpSettings
from kommunbench.core.metric import Measure, Metric, Tally
from kommunbench.release.noise import deviations
from kommunbench.report.statistics import Spread

FREEDOM = 1e6
"""Degrees of freedom of a spread that is known and not estimated: the normal quantile."""
DROWNED = 3.0
"""A denominator below so many standard deviations of its noise is no denominator."""


def feasible(metric: Metric, total: Sequence[int]) -> Tally:
    """The nearest tally that sums of examples can make: counts from 0, fields within n times their bounds."""
    n = max(total[0], 0)
    fields = zip(total[2:], metric.fields, strict=True)
    return (n, max(total[1], 0), *(min(max(entry, n * field.low), n * field.high) for entry, field in fields))


def noise_deviation(dp: DpSettings, metric: Metric, measure: Measure, total: Tally, tallies: int) -> float:
    """Standard deviation that noise gives the measure's value, at the sum of so many noised tallies."""
    slopes = metric.gradient(total, measure)
    variances = (slope**2 * deviation**2 for slope, deviation in zip(slopes, deviations(dp, metric), strict=True))
    return math.sqrt(tallies * sum(variances))


def noisy_spread(dp: DpSettings, metric: Metric, measure: Measure, total: Tally, tallies: int) -> Spread | str:
    """Standard error of the measure's value at `total`, a sum of so many noised tallies; or why there is none."""
    below = metric.part(total, measure.denominator)
    entries = [metric.names.index(name) for name in measure.denominator]
    scales = {field.name: field.scale for field in metric.fields}
    wobble = math.sqrt(
        tallies * sum((deviations(dp, metric)[index] / scales.get(metric.names[index], 1)) ** 2 for index in entries)
    )
    if not measure.numerator:
        return "noise was added, and the measure's formula gives no bound on its spread"
    if below <= DROWNED * wobble or total[0] <= 0:
        return "the noise is as large as what it was added to"
    value = metric.part(total, measure.numerator) / below
    low, high = (_bounds(metric, names) for names in (measure.numerator, measure.denominator))
    least, most = low[0] - value * high[1], low[1] - value * high[0]
    sampling = max(-least * most, 0.0) * total[0] / below**2
    noise = noise_deviation(dp, metric, measure, total, tallies)
    return Spread(math.sqrt(sampling + noise**2), FREEDOM)


def _bounds(metric: Metric, names: Sequence[str]) -> tuple[float, float]:
    """Smallest and largest contribution of one scored example to the named entries, in the measure's units."""
    low = high = 0.0
    for name in names:
        if name == "n":
            low, high = low + 1, high + 1
        else:
            field = next(field for field in metric.fields if field.name == name)
            low, high = low + field.low / field.scale, high + field.high / field.scale
    return low, high
