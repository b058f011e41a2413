"""Whether a headline begins with a capital letter or a digit."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric


class Capital(Metric):
    """Share of answers whose first character is a capital letter or a digit; an empty answer does not begin so."""

    name = "capital"
    source = "house style of Swedish authorities"
    fields = (Field("capital", high=1),)
    measures = (Measure("capital", ("capital",), proportion=True),)

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """1 or 0."""
        return (int(prediction[:1].isupper() or prediction[:1].isdigit()),)


METRIC = Capital()
