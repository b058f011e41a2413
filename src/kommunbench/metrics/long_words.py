"""Length of the answers' words."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.lix import LONG_WORD
from kommunbench.metrics.texts import MOST_CHARACTERS, MOST_WORDS


class LongWords(Metric):
    """Share of words with more than 6 letters, and mean letters a word, over all answers. Numbers have no letters."""

    name = "long_words"
    source = "the word part of LIX (Björnsson 1968)"
    fields = (
        Field("words", high=MOST_WORDS),
        Field("long", high=MOST_WORDS),
        Field("letters", high=MOST_CHARACTERS),
    )
    measures = (
        Measure("long_words", ("long",), ("words",), direction="none"),
        Measure("word_length", ("letters",), ("words",), unit="letters", direction="none"),
    )

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Words, long words and letters of the answer."""
        letters = [sum(map(str.isalpha, word)) for word in swedish.words(prediction)]
        return len(letters), sum(length >= LONG_WORD for length in letters), sum(letters)


METRIC = LongWords()
