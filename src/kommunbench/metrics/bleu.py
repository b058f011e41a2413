"""Corpus BLEU, as translation is commonly scored."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS

ORDERS = (1, 2, 3, 4)


class Bleu(Metric):
    """Corpus BLEU as sacrebleu 2.6 computes it (`case:mixed|eff:no|tok:13a|smooth:exp`), stored 0..1.

    Ten counts: tokens of the answer and of the nearest reference, then n-grams found and n-grams written for orders 1
    to 4. They come from sacrebleu's own statistics (a private method: the version is pinned, a test holds it to the
    public score). Texts are NFC first.
    """

    name = "bleu"
    source = "Papineni 2002, BLEU; Post 2018, sacrebleu 2.6"
    fields = tuple(
        Field(kind, high=MOST_WORDS)
        for kind in (
            "answer_tokens",
            "reference_tokens",
            *(f"found{order}" for order in ORDERS),
            *(f"written{order}" for order in ORDERS),
        )
    )
    measures = (Measure("bleu"),)

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
        if total[0] <= 0:
            return None
        score: float = _sacrebleu()._compute_score_from_stats([max(count, 0) for count in total[2:]]).score
        return score / 100


METRIC = Bleu()


@cache
def _sacrebleu() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU()
