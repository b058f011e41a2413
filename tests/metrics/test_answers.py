"""Exact match, token F1, citation and abstention against hand counts and scikit-learn."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from scoring import Scored, row, total, value
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.preprocessing import MultiLabelBinarizer

from kommunbench.core import swedish
from kommunbench.metrics import abstention, citation, exact_match, token_f1

SILENT = "Står inte i riktlinjen."


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("den 3,5 timmar!", "3,5 timmar", 1),
        ("35 timmar", "3,5 timmar", 0),
        ("12 500 kronor", "12500 kronor.", 1),
        ("Ö", "ö", 1),
        ("", "svar", 0),
    ],
)
def test_exact_match_by_hand(answer: str, reference: str, expected: int) -> None:
    assert value(exact_match.METRIC, "exact_match", [row(answer, "annat", reference)]) == expected


@pytest.mark.parametrize(
    ("answer", "references", "expected"),
    [
        ("Ring gruppledaren", ["Ring gruppledaren nu"], 2 * 2 / 5),
        ("ring ring ring", ["ring"], 2 * 1 / 4),
        ("35 timmar", ["3,5 timmar"], 0.5),
        ("Nej", ["Ja", "Nej"], 1),
        ("", ["svar"], 0),
        ("det", ["en"], 1),
    ],
)
def test_token_f1_by_hand(answer: str, references: list[str], expected: float) -> None:
    assert value(token_f1.METRIC, "token_f1", [row(answer, *references)]) == pytest.approx(expected, abs=1e-12)


def test_token_f1_equals_a_plain_reading_on_real_text(real_rows: Callable[[str, int], Scored]) -> None:
    rows = real_rows("qa_swequad_mc", 1000)
    assert value(token_f1.METRIC, "token_f1", rows) == pytest.approx(
        sum(max(_f1(answer, one) for one in example.references) for answer, example in rows) / len(rows), abs=1e-12
    )


def _f1(answer: str, reference: str) -> float:
    left, right = swedish.normalise(answer).split(), swedish.normalise(reference).split()
    rest, same = list(right), 0
    for word in left:
        if word in rest:
            rest.remove(word)
            same += 1
    if not left or not right:
        return float(left == right)
    precision, recall = same / len(left), same / len(right)
    return 2 * precision * recall / (precision + recall) if same else 0.0


def test_answers_without_references_are_unscored() -> None:
    for metric in (exact_match.METRIC, token_f1.METRIC, citation.METRIC, abstention.METRIC):
        assert total(metric, [row("svar (2 §)")]) == metric.unscored


def test_citations_by_hand() -> None:
    rows = [
        row("Ring. (2 §)", "Ring. (2 §)"),  # right
        row("Ring. (2 §, 3 §)", "Ring. (§ 2)"),  # one too many
        row("Ring.", "Ring. (4 kap. 2 §)"),  # none
        row("Ring. (5 §)", "Ring. (4 §)", "Vänta. (5 §)"),  # right by the second reference
        row("Ring. (7 §)", "Ring.", citation="7 §"),  # right by the fact
        row("Ring. (9 §)", "Ring."),  # unscored
    ]
    assert total(citation.METRIC, rows) == (5, 1, 3, 4, 5, 5)
    assert value(citation.METRIC, "citation_correct", rows) == 3 / 5


def test_citation_precision_and_recall_equal_scikit_learn() -> None:
    chance = random.Random(3)
    wanted = [set(chance.sample("123456", chance.randint(1, 3))) for _ in range(60)]
    given = [set(chance.sample("123456", chance.randint(0, 4))) for _ in range(60)]
    rows = [
        row("Svar " + ", ".join(f"{one} §" for one in sorted(cited)), " och ".join(f"{one} §" for one in sorted(right)))
        for cited, right in zip(given, wanted, strict=True)
    ]
    binary = MultiLabelBinarizer(classes=list("123456"))
    truth, guess = binary.fit_transform(wanted), binary.transform(given)
    for name, score in (("citation_precision", precision_score), ("citation_recall", recall_score)):
        expected = score(truth, guess, average="micro")
        assert value(citation.METRIC, name, rows) == pytest.approx(expected, abs=1e-12)
    assert value(citation.METRIC, "citation_correct", rows) == (truth == guess).all(axis=1).mean()


def test_abstention_equals_scikit_learn() -> None:
    chance = random.Random(5)
    truth = [chance.random() < 0.3 for _ in range(200)]
    guess = [chance.random() < (0.7 if silent else 0.1) for silent in truth]
    rows = [
        row(SILENT if abstained else "Ring. (2 §)", SILENT if silent else "Vänta. (1 §)")
        for abstained, silent in zip(guess, truth, strict=True)
    ]
    metric = abstention.METRIC
    assert value(metric, "abstention_precision", rows) == pytest.approx(precision_score(truth, guess), abs=1e-12)
    assert value(metric, "abstention_recall", rows) == pytest.approx(recall_score(truth, guess), abs=1e-12)
    assert value(metric, "abstention_f1", rows) == pytest.approx(f1_score(truth, guess), abs=1e-12)
    pooled = dict(zip(metric.names, total(metric, rows), strict=True))
    assert pooled["unanswerable"] == sum(truth)
    assert pooled["answerable"] == 200 - sum(truth)


def test_an_empty_answer_is_no_abstention() -> None:
    assert value(abstention.METRIC, "abstention_recall", [row("", SILENT)]) == 0
    assert value(abstention.METRIC, "abstention_precision", [row("", SILENT)]) is None
