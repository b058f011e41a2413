"""Does the automatic measure see what people see? Pearson's r between the primary measure and the mean rating.

Both are put on 0..1, so that sums of them, of their squares and of their products are bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric
from kommunbench.core.spec import CRITERIA
from kommunbench.metrics.ratings import BEST, GOOD_BY_CRITERION, WORST, every_criterion, good_by_criterion, spread

_PARTS = ("rating", "square", "product")
_NO_SPREAD = 1e-9


class RatedByMetric(Metric):
    """Only answers that somebody rated by every criterion, and that the primary measure scored, are scored."""

    name = "rated_by_metric"
    source = (
        "Pearson's correlation over answers, of the raters' mean and the task's primary measure of the same answer."
    )
    fields = (
        Field("automatic", high=FIXED, scale=FIXED),
        Field("automatic_square", high=FIXED, scale=FIXED),
        *(Field(f"{criterion}_{part}", high=FIXED, scale=FIXED) for criterion in CRITERIA for part in _PARTS),
        *GOOD_BY_CRITERION,
    )
    measures = tuple(Measure(f"metric_follows_{criterion}", unit="r") for criterion in CRITERIA)

    @override
    def tally(self, prediction: str, example: Example) -> tuple[int, ...] | None:
        """Sums for the correlation, in fixed point; then good or not by criterion."""
        automatic, found = example.facts.get("automatic"), every_criterion(example)
        if found is None or not isinstance(automatic, float) or not 0 <= automatic <= 1:
            return None
        entries = [automatic, automatic**2]
        for values in found:
            rating = (sum(values) / len(values) - WORST) / (BEST - WORST)
            entries += [rating, rating**2, rating * automatic]
        return (*(round(FIXED * entry) for entry in entries), *good_by_criterion(found))

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """r of the measure's criterion; None where either side does not vary."""
        criterion, n = measure.name.removeprefix("metric_follows_"), total[0]
        automatic, automatic_square = self.part(total, ["automatic"]), self.part(total, ["automatic_square"])
        rating, square, product = (self.part(total, [f"{criterion}_{part}"]) for part in _PARTS)
        spreads = spread(n, automatic, automatic_square), spread(n, rating, square)
        if not n or min(spreads) <= _NO_SPREAD * n * n:
            return None
        return (n * product - rating * automatic) / sqrt(spreads[0] * spreads[1])


METRIC = RatedByMetric()
