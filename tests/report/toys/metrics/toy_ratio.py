"""Errors by words: a ratio of two sums, lower is better."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric


class ToyRatio(Metric):
    """Errors by words: a ratio of two sums, lower is better."""

    name = "toy_ratio"
    fields = (Field("errors", 1000), Field("words", 1000))
    measures = (Measure("toy_ratio", ("errors",), ("words",), unit="errors", direction="lower"),)
    source = "tests"

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Numbers in the prediction."""
        return [int(part) for part in prediction.split()] if prediction else None


METRIC = ToyRatio()
