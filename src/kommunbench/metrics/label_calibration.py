"""Whether a model that names a label is as sure of it as it should be."""

from __future__ import annotations

import re

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.metrics.calibration import Calibration, Choice, measures_of
from kommunbench.metrics.label import labels_of, named


class LabelCalibration(Calibration):
    """ECE and Brier score of the label that was named, over the same rows as the metric `label`.

    The answer is taken up to the label and the punctuation after it; each of the task's labels in its place is an
    alternative ('Enhet: gata.' against 'Enhet: skola.'), and confidence is the named one's share of them all. Missed:
    where no punctuation follows, a label also has the probability of a longer one that begins alike. An answer that
    names no label chose none of them, which is wrong, and is as sure as it is unlikely to begin with any: a model that
    never names one has an ECE near 1, not 0.
    """

    name = "label_calibration"
    measures = measures_of("label")

    def choice(self, prediction: str, example: Example) -> Choice | None:
        """Every label in place of the one that was named; None for a row without a right label."""
        labels, right = labels_of(example)
        if not right:
            return None
        label = named(swedish.normalise(prediction), labels)
        written = [str(one) for one in example.facts["labels"]]
        place = labels.index(label) if label else 0
        found = re.search(
            rf"(?<![\w-]){re.escape(written[place])}(?![\w-])(?P<end>[^\w\s]*)", prediction, re.IGNORECASE
        )
        if not label:
            return Choice(tuple(written), None)
        if found is None:  # it is spelled otherwise than the task does
            return Choice(tuple(written), place)
        before, capital = prediction[: found.start()], found[0][0].isupper()
        alternatives = (one[0].upper() + one[1:] if capital else one for one in written)
        return Choice(tuple(before + one + found["end"] for one in alternatives), place)

    def is_right(self, prediction: str, example: Example) -> bool:
        """The named label is the row's."""
        labels, right = labels_of(example)
        return named(swedish.normalise(prediction), labels) == right


METRIC = LabelCalibration()
