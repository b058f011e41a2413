"""Whether the answer is a reference, after Swedish normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric


class ExactMatch(Metric):
    """Share of answers that equal one of their references as `core.swedish.normalise` leaves them."""

    name = "exact_match"
    source = "Rajpurkar 2016, SQuAD, with the normaliser in core/swedish.py"
    fields = (Field("exact", high=1),)
    measures = (Measure("exact_match", ("exact",), proportion=True),)

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """1 or 0; None without a reference."""
        if not example.references:
            return None
        answer = swedish.normalise(prediction)
        return (int(any(answer == swedish.normalise(reference) for reference in example.references)),)


METRIC = ExactMatch()
