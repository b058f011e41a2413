"""chrF++ against sacrebleu's public corpus score, and what this project leans on in its private ones."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
import sacrebleu
from scoring import Scored, row, total, value

from kommunbench.metrics.chrf import METRIC


def _oracle(rows: Scored) -> float:
    most = max(len(example.references) for _, example in rows)
    streams = [
        [example.references[place] if place < len(example.references) else None for _, example in rows]
        for place in range(most)
    ]
    score: float = sacrebleu.corpus_chrf([answer for answer, _ in rows], streams, word_order=2).score
    return score / 100


def test_equals_sacrebleu_on_hand_examples() -> None:
    rows = [
        row("Åsa går till förskolan.", "Åsa gick till den nya förskolan.", "Åsa går hem."),
        row("Det kostar 3,5 kronor", "Det kostar 35 kronor"),
        row("", "något"),
        row("مرحبا بالعالم", "مرحبا بكم"),
    ]
    assert value(METRIC, "chrf", rows) == pytest.approx(_oracle(rows), abs=1e-12)


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["summarization_ingress", "simplification_section", "translation_pud"])
def test_equals_sacrebleu_on_real_text(real_rows: Callable[[str, int], Scored], name: str, count: int) -> None:
    rows = real_rows(name, count)
    composed = [
        (
            unicodedata.normalize("NFC", answer),
            row("", *(unicodedata.normalize("NFC", reference) for reference in example.references))[1],
        )
        for answer, example in rows
    ]
    assert value(METRIC, "chrf", rows) == pytest.approx(_oracle(composed), abs=1e-12)


def test_the_corpus_score_is_not_the_mean_of_the_examples() -> None:
    rows = [row("ja", "ja"), row("en helt annan och längre text", "något som inte alls liknar den")]
    mean = sum(value(METRIC, "chrf", [one]) or 0 for one in rows) / 2
    assert value(METRIC, "chrf", rows) == pytest.approx(_oracle(rows), abs=1e-12)
    assert abs(mean - _oracle(rows)) > 0.1


def test_decomposed_text_equals_composed() -> None:
    assert value(METRIC, "chrf", [row(unicodedata.normalize("NFD", "Åsa är här"), "Åsa är här")]) == 1


def test_without_a_reference_it_is_unscored_and_undefined() -> None:
    assert total(METRIC, [row("svar")])[:2] == (0, 1)
    assert value(METRIC, "chrf", [row("svar")]) is None
