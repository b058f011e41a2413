"""chrF++: overlap of character and word n-grams, over the whole corpus."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_CHARACTERS

ORDERS = (*(f"char{order}" for order in range(1, 7)), "word1", "word2")


class Chrf(Metric):
    """Corpus chrF++ as sacrebleu 2.6 computes it (`nrefs|case:mixed|eff:yes|nc:6|nw:2|space:no`), stored 0..1.

    24 counts: n-grams of the answer, of the reference and of both, for characters 1 to 6 and words 1 to 2. They come
    from sacrebleu's own statistics (a private method: the version is pinned, a test holds it to the public score).
    Texts are NFC first. Of several references the one with the best chrF for the example counts.
    """

    name = "chrf"
    source = "Popović 2017, chrF++: words helping character n-grams; sacrebleu 2.6, CHRF(word_order=2)"
    fields = tuple(
        Field(f"{order}_{kind}", high=MOST_CHARACTERS) for order in ORDERS for kind in ("answer", "reference", "both")
    )
    measures = (Measure("chrf"),)

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Counts of one answer; None without a reference."""
        if not example.references:
            return None
        references = [[unicodedata.normalize("NFC", reference)] for reference in example.references]
        answer = unicodedata.normalize("NFC", prediction)
        counts: list[int] = _sacrebleu()._extract_corpus_statistics([answer], references)[0]
        return counts

    @override
    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """The score of the summed counts, 0..1."""
        if not total[0]:
            return None
        score: float = _sacrebleu()._compute_score_from_stats(list(total[2:])).score
        return score / 100


METRIC = Chrf()


@cache
def _sacrebleu() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=2)
