"""Whether a model that answers from a guideline, or says that it cannot, is as sure of that as it should be."""

from __future__ import annotations

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.metrics.calibration import Calibration, Choice, measures_of

SILENCE = "Står inte i riktlinjen."
"""What the task asks for where the guideline is silent."""


class AbstentionCalibration(Calibration):
    """ECE and Brier score of the choice to answer or to abstain, over the same rows as the metric `abstention`.

    Confidence in an abstention is the probability of its very words; in an answer, all that an answer beginning with
    'Står inte i riktlinjen.' leaves over. Right is what `abstention` counts as right: it says nothing of the answer's
    contents. Missed: the probability of an abstention in other words than the task's own counts as an answer's.
    """

    name = "abstention_calibration"
    measures = measures_of("abstention")

    def choice(self, prediction: str, example: Example) -> Choice | None:
        """The abstention that was made, or that was not; None without a reference."""
        if not example.references:
            return None
        return Choice((prediction,)) if swedish.is_abstention(prediction) else Choice((SILENCE,), None)

    def is_right(self, prediction: str, example: Example) -> bool:
        """It abstains where, and only where, the first reference does."""
        return swedish.is_abstention(prediction) == swedish.is_abstention(example.references[0])


METRIC = AbstentionCalibration()
