"""LIX and sentence length, by hand and by a plain count on real text."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from scoring import Scored, row, total, value

from kommunbench.metrics import lix, sentence_length


def test_lix_by_hand() -> None:
    # 10 words, 2 sentences; long: kommunstyrelsen, beslutade, förskoleplatser. 'Ej-sant' has 6 letters.
    text = "I går beslutade kommunstyrelsen om 12 500 förskoleplatser. Ej-sant 2026-01-01!"
    assert total(lix.METRIC, [row(text)]) == (1, 0, 10, 2, 3)
    assert value(lix.METRIC, "lix", [row(text)]) == pytest.approx(10 / 2 + 100 * 3 / 10, abs=1e-12)
    assert value(sentence_length.METRIC, "sentence_length", [row(text)]) == 5


def test_lix_pools_counts_and_not_values() -> None:
    rows = [row("Kort."), row("Kommunstyrelsens arbetsutskott beslutade enhälligt."), row("")]
    assert total(lix.METRIC, rows) == (3, 0, 5, 2, 4)
    assert value(lix.METRIC, "lix", rows) == 5 / 2 + 100 * 4 / 5


def test_nothing_written_has_no_lix() -> None:
    assert value(lix.METRIC, "lix", [row("")]) is None
    assert value(sentence_length.METRIC, "sentence_length", [row("...")]) is None


def test_lix_is_close_to_a_plain_count_on_real_text(real_rows: Callable[[str, int], Scored]) -> None:
    for name in ("summarization_ingress", "translation_pud"):
        rows = [(example.inputs["input"], example) for _, example in real_rows(name, 150)]
        text = "\n".join(answer for answer, _ in rows)
        words = re.findall(r"[^\W_]+(?:[-:][^\W_]+)*", text)
        ends = len(re.findall(r"[.!?](?=\s+[A-ZÅÄÖ\n]|\s*$)|(?<![.!?])\n", text))
        expected = len(words) / ends + 100 * sum(len(word) > 6 for word in words) / len(words)
        assert value(lix.METRIC, "lix", rows) == pytest.approx(expected, rel=0.05)
