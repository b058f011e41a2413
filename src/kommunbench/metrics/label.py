"""Accuracy and macro-F1 of answers that name one label out of a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric

MOST_LABELS = 32


class Label(Metric):
    """Share of right labels, and the mean over labels of their F1.

    The task file states `labels` (32 at most), which every example has as `facts["labels"]`; a row states the right one
    as `facts["label"]`. Without them it is unscored. The answer's label is the one it equals after
    `core.swedish.normalise`, else the only one that it mentions; anything else is invalid and counts against the right
    label's recall. Macro-F1 is over the labels that occur, as scikit-learn's `f1_score(average="macro")`.

    Counts are by the label's place in the list. The task's digest covers the list, so different lists are never summed.
    """

    name = "label"
    source = "macro-averaged F1 (Sokolova 2009), over pooled counts"
    fields = (
        Field("correct", high=1),
        Field("invalid", high=1),
        *(Field(f"right{place}", high=1) for place in range(MOST_LABELS)),
        *(Field(f"said{place}", high=1) for place in range(MOST_LABELS)),
        *(Field(f"true{place}", high=1, support=True) for place in range(MOST_LABELS)),
    )
    measures = (
        Measure("accuracy", ("correct",), proportion=True),
        Measure("macro_f1"),
        Measure("invalid_labels", ("invalid",), direction="lower", proportion=True),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Counts by the label's place in the list; None where the row has no label or its list lacks it."""
        labels, right = labels_of(example)
        if not right:
            return None
        said = named(swedish.normalise(prediction), labels)
        return (
            int(said == right),
            int(not said),
            *_one_of(labels, right if said == right else ""),
            *_one_of(labels, said),
            *_one_of(labels, right),
        )

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """Accuracy, macro-F1 or the share of invalid answers."""
        if measure.name != "macro_f1":
            return super().value(total, measure)
        right, said, true = (total[first : first + MOST_LABELS] for first in range(4, len(total), MOST_LABELS))
        scores = [2 * r / (s + t) for r, s, t in zip(right, said, true, strict=True) if s + t > 0.5]
        return sum(scores) / len(scores) if scores else None


METRIC = Label()


def labels_of(example: Example) -> tuple[list[str], str]:
    """The task's labels in their order and the right one, normalised; no right one where the row has none of them."""
    labels = [swedish.normalise(str(label)) for label in example.facts.get("labels", ())]
    right = swedish.normalise(str(example.facts.get("label", "")))
    return labels, right if right in labels and len(labels) <= MOST_LABELS else ""


def named(answer: str, labels: Sequence[str]) -> str:
    """The label that a normalised answer names; empty where it names none, or several."""
    if answer in labels:
        return answer
    found = {label for label in labels if re.search(rf"(?<![\w-]){re.escape(label)}(?![\w-])", answer)}
    # A label inside a longer one that was found too ('vård' in 'vård och omsorg') is not a mention of its own.
    alone = [label for label in found if not any(label != other and label in other for other in found)]
    return alone[0] if len(alone) == 1 else ""


def _one_of(labels: Sequence[str], label: str) -> list[int]:
    return [int(place < len(labels) and labels[place] == label) for place in range(MOST_LABELS)]
