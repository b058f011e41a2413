"""Intervals and tests from sums alone: no score of an example is ever here.

Two questions, two intervals, both at 95 %:

- *These sites*: how far may the pooled value be from what more examples of the same sites would give? Wilson's interval
  for proportions (Wilson 1927); for everything else the delta method, stratified by site, from closing sums
  (`site/close.py`): `var = sum_s n_s S_s^2 / N^2`, a t quantile with Welch and Satterthwaite's degrees of freedom.
- *A new municipality*: where does the mean over all sites like these lie? Random effects over the sites' values with
  Paule and Mandel's between-site variance and a t quantile (Hartung, Knapp, Sidik, Jonkman; IntHout et al. 2014). And
  what would a single new site measure? The normal prediction interval over k sites' values, `mean +- t s sqrt(1 + 1/k)`
  (Hahn and Meeker 1991). A new site's true value it covers at least as often; the interval that puts tau2 in as if it
  were known (Higgins et al. 2009) covered it 84 to 94 times in a hundred in our simulation, and so is not used.

Numbers are in the measure's own unit; variances in its square. Quantiles are those of `scipy.special`, which
`scipy.stats` calls too: without its hundred distributions they are imported in a third of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

LEVEL = 0.95
POWER = 0.8
MIN_SITES = 3
"""Fewest sites from which to say anything of a new one."""
MOST_NEEDED = 10**9


@dataclass(frozen=True, slots=True)
class Moments:
    """n examples of one site with the sample variance of their linearised scores, and the mean score."""

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, sums: Sequence[int], scale: int) -> Moments:
        """From (n, sum z, sum z^2) on the wire, `scale` units per 1 (`Measure.closing_scale`).

        The variance is exact before its one division; nan where n < 2.
        """
        n, total, squares = sums
        mean = total / n / scale if n else math.nan
        if n < 2:
            return cls(n, mean, math.nan)
        spread = max(n * squares - total * total, 0)
        return cls(n, mean, spread / (n * (n - 1)) / scale**2)


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard error of a pooled value, with its degrees of freedom."""

    error: float
    freedom: float

    def interval(self, value: float) -> tuple[float, float]:
        """The 95 % interval around `value`."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, (1 + LEVEL) / 2)) * self.error if self.error else 0.0
        return value - half, value + half

    def p(self, value: float) -> float:
        """Two-sided p of `value` against zero."""
        from scipy.special import stdtr

        if not self.error:
            return 1.0 if value == 0 else 0.0
        return float(2 * stdtr(self.freedom, -abs(value) / self.error))

    @property
    def detectable(self) -> float:
        """The smallest true difference that a test with this standard error would show with 80 % power at 5 %."""
        return _quantiles() * self.error

    def needed(self, value: float, n: int) -> int | None:
        """Examples, of the same spread, for a difference of `value` to show with 80 % power at 5 %, two-sided.

        `n` is how many gave this standard error. `((z.975 + z.80) / d)^2 + z.975^2 / 2` with d the difference in
        standard deviations (Guenther 1981), within one of the exact sample size of a t test. None without a difference
        or a spread, or above 10^9.
        """
        if not value or not self.error:
            return None
        from scipy.special import ndtri

        found = n * (self.detectable / value) ** 2 + float(ndtri((1 + LEVEL) / 2)) ** 2 / 2
        return math.ceil(found) if found <= MOST_NEEDED else None


@cache
def _quantiles() -> float:
    """z.975 + z.80."""
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2) + ndtri(POWER))


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """How sites differ: I2 (share of the spread that is not chance), tau2, and two intervals.

    `low` to `high` is for the mean of sites like these, `one_low` to `one_high` for a single new one.
    """

    low: float
    high: float
    one_low: float
    one_high: float
    i2: float
    tau2: float

    def clipped(self) -> Heterogeneity:
        """The same with both intervals kept within 0..1."""
        ends = {name: min(max(getattr(self, name), 0.0), 1.0) for name in ("low", "high", "one_low", "one_high")}
        return replace(self, **ends)


def wilson(count: float, n: float) -> tuple[float, float]:
    """Wilson's interval of a proportion, `count` of `n`."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(count, n, alpha=1 - LEVEL, method="wilson")
    return float(low) if count else 0.0, float(high) if count < n else 1.0


def stratified(sites: Sequence[Sequence[Moments]], scale: float = 1.0) -> Spread | None:
    """Standard error of a pooled value: `scale * sqrt(sum_s n_s S_s^2) / N`.

    Args:
        sites: moments by site; several within a site (adapters of several origins on the same examples) may be
            correlated in any way, so their standard deviations are added, the largest that the sum can have.
        scale: for a part of the sites, how much steeper the measure is there than at the total it was linearised at.

    Returns:
        None where a site has fewer than two examples, or there is none.
    """
    total = sum(moments.n for site in sites for moments in site)
    if not total or any(moments.n < 2 for site in sites for moments in site):
        return None
    terms = [
        (sum(math.sqrt(moments.n * moments.variance) for moments in site) ** 2, max(moments.n for moments in site) - 1)
        for site in sites
        if site
    ]
    variance = sum(term for term, _ in terms)
    below = sum(term**2 / freedom for term, freedom in terms)
    freedom = variance**2 / below if below else float(sum(freedom for _, freedom in terms))
    return Spread(scale * math.sqrt(variance) / total, freedom)


def independent(left: Spread, right: Spread) -> Spread:
    """Standard error of a difference of two unpaired values (Welch)."""
    a, b = left.error**2, right.error**2
    below = a**2 / left.freedom + b**2 / right.freedom
    return Spread(math.sqrt(a + b), (a + b) ** 2 / below if below else left.freedom + right.freedom)


def across_sites(values: Sequence[float], variances: Sequence[float]) -> Heterogeneity | None:
    """Random effects with t over sites' values; None below three sites.

    A site whose scores are all alike has variance 0, and a weight without bound: it gets the mean variance of the
    others, or next to nothing where all are so (then the interval is the plain t interval over sites).
    """
    if len(values) < MIN_SITES:
        return None
    import numpy as np
    from statsmodels.stats.meta_analysis import combine_effects

    positive = [variance for variance in variances if variance > 0]
    floor = sum(positive) / len(positive) if positive else 1e-12
    filled = np.array([variance if variance > 0 else floor for variance in variances])
    if max(values) - min(values) < 1e-12 and not positive:
        return Heterogeneity(values[0], values[0], values[0], values[0], 0.0, 0.0)
    with np.errstate(divide="ignore"):  # I2 of sites that agree to the last digit is 1 - 1 / 0
        result = combine_effects(np.array(values), filled, method_re="pm", use_t=True)
    low, high = result.conf_int(alpha=1 - LEVEL, use_t=True)[3]  # the wls row with the random weights: HKSJ
    one = _one_more(values)
    return Heterogeneity(float(low), float(high), *one, max(float(result.i2), 0.0), max(float(result.tau2), 0.0))


def _one_more(values: Sequence[float]) -> tuple[float, float]:
    """95 % prediction interval for one more value like these."""
    from statistics import fmean, stdev

    from scipy.special import stdtrit

    middle, k = fmean(values), len(values)
    half = float(stdtrit(k - 1, (1 + LEVEL) / 2)) * stdev(values) * math.sqrt(1 + 1 / k)
    return middle - half, middle + half


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p over one family, in the order given (Holm 1979).

    The k-th smallest of m is multiplied by m - k + 1, and none falls below one before it. (statsmodels has it too, but
    collects garbage at every call, which takes minutes in a report on hundreds of sites.)
    """
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        worst = max(worst, min((len(p_values) - rank) * p_values[index], 1.0))
        adjusted[index] = worst
    return adjusted
