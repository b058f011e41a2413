"""Mean length of the answers' sentences."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS


class SentenceLength(Metric):
    """Words over sentences, over all answers. Short is easy, but short sentences only make a text jerky."""

    name = "sentence_length"
    source = "words per sentence as in LIX (Björnsson 1968)"
    fields = tuple(Field(kind, high=MOST_WORDS) for kind in ("words", "sentences"))
    measures = (Measure("sentence_length", ("words",), ("sentences",), unit="words", direction="none"),)

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Words and sentences of the answer."""
        return len(swedish.words(prediction)), len(swedish.sentences(prediction))


METRIC = SentenceLength()
