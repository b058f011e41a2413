"""How many words the answer shares with a reference, after Swedish normalisation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric
from kommunbench.metrics.texts import fixed


class TokenF1(Metric):
    """Mean F1 of shared words with the best reference (SQuAD's F1), words as `core.swedish.normalise` leaves them.

    Two texts with no words left count as equal. Each example adds its F1 in units of 1e-12, rounded half to even.
    """

    name = "token_f1"
    source = "Rajpurkar 2016, SQuAD, with the normaliser in core/swedish.py"
    fields = (Field("f1", high=FIXED, scale=FIXED),)
    measures = (Measure("token_f1", ("f1",)),)

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """F1 against the best reference; None without a reference."""
        if not example.references:
            return None
        answer = swedish.normalise(prediction).split()
        return (max(_f1(answer, swedish.normalise(reference).split()) for reference in example.references),)


METRIC = TokenF1()


def _f1(answer: list[str], reference: list[str]) -> int:
    if not answer and not reference:
        return FIXED
    return fixed(2 * (Counter(answer) & Counter(reference)).total(), len(answer) + len(reference))
