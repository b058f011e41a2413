"""SARI: what a rewriting added, kept and deleted, against what the references did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.rouge import ngrams
from kommunbench.metrics.texts import MOST_WORDS, source

OPERATIONS = ("add", "keep", "delete")
ORDERS = (1, 2, 3, 4)


class Sari(Metric):
    """Corpus SARI (Xu 2016), F1 for all three operations, stored 0..1.

    The variant: for each operation and n-gram order 1 to 4, counts `right`, `done` (by the answer) and `wanted` (by the
    references) are summed over the corpus; F1 = 2 right / (done + wanted); SARI is the mean over operations of the mean
    over orders. Additions count different n-grams; keeping and deleting count occurrences, those of source and answer
    times the number of references (the paper's #g(R)/r with r multiplied out). Deletion by F1 and counts over the
    corpus differ from the original script (precision for deletion, mean over sentences). Where there was nothing to
    do and nothing was done, the order (operation) is left out of the mean; so an empty answer earns a third at most.
    Tokens are those of ROUGE: lower case, no punctuation.
    """

    name = "sari"
    source = "Xu 2016, Optimizing statistical machine translation for text simplification, section 4; corpus F1"
    fields = tuple(
        Field(f"{operation}{order}_{kind}", high=100 * MOST_WORDS)
        for operation in OPERATIONS
        for order in ORDERS
        for kind in ("right", "done", "wanted")
    )
    measures = (Measure("sari"),)

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """36 counts, by operation, order, kind; None without a reference."""
        if not example.references:
            return None
        original, answer = swedish.tokens(source(example)), swedish.tokens(prediction)
        references = [swedish.tokens(reference) for reference in example.references]
        by_order = []
        for order in ORDERS:
            wanted = Counter[tuple[str, ...]]()
            for reference in references:
                wanted.update(ngrams(reference, order))
            by_order.append(_counts(ngrams(original, order), ngrams(answer, order), wanted, len(references)))
        return [count for operation in zip(*by_order, strict=True) for counts in operation for count in counts]

    @override
    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """SARI of summed counts, 0..1."""
        if not total[0]:
            return None
        means = []
        for first in range(2, len(total), 3 * len(ORDERS)):
            scores = []
            for place in range(first, first + 3 * len(ORDERS), 3):
                right, done, wanted = total[place : place + 3]
                if done + wanted > 0:
                    scores.append(2 * right / (done + wanted))
            if scores:
                means.append(sum(scores) / len(scores))
        return sum(means) / len(means) if means else None


METRIC = Sari()

Grams = Counter[tuple[str, ...]]
Counts = tuple[int, int, int]


def _counts(original: Grams, answer: Grams, wanted: Grams, references: int) -> tuple[Counts, Counts, Counts]:
    added, addable = answer.keys() - original.keys(), wanted.keys() - original.keys()
    before = Counter({gram: count * references for gram, count in original.items()})
    after = Counter({gram: count * references for gram, count in answer.items()})
    kept, keepable = before & after, before & wanted
    deleted, deletable = before - after, before - wanted
    return (
        (len(added & addable), len(added), len(addable)),
        ((kept & keepable).total(), kept.total(), keepable.total()),
        ((deleted & deletable).total(), deleted.total(), deletable.total()),
    )
