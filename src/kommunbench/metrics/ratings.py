"""What staff at a site said of an answer, as sums: the mean rating, agreement between people, agreement with a metric.

The site puts two facts on an example that somebody rated: `ratings`, {criterion: one whole number from 1 to 5 a rater},
and `automatic`, what the task's primary measure gave the same answer, 0..1. Nobody's name is in them, nor a comment.
"""

from __future__ import annotations

from typing import Any, ClassVar

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric
from kommunbench.core.spec import CRITERIA

WORST, BEST, GOOD = 1, 5, 4
MOST_RATERS = 20
"""Further ratings of one answer are not counted; it bounds what one example can add."""


def ratings_of(example: Example, criterion: str) -> list[int] | None:
    """Every rater's number for an answer; None where there is none, or where the fact is not such numbers."""
    stated: Any = example.facts.get("ratings")
    values = stated.get(criterion) if isinstance(stated, dict) else None
    if not isinstance(values, list) or not values:
        return None
    whole = all(type(value) is int and WORST <= value <= BEST for value in values)
    return values[:MOST_RATERS] if whole else None


class Rated(Metric):
    """One criterion: the mean of the raters' means, and the share of answers whose mean is at least 4."""

    criterion: ClassVar[str]
    source = "Ratings from 1 to 5; raters of one answer are averaged, so that every answer counts once."
    fields = (
        Field("rating", high=BEST * FIXED, low=WORST * FIXED, scale=FIXED),
        Field("good", high=1, support=True),
    )

    @override
    def tally(self, prediction: str, example: Example) -> tuple[int, int] | None:
        """The mean rating in fixed point, and whether it is at least 4."""
        values = ratings_of(example, self.criterion)
        if values is None:
            return None
        return round(FIXED * sum(values) / len(values)), int(is_good(values))


def measures_of(criterion: str) -> tuple[Measure, ...]:
    """What a criterion reports."""
    return (
        Measure(f"rated_{criterion}", ("rating",), unit="1–5"),
        Measure(f"rated_{criterion}_good", ("good",), proportion=True),
    )


def every_criterion(example: Example) -> list[list[int]] | None:
    """The ratings by criterion, where the answer has them for all."""
    found = [ratings_of(example, criterion) for criterion in CRITERIA]
    return [values for values in found if values] if all(found) else None


GOOD_BY_CRITERION = tuple(Field(f"{criterion}_good", high=1, support=True) for criterion in CRITERIA)
"""Fields of a metric over all criteria, so that the door holds it back where it holds back one criterion's own."""


def good_by_criterion(found: list[list[int]]) -> list[int]:
    """Whether the mean is at least 4, by criterion."""
    return [int(is_good(values)) for values in found]


def is_good(values: list[int]) -> bool:
    """The mean of the ratings is at least 4."""
    return sum(values) >= GOOD * len(values)


def spread(n: float, total: float, squares: float) -> float:
    """n times the sum of squared deviations from the mean."""
    return n * squares - total * total
