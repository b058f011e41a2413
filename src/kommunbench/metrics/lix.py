"""LIX: how hard a text is to read, by the length of its sentences and words."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS

LONG_WORD = 7
"""Letters from which a word is long."""


class Lix(Metric):
    """LIX of all answers read as one text: words / sentences + 100 long words / words.

    Below 30 very easy, 40 to 50 ordinary, above 60 very hard. Long words have more than 6 letters. LIX rewards
    chopping: a low value alone does not make a text easy, so it stands beside SARI and what was kept. An empty answer
    adds nothing.
    """

    name = "lix"
    source = "Björnsson 1968, Läsbarhet"
    fields = tuple(Field(kind, high=MOST_WORDS) for kind in ("words", "sentences", "long_words"))
    measures = (Measure("lix", unit="lix", direction="lower"),)

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Words, sentences and long words of the answer."""
        words = swedish.words(prediction)
        long_words = sum(sum(map(str.isalpha, word)) >= LONG_WORD for word in words if len(word) >= LONG_WORD)
        return len(words), len(swedish.sentences(prediction)), long_words

    @override
    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """LIX of summed counts; None where there are no words."""
        _, _, words, sentences, long_words = total
        return words / sentences + 100 * long_words / words if words > 0 and sentences > 0 else None


METRIC = Lix()
