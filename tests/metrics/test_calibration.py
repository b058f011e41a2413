"""Confidence in a choice against scikit-learn, and what counts as a choice, an alternative, a right one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scoring import Scored, row, total
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from kommunbench.core.metric import add
from kommunbench.core.registry import find
from kommunbench.metrics.calibration import BINS, Choice
from metric_oracles import N

LABELS = ["vård", "vård och omsorg", "bygg", "förskola"]
SILENT = "Står inte i riktlinjen."
counts = pytest.mark.parametrize("count", [40, pytest.param(N, marks=pytest.mark.slow)])


def expected_error(right: Sequence[bool], confidence: Sequence[float]) -> float:
    """ECE from scikit-learn's reliability curve, weighed by how many fall in each of its bins."""
    share, mean = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    sizes = np.bincount(np.searchsorted(inner, confidence), minlength=BINS)
    return float(np.abs(share - mean) @ sizes[sizes > 0] / len(right))


def holds(name: str, choice: str, rows: Scored, right: Sequence[bool], confidence: Sequence[float]) -> None:
    metric = find("metrics", name)
    pooled = total(metric, rows)
    assert pooled[:2] == (len(rows), 0)
    values = {measure.name: metric.value(pooled, measure) for measure in metric.measures}
    assert values[f"{choice}_brier"] == pytest.approx(brier_score_loss(right, confidence), abs=1e-12)
    assert values[f"{choice}_ece"] == pytest.approx(expected_error(right, confidence), abs=1e-12)
    uneven = [total(metric, part) for part in (rows[:3], rows[3:4], rows[4:])]
    assert add(add(uneven[2], uneven[0]), uneven[1]) == pooled


@counts
def test_the_label_that_was_named(count: int) -> None:
    chance = random.Random(1)
    confidence = [chance.choice([chance.random(), 0.0, 1.0, 0.5]) for _ in range(count)]
    truth = chance.choices(LABELS, [5, 3, 1, 1], k=count)
    said = [
        one if chance.random() < sure else chance.choice(LABELS) for one, sure in zip(truth, confidence, strict=True)
    ]
    rows = [
        row(f"Enhet: {answer}.", labels=LABELS, label=one, confidence=sure)
        for answer, one, sure in zip(said, truth, confidence, strict=True)
    ]
    holds("label_calibration", "label", rows, [a == b for a, b in zip(said, truth, strict=True)], confidence)


@counts
def test_the_choice_to_answer_or_not(real_rows: Callable[[str, int], Scored], count: int) -> None:
    chance, rows, right, confidence = random.Random(5), [], [], []
    for answer, example in real_rows("qa_swefaq", count):
        silent, abstains, sure = chance.random() < 0.3, chance.random() < 0.4, chance.random()
        rows.append(row(SILENT if abstains else answer, SILENT if silent else example.references[0], confidence=sure))
        right.append(silent == abstains)
        confidence.append(sure)
    holds("abstention_calibration", "abstention", rows, right, confidence)


@pytest.mark.parametrize("confidence", [None, 1, "0.5", -0.1, 1.1, math.nan])
def test_what_is_no_confidence_is_unscored_and_never_0(confidence: object) -> None:
    facts = {} if confidence is None else {"confidence": confidence}
    for name in ("label_calibration", "abstention_calibration"):
        metric = find("metrics", name)
        assert metric.score(*row("vård", "vård", labels=LABELS, label="vård", **facts)) == metric.unscored


def test_alternatives_stand_where_the_label_stood() -> None:
    metric = find("metrics", "label_calibration")
    chosen = metric.choice(*row("Enhet: Vård och omsorg. Prioritet: gul.", labels=LABELS, label="bygg"))
    assert chosen == Choice(("Enhet: Vård.", "Enhet: Vård och omsorg.", "Enhet: Bygg.", "Enhet: Förskola."), 1)
    assert metric.choice(*row("bygg", labels=LABELS, label="vård")) == Choice(tuple(LABELS), 2)
    assert metric.choice(*row("bygg", labels=LABELS, label="något annat")) is None


def test_who_names_no_label_is_surely_wrong_and_not_perfectly_calibrated() -> None:
    metric = find("metrics", "label_calibration")
    said = metric.choice(*row("Jag vet inte.", labels=LABELS, label="vård"))
    assert said == Choice(tuple(LABELS), None)
    sure = said.confidence([math.log(0.01)] * len(LABELS))
    pooled = total(metric, [row("Jag vet inte.", labels=LABELS, label="vård", confidence=sure)] * 3)
    values = [metric.value(pooled, measure) for measure in metric.measures]
    assert values == pytest.approx([0.96, 0.96**2])


def test_an_abstention_is_its_own_words_and_an_answer_what_they_leave() -> None:
    metric = find("metrics", "abstention_calibration")
    assert metric.choice(*row("Det står inte i texten.", "Ja.")) == Choice(("Det står inte i texten.",))
    assert metric.choice(*row("Ring chefen. (2 §)", "Ja.")) == Choice((SILENT,), None)
    assert metric.choice(*row("Ring chefen.")) is None


def test_confidence_is_a_share_a_probability_or_the_rest() -> None:
    logs = [math.log(share) for share in (0.1, 0.3, 0.1)]
    assert Choice(("a", "b", "c"), 1).confidence(logs) == pytest.approx(0.6)
    assert Choice(("a",)).confidence([math.log(0.2)]) == pytest.approx(0.2)
    assert Choice(("a",), None).confidence([math.log(0.2)]) == pytest.approx(0.8)
    assert Choice(("a", "b"), 0).confidence([-4000.0, -4001.0]) == pytest.approx(1 / (1 + math.exp(-1)))
    assert Choice(("a",), None).confidence([1e-9]) == 0.0, "rounding takes nothing below 0"
    assert Choice(("a",)).confidence([1e-9]) == 1.0
