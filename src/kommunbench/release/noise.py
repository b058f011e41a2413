"""Noise on tallies: differential privacy for the examples that models are tested on. Both sides are in this file.

    site:         exact row --noised--> row         (after every other rule has said yes to the exact one)
    coordinator:  --plausible-->, and `deviations` for the intervals of the report

A tally of one metric is split into parts: the counts `n` and `unscored` together, of which an example changes exactly
one, by 1; and each of the metric's fields, which an example changes by at most the larger of its stated bounds, in the
metric's own units. Each part gets integer noise from OpenDP, with OpenDP's own randomness (never a run's seed):

- `gaussian`: the discrete Gaussian (Canonne, Kamath and Steinke 2020). A part of sensitivity D with standard deviation
  s costs rho = D^2 / (2 s^2) of zero-concentrated privacy, which adds up over parts, metrics, models and rounds; in the
  end epsilon = rho + 2 sqrt(rho ln(1/delta)) (Bun and Steinke 2016, proposition 1.3).
- `laplace`: the discrete Laplace (Ghosh et al. 2009). Scale b costs epsilon = D / b, which adds up; delta is 0.

A run says what all its tallies on one task may cost together (`tally_epsilon`), and by how many that is divided
(`tally_shares`); so both sides know the noise's scale, and every row says it. An example is in one task's file, so
tasks do not add up. Closing sums have no bounds and are never released with noise.
"""

from __future__ import annotations

import math

from kommunbench.core.answer import Code
from kommunbench.core.dp import DpSettings
from kommunbench.core.metric import INT64_MAX, Metric
from kommunbench.core.spec import Slot

Row = tuple[int, ...]
FARTHEST = 45
"""Scales from zero beyond which no noise is ever seen: a Laplace draw is farther with a chance below 1e-19."""


def sensitivities(metric: Metric) -> tuple[int, ...]:
    """How much one example's being there can change each entry of a tally, from the bounds that the metric states."""
    return (1, 1, *(max(abs(field.low), abs(field.high)) for field in metric.fields))


def parts(metric: Metric) -> int:
    """How many parts share a tally's budget: the two counts are one, since an example is scored or it is not."""
    return 1 + len(metric.fields)


def cost(dp: DpSettings) -> float:
    """What one tally costs: rho for `gaussian`, epsilon for `laplace`."""
    total = rho_of(dp.tally_epsilon, dp.delta) if dp.tallies == "gaussian" else dp.tally_epsilon
    return total / dp.tally_shares


def spent(dp: DpSettings, tallies: int) -> tuple[float, float]:
    """Epsilon and delta of so many noised tallies of one task together."""
    if not tallies:
        return 0.0, 0.0
    total = cost(dp) * tallies
    return (epsilon_of(total, dp.delta), dp.delta) if dp.tallies == "gaussian" else (total, 0.0)


def rho_of(epsilon: float, delta: float) -> float:
    """The rho that costs `epsilon` at `delta`."""
    odds = math.log(1 / delta)
    return (math.sqrt(odds + epsilon) - math.sqrt(odds)) ** 2


def epsilon_of(rho: float, delta: float) -> float:
    """The epsilon at `delta` that follows from `rho`."""
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def scales(dp: DpSettings, metric: Metric) -> tuple[float, ...]:
    """The noise's scale for each entry of a tally: the Gaussian's standard deviation, or Laplace's b."""
    share = cost(dp) / parts(metric)
    factor = 1 / math.sqrt(2 * share) if dp.tallies == "gaussian" else 1 / share
    return tuple(sensitivity * factor for sensitivity in sensitivities(metric))


def deviations(dp: DpSettings, metric: Metric) -> tuple[float, ...]:
    """The standard deviation of the noise on each entry of one site's tally."""
    factor = 1.0 if dp.tallies == "gaussian" else math.sqrt(2)  # of Laplace; the discrete one has a hair less
    return tuple(scale * factor for scale in scales(dp, metric))


def noise_code(dp: DpSettings, slot: Slot) -> Code:
    """OK where the slot can be noised as the run asks: it is a tally, and the noise fits in 64 bits with room."""
    if slot.metric is None:
        return Code.NO_BOUNDS
    return Code.OK if max(scales(dp, slot.metric)) * 2 * FARTHEST < INT64_MAX else Code.NO_BOUNDS


def noised(dp: DpSettings, metric: Metric, row: Row) -> Row:
    """`row` with noise on every entry."""
    import opendp.prelude as opendp

    opendp.enable_features("contrib")
    make = opendp.m.make_gaussian if dp.tallies == "gaussian" else opendp.m.make_laplace
    space = opendp.atom_domain(T="i64"), opendp.absolute_distance(T="i64")
    return tuple(int(make(*space, scale=scale)(entry)) for entry, scale in zip(row, scales(dp, metric), strict=True))


def plausible(dp: DpSettings, metric: Metric, row: Row) -> bool:
    """Whether a row could be a noised sum: no entry is below what noise takes it to."""
    low = (0, 0, *(min(field.low, 0) * INT64_MAX for field in metric.fields))
    return all(
        bound - FARTHEST * scale <= entry <= INT64_MAX
        for entry, bound, scale in zip(row, low, scales(dp, metric), strict=True)
    )
