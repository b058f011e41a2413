"""Does a model know when it is right? Its confidence in what it chose, held against how often the choice was right.

What is calibrated is a *choice*, never a whole text: which label, whether to answer at all. A text of forty tokens can
be said in a thousand ways and has next to no probability of its own; a choice has few alternatives. So a calibration
says what was chosen and which beginnings of an answer stand for the alternatives, and the model says how likely it
finds each of them, in a pass of its own after it has answered.

The site puts the confidence on the example as the fact `confidence`, 0..1. Where the model gives no likelihoods (a
baseline, an endpoint), the metric is not available, which is not 0.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric

BINS = 10
"""Of equal width, closed to the right; the first holds 0, too. Fixed for ever: sums of other bins cannot be added."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What an answer chose, as beginnings that an answer could have had.

    Args:
        beginnings: one an alternative, or only one where its probability says it all.
        said: index of the chosen one; None: whatever does *not* begin with any of them was chosen.
    """

    beginnings: tuple[str, ...] = field(repr=False)
    said: int | None = 0

    def confidence(self, logs: Sequence[float]) -> float:
        """0..1, from log-probabilities in nats: the chosen one's share of all, or its own probability, or the rest."""
        if self.said is None:
            return max(0.0, 1 - sum(map(exp, logs)))
        if len(logs) == 1:
            return exp(min(0.0, logs[0]))
        highest = max(logs)
        return exp(logs[self.said] - highest) / sum(exp(log - highest) for log in logs)


class Calibration(Metric):
    """Expected calibration error and Brier score of one choice, from counts and sums by bin."""

    needs = "confidence"
    source = "ECE: Naeini 2015, Guo 2017, over ten fixed bins; Brier 1950, of the choice that was made being right"
    fields = (
        Field("squared", high=FIXED, scale=FIXED),
        *(Field(f"chosen{place}", high=1) for place in range(BINS)),
        *(Field(f"right{place}", high=1) for place in range(BINS)),
        *(Field(f"confidence{place}", high=FIXED, scale=FIXED) for place in range(BINS)),
    )

    @abstractmethod
    def choice(self, prediction: str, example: Example) -> Choice | None:
        """What the answer chose; None where the example says nothing of what is right, whatever the answer."""

    @abstractmethod
    def is_right(self, prediction: str, example: Example) -> bool:
        """Whether that was the right choice."""

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """(confidence - right)^2 in fixed point, then one bin's counts and sum; None without a confidence."""
        confidence = example.facts.get("confidence")
        if not isinstance(confidence, float) or not 0 <= confidence <= 1 or self.choice(prediction, example) is None:
            return None
        fixed, right = round(FIXED * confidence), int(self.is_right(prediction, example))
        place = max(0, -(-fixed * BINS // FIXED) - 1)
        return (
            round((fixed - right * FIXED) ** 2 / FIXED),
            *(int(place == one) for one in range(BINS)),
            *(right * int(place == one) for one in range(BINS)),
            *(fixed * int(place == one) for one in range(BINS)),
        )

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """The Brier score; or the mean distance over bins, weighed by their counts, of confidence and share right."""
        if not measure.name.endswith("_ece"):
            return super().value(total, measure)
        right, confidence = (total[first : first + BINS] for first in (3 + BINS, 3 + 2 * BINS))
        gaps = (abs(sure / FIXED - count) for sure, count in zip(confidence, right, strict=True))
        return sum(gaps) / total[0] if total[0] else None


def measures_of(choice: str) -> tuple[Measure, ...]:
    """What the calibration of a choice reports."""
    return (
        Measure(f"{choice}_ece", direction="lower"),
        Measure(f"{choice}_brier", ("squared",), direction="lower"),
    )
