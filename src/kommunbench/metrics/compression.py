"""How much shorter the answer is than its source."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS, source


class Compression(Metric):
    """Words of all answers over words of all sources: 0.1 is a tenth. A copy gives 1, an empty answer 0."""

    name = "compression"
    source = "the inverse of Grusky 2018's compression ratio, over the whole corpus"
    fields = (Field("answer_words", high=MOST_WORDS), Field("source_words", high=MOST_WORDS))
    measures = (Measure("compression", ("answer_words",), ("source_words",), direction="none"),)

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Both counts; None where the source has no words."""
        words = len(swedish.words(source(example)))
        return (len(swedish.words(prediction)), words) if words else None


METRIC = Compression()
