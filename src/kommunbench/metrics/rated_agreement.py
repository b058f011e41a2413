"""Do people agree on the same answers? Krippendorff's alpha for interval data, from sums.

Of an answer with m ratings v, sum v and sum v² say how all ratings spread, and 2 (m sum v² - (sum v)²) / (m - 1) how
those of one answer do. With N ratings in all: alpha = 1 - observed / expected, where observed is the latter's sum / N
and expected is 2 (N sum v² - (sum v)²) / (N (N - 1)). 1 is full agreement, 0 what chance would give.
"""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.core.spec import CRITERIA
from kommunbench.metrics.ratings import (
    BEST,
    GOOD_BY_CRITERION,
    MOST_RATERS,
    WORST,
    every_criterion,
    good_by_criterion,
    spread,
)

SCALE = 10**6
_PARTS = ("n", "sum", "square", "within")
_HIGH = (MOST_RATERS, BEST * MOST_RATERS, BEST**2 * MOST_RATERS, 200 * SCALE)
_LOW = (2 * WORST, 2 * WORST, 2 * WORST, 0)


class RatedAgreement(Metric):
    """Only answers that at least two people rated, by every criterion, are scored."""

    name = "rated_agreement"
    source = "Krippendorff (2011), Computing Krippendorff's Alpha-Reliability: interval data, any number of raters."
    fields = tuple(
        Field(f"{criterion}_{part}", high=high, low=low, scale=SCALE if part == "within" else 1)
        for criterion in CRITERIA
        for part, high, low in zip(_PARTS, _HIGH, _LOW, strict=True)
    ) + GOOD_BY_CRITERION  # fmt: skip
    measures = tuple(Measure(f"agreement_{criterion}", unit="alpha") for criterion in CRITERIA)

    @override
    def tally(self, prediction: str, example: Example) -> tuple[int, ...] | None:
        """By criterion: ratings, their sum, that of their squares, how they differ in the answer; then good or not."""
        found = every_criterion(example)
        if found is None or any(len(values) < 2 for values in found):
            return None
        entries: list[int] = []
        for values in found:
            n, total, squares = len(values), sum(values), sum(value * value for value in values)
            entries += [n, total, squares, round(SCALE * 2 * spread(n, total, squares) / (n - 1))]
        return (*entries, *good_by_criterion(found))

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """Alpha of the measure's criterion; None where nothing was rated, or everything was rated alike."""
        criterion = measure.name.removeprefix("agreement_")
        n, ratings, squares, within = (self.part(total, [f"{criterion}_{part}"]) for part in _PARTS)
        if n < 2 or spread(n, ratings, squares) <= 0:
            return None
        return 1 - (n - 1) * within / (2 * spread(n, ratings, squares))


METRIC = RatedAgreement()
