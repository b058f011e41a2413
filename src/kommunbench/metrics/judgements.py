"""What a model at the site, its judge, said of an answer, as sums. The same questions as staff are asked, 1 to 5.

The site puts the fact `judged` on an example that its judge was given: {criterion: one whole number from 1 to 5, or
None where the reply was no such number}. A judge is a measure like another: what it is worth shows in
`judge_agreement`, and no report shows one without the other.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.ratings import BEST, GOOD, WORST


def judged_of(example: Example, criterion: str) -> int | None:
    """The judge's number by one criterion; None where there is none."""
    stated = example.facts.get("judged")
    value = stated.get(criterion) if isinstance(stated, dict) else None
    return value if type(value) is int and WORST <= value <= BEST else None


class Judged(Metric):
    """One criterion: the mean of the judge's numbers, and the share of answers that it gave at least 4."""

    criterion: ClassVar[str]
    source = "a judge by a rubric (Zheng et al. 2023, Judging LLM-as-a-Judge), single answers, 1 to 5, greedy"
    fields = (Field("rating", high=BEST, low=WORST), Field("good", high=1, support=True))

    @override
    def tally(self, prediction: str, example: Example) -> tuple[int, int] | None:
        """The number, and whether it is at least 4; None where the judge's reply could not be read as one."""
        value = judged_of(example, self.criterion)
        return None if value is None else (value, int(value >= GOOD))


def measures_of(criterion: str) -> tuple[Measure, ...]:
    """What a criterion reports."""
    return (
        Measure(f"judged_{criterion}", ("rating",), unit="1–5"),
        Measure(f"judged_{criterion}_good", ("good",), proportion=True),
    )
