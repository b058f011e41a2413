"""Accuracy and macro-F1 against scikit-learn."""

from __future__ import annotations

import random

import pytest
from scoring import row, total, value
from sklearn.metrics import accuracy_score, f1_score

from kommunbench.core.example import Example
from kommunbench.metrics.label import METRIC

LABELS = ["Vård", "Vård och omsorg", "Bygg- och miljökontoret", "Förskola", "Aldrig"]


def _row(answer: str, label: str, labels: list[str] = LABELS) -> tuple[str, Example]:
    return row(answer, labels=labels, label=label)


def test_equals_scikit_learn() -> None:
    chance = random.Random(1)
    truth = chance.choices(LABELS[:4], [5, 3, 1, 1], k=150)
    guess = [right if chance.random() < 0.6 else chance.choice(LABELS[:4]) for right in truth]
    rows = [_row(said, right) for said, right in zip(guess, truth, strict=True)]
    assert value(METRIC, "accuracy", rows) == accuracy_score(truth, guess)
    assert value(METRIC, "macro_f1", rows) == pytest.approx(f1_score(truth, guess, average="macro"), abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "correct", "invalid"),
    [
        ("vård och omsorg.", 1, 0),
        ("Ärendet hör till Vård och omsorg, tror jag", 1, 0),
        ("Vård", 0, 0),
        ("Förskola eller Vård och omsorg", 0, 1),
        ("Vårdcentralen", 0, 1),
        ("", 0, 1),
    ],
)
def test_the_answers_label(answer: str, correct: int, invalid: int) -> None:
    assert total(METRIC, [_row(answer, "Vård och omsorg")])[2:4] == (correct, invalid)


def test_rows_without_a_label_are_unscored() -> None:
    rows = [row("Vård"), _row("Vård", "Skola"), row("Vård", label="Vård"), _row("a", "a", ["a", *map(str, range(32))])]
    assert total(METRIC, rows) == (0, 4, *[0] * (len(METRIC.names) - 2))


def test_nothing_but_counts_of_answers_is_in_a_tally() -> None:
    """A tally says nothing of the labels' words: the same places in another list give the same numbers."""
    other = [f"Enhet {place}" for place in range(len(LABELS))]
    for said, right in ((0, 0), (3, 1), (4, 2)):
        here = total(METRIC, [_row(LABELS[said], LABELS[right])])
        assert here == total(METRIC, [_row(other[said], other[right], other)])
        assert set(here) <= {0, 1}


def test_the_delta_method_sees_the_labels() -> None:
    pooled = total(METRIC, [_row("Vård", "Vård"), _row("Vård", "Förskola"), _row("Förskola", "Förskola")] * 30)
    gradient = dict(zip(METRIC.names, METRIC.gradient(pooled, METRIC.measure("macro_f1")), strict=True))
    # Label 0: F1 = 2r / (s + t) = 60 / 90; its slope by r is 2 / 90, halved by the mean over two labels.
    assert gradient["right0"] == pytest.approx(1 / 90, rel=1e-5)
    assert gradient["said0"] == pytest.approx(-(60 / 90**2) / 2, rel=1e-5)
    assert gradient["right4"] == gradient["invalid"] == 0
