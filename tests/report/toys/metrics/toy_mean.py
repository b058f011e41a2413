"""Mean of a score in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric


class ToyMean(Metric):
    """Mean of a score in 0..1."""

    name = "toy_mean"
    fields = (Field("total", FIXED, scale=FIXED),)
    measures = (Measure("toy_mean", ("total",)),)
    source = "tests"

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Numbers in the prediction."""
        return [round(float(prediction) * FIXED)] if prediction else None


METRIC = ToyMean()
