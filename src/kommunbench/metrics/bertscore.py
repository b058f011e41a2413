"""BERTScore: how like the references the answer is, in another model's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric


class BertScore(Metric):
    """Means of precision, recall and F1 over answers, and how much F1 spreads (a standard deviation).

    The site's own encoder gives the three as the fact `similarity`; without one the metric is not available. Numbers
    are raw cosines: unrelated Swedish texts can have .6 and more, so read differences between systems, with the
    same encoder and layer alone, never the level. It sees paraphrase that ROUGE does not, and is nearly blind to a
    changed number, name or negation: `kept_numbers` and `negation_agrees` stand beside it.
    """

    name = "bertscore"
    needs = "similarity"
    source = "Zhang et al. 2020, BERTScore: greedy cosine matching, no idf, no rescaling; best of the references"
    fields = (
        *(Field(part, low=-FIXED, high=FIXED, scale=FIXED) for part in ("precision", "recall", "f1")),
        Field("f1_square", high=FIXED, scale=FIXED),
    )
    measures = (
        Measure("bertscore_f1", ("f1",), unit="cosine"),
        Measure("bertscore_precision", ("precision",), unit="cosine"),
        Measure("bertscore_recall", ("recall",), unit="cosine"),
        Measure("bertscore_spread", unit="cosine", direction="none"),
    )

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """The three and F1 squared, in fixed point; None without them."""
        found = example.facts.get("similarity")
        if not isinstance(found, tuple) or len(found) != 3 or not all(-1 <= value <= 1 for value in found):
            return None
        return tuple(round(FIXED * value) for value in (*found, found[2] ** 2))

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """A mean, or the standard deviation of F1 over the answers that were scored."""
        if measure.name != "bertscore_spread":
            return super().value(total, measure)
        f1, square = self.part(total, ["f1"]), self.part(total, ["f1_square"])
        return sqrt(max(0.0, square / total[0] - (f1 / total[0]) ** 2)) if total[0] > 0 else None


METRIC = BertScore()
