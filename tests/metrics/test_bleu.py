"""Corpus BLEU against sacrebleu's public score."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
import sacrebleu
from scoring import Scored, row, total, value

from kommunbench.metrics.bleu import METRIC


def _oracle(rows: Scored) -> float:
    most = max(len(example.references) for _, example in rows)
    streams = [
        [example.references[place] if place < len(example.references) else None for _, example in rows]
        for place in range(most)
    ]
    return float(sacrebleu.corpus_bleu([answer for answer, _ in rows], streams).score) / 100


def test_equals_sacrebleu_on_hand_examples() -> None:
    rows = [
        row("Åsa går till den nya förskolan.", "Åsa gick till den nya förskolan.", "Åsa går hem."),
        row("Det kostar 3,5 kronor om dagen", "Det kostar 35 kronor om dagen"),
        row("", "något"),
    ]
    assert value(METRIC, "bleu", rows) == pytest.approx(_oracle(rows), abs=1e-12)


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["translation_pud", "simplification_section"])
def test_equals_sacrebleu_on_real_text(real_rows: Callable[[str, int], Scored], name: str, count: int) -> None:
    rows = [
        row(unicodedata.normalize("NFC", answer), *(unicodedata.normalize("NFC", one) for one in example.references))
        for answer, example in real_rows(name, count)
    ]
    assert value(METRIC, "bleu", rows) == pytest.approx(_oracle(rows), abs=1e-12)


def test_without_a_reference_it_is_unscored() -> None:
    assert total(METRIC, [row("svar")]) == METRIC.unscored
