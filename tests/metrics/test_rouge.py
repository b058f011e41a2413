"""ROUGE against rouge_score with the same tokens."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from rouge_score.rouge_scorer import RougeScorer
from scoring import Scored, row, total, value

from kommunbench.core import swedish
from kommunbench.metrics.rouge import METRIC, common_subsequence

TYPES = ["rouge1", "rouge2", "rougeL"]


class _Tokens:
    def tokenize(self, text: str) -> list[str]:
        return swedish.tokens(text)


def _oracle(rows: Scored) -> dict[str, float]:
    scorer = RougeScorer(TYPES, tokenizer=_Tokens())
    scores = [scorer.score_multi(list(example.references), answer) for answer, example in rows]
    return {kind: sum(score[kind].fmeasure for score in scores) / len(scores) for kind in TYPES}


def test_equals_rouge_score_on_hand_examples() -> None:
    rows = [
        row("Åsa går till förskolan", "Åsa gick till den nya förskolan", "Åsa går hem"),
        row("Ö", "Ö"),
        row("مرحبا بالعالم", "مرحبا بكم"),
        row("a b c b a", "b a b a c"),
        row("", "något"),
        row("något", ""),
    ]
    for kind, expected in _oracle(rows).items():
        assert value(METRIC, kind, rows) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["summarization_ingress", "simplification_section", "translation_pud"])
def test_equals_rouge_score_on_real_text(real_rows: Callable[[str, int], Scored], name: str, count: int) -> None:
    rows = [(answer[:800], example) for answer, example in real_rows(name, count)]
    for kind, expected in _oracle(rows).items():
        assert value(METRIC, kind, rows) == pytest.approx(expected, abs=1e-12)


def test_swedish_and_arabic_words_count_where_the_usual_tokenizer_sees_none() -> None:
    assert RougeScorer(["rouge1"]).score("Ö", "Ö")["rouge1"].fmeasure == 0
    assert value(METRIC, "rouge1", [row("Ö", "Ö")]) == 1
    assert value(METRIC, "rougeL", [row("مرحبا", "مرحبا")]) == 1


def test_decomposed_text_equals_composed() -> None:
    assert value(METRIC, "rouge2", [row(unicodedata.normalize("NFD", "Åsa är här"), "Åsa är här")]) == 1


def test_without_a_reference_it_is_unscored() -> None:
    assert total(METRIC, [row("svar")]) == (0, 1, 0, 0, 0)


def test_common_subsequence_by_hand() -> None:
    assert common_subsequence("ABCBDAB", "BDCABA") == 4
    assert common_subsequence("", "A") == 0
