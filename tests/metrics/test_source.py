"""What is held against the source: compression, copying, grounding, what was kept. Hand counts and plain oracles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scoring import Scored, row, total, value

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.metrics import compression, copied, grounding, kept
from kommunbench.metrics.texts import fixed, source

TEXT = "Nämnden i Lövvik beslutade den 3 mars 2026 att Anna Ek får 12 500 kronor i 3,5 år."


def test_the_source_is_every_input_but_the_question() -> None:
    example = Example("x", {"context": "1 § Ring.", "question": "När?", "extra": "2 § Vänta."})
    assert source(example) == "1 § Ring.\n\n2 § Vänta."


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(1, 3, 3), (2, 3, 7), (1, 4, 2), (3, 4, 8), (1, 0, 0), (1, 1, 10)]
)
def test_fixed_point_rounds_half_to_even(part: int, whole: int, expected: int) -> None:
    assert fixed(part, whole, 10) == expected


def test_compression_by_hand() -> None:
    rows = [row("tre ord här", source="ett två tre fyra"), row("", source="fem EU:s ord")]
    assert value(compression.METRIC, "compression", rows) == 3 / 7
    assert total(compression.METRIC, [row("svar", source="")]) == (0, 1, 0, 0)


def _fragments_of_the_paper(answer: list[str], original: list[str]) -> list[int]:
    """Grusky 2018, figure 2, line by line."""
    found = []
    i = 0
    while i < len(answer):
        best = 0
        j = 0
        while j < len(original):
            if answer[i] == original[j]:
                a, b = i, j
                while a < len(answer) and b < len(original) and answer[a] == original[b]:
                    a, b = a + 1, b + 1
                best = max(best, a - i)
                j = b
            else:
                j += 1
        i += max(best, 1)
        if best:
            found.append(best)
    return found


def test_copied_by_hand() -> None:
    rows = [row("a b x c d e", source="c d e f a b")]
    assert value(copied.METRIC, "copied_share", rows) == pytest.approx(5 / 6, abs=1e-12)
    assert value(copied.METRIC, "density", rows) == pytest.approx((4 + 9) / 6, abs=1e-10)
    assert value(copied.METRIC, "plain_copies", [*rows, row("A b.", source="a B")]) == 0.5


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_copied_equals_the_papers_algorithm_on_real_text(real_rows: Callable[[str, int], Scored], count: int) -> None:
    rows = real_rows("simplification_section", count)
    coverage = density = 0.0
    for answer, example in rows:
        words = swedish.tokens(answer)
        lengths = _fragments_of_the_paper(words, swedish.tokens(source(example)))
        coverage += sum(lengths) / max(len(words), 1)
        density += sum(length**2 for length in lengths) / max(len(words), 1)
    assert value(copied.METRIC, "copied_share", rows) == pytest.approx(coverage / len(rows), abs=1e-12)
    assert value(copied.METRIC, "density", rows) == pytest.approx(density / len(rows), abs=1e-9)


def test_inventions_are_counted() -> None:
    rows = [
        row(
            "Det kostar 12500 kronor sedan 2026-03-01 och Ek är glad.", source=TEXT
        ),  # 2 numbers, 1 wrong; 1 name, right
        row("Nu får Bo i Lövvik 35 kronor, 35.", source=TEXT),  # 1 number, wrong; 2 names, 1 wrong
        row("", source=TEXT),
    ]
    assert total(grounding.METRIC, rows) == (3, 0, 3, 2, 3, 1)
    assert value(grounding.METRIC, "unsupported_numbers", rows) == pytest.approx(2 / 3)
    assert value(grounding.METRIC, "unsupported_names", rows) == pytest.approx(1 / 3)
    assert value(grounding.METRIC, "unsupported_numbers", [row("Inga tal.", source=TEXT)]) is None


def test_an_answer_out_of_its_source_invents_nothing(real_rows: Callable[[str, int], Scored]) -> None:
    for _, example in real_rows("summarization_ingress", 100):
        counts = grounding.METRIC.tally(source(example), example)
        assert counts is not None
        assert counts[1] == counts[3] == 0


def test_what_is_kept_is_counted() -> None:
    # Numbers of TEXT: 2026-03-01, 12500, 3,5. Names: Lövvik, Anna, Ek.
    rows = [row("Anna får 12 500 kronor i 35 år från 1 mars 2026.", source=TEXT), row("", source=TEXT)]
    assert total(kept.METRIC, rows) == (2, 0, 6, 1, 6, 1)
    rows = [row("Anna Ek får pengar från 3 mars 2026 i 3,5 år i Lövviks kommun.", source=TEXT)]
    assert total(kept.METRIC, rows) == (1, 0, 3, 2, 3, 3)


def test_a_copy_keeps_everything(real_rows: Callable[[str, int], Scored]) -> None:
    rows = [(source(example), example) for _, example in real_rows("summarization_ingress", 100)]
    assert value(kept.METRIC, "kept_numbers", rows) == value(kept.METRIC, "kept_names", rows) == 1
