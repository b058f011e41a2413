"""Whether the answer keeps silent where, and only where, the guideline does."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric


class Abstention(Metric):
    """Precision, recall and F1 of 'Står inte i riktlinjen.' against the first reference.

    Better no answer than a wrong one: recall is the share of unanswerable questions left unanswered, precision the
    share of abstentions that were right. An empty answer is no abstention. Undefined where the share has no cases.
    """

    name = "abstention"
    source = "unanswerable questions as in SQuAD 2.0 (Rajpurkar 2018), precision and recall of the abstention"
    fields = (
        Field("unanswerable", high=1, support=True),
        Field("answerable", high=1, support=True),
        Field("abstained_rightly", high=1),
        Field("abstained_wrongly", high=1),
    )
    measures = (
        Measure(
            "abstention_precision",
            ("abstained_rightly",),
            ("abstained_rightly", "abstained_wrongly"),
            proportion=True,
        ),
        Measure("abstention_recall", ("abstained_rightly",), ("unanswerable",), proportion=True),
        # F1 = 2 TP / (2 TP + FP + FN), and 2 TP + FP + FN = (TP + FP) + unanswerable: a name given twice counts twice.
        Measure(
            "abstention_f1",
            ("abstained_rightly", "abstained_rightly"),
            ("abstained_rightly", "abstained_wrongly", "unanswerable"),
        ),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """The example's place in the table of two by two; None without a reference."""
        if not example.references:
            return None
        silent = swedish.is_abstention(example.references[0])
        abstained = swedish.is_abstention(prediction)
        return (int(silent), int(not silent), int(abstained and silent), int(abstained and not silent))


METRIC = Abstention()
