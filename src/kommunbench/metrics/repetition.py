"""How much the answer repeats itself."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.rouge import ngrams
from kommunbench.metrics.texts import MOST_WORDS


class Repetition(Metric):
    """Share of runs of three tokens that the same answer had before, over all answers: high where a model loops."""

    name = "repetition"
    source = "seq-rep-n (Welleck 2020, Neural text generation with unlikelihood training), n = 3, over the corpus"
    fields = (Field("trigrams", high=MOST_WORDS), Field("repeated", high=MOST_WORDS))
    measures = (Measure("repeated_3grams", ("repeated",), ("trigrams",), direction="lower"),)

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Trigrams of the answer, and those seen before in it."""
        found = ngrams(swedish.tokens(prediction), 3)
        return found.total(), found.total() - len(found)


METRIC = Repetition()
