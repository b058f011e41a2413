"""Share of answers that are right: a proportion."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric


class ToyShare(Metric):
    """Share of answers that are right: a proportion."""

    name = "toy_share"
    fields = (Field("right", 1),)
    measures = (Measure("toy_share", ("right",), proportion=True),)
    source = "tests"

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Numbers in the prediction."""
        return [int(prediction)] if prediction else None


METRIC = ToyShare()
