"""SARI against the published formula written out term by term, in fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from scoring import Scored, row, total, value

from kommunbench.core import swedish
from kommunbench.metrics.sari import METRIC


def _grams(text: str, order: int) -> list[tuple[str, ...]]:
    words = swedish.tokens(text)
    return [tuple(words[start : start + order]) for start in range(len(words) - order + 1)]


def _oracle(rows: Scored) -> Fraction:
    """Xu 2016, section 4: p and r of each operation and order over the corpus, F1, mean over orders and operations."""
    operations = []
    for operation in ("add", "keep", "delete"):
        scores = []
        for order in (1, 2, 3, 4):
            right = done = wanted = Fraction(0)
            for answer, example in rows:
                before, after = _grams(example.inputs["input"], order), _grams(answer, order)
                references = [_grams(reference, order) for reference in example.references]
                number = len(references)
                for gram in set(before) | set(after) | {gram for each in references for gram in each}:
                    i, o = before.count(gram), after.count(gram)
                    r = Fraction(sum(each.count(gram) for each in references), number)
                    if operation == "add":
                        sys_did, ref_did = Fraction(i == 0 and o > 0), Fraction(i == 0 and r > 0)
                        weight = 1
                    elif operation == "keep":
                        sys_did, ref_did = Fraction(min(i, o)), min(Fraction(i), r)
                        weight = number
                    else:
                        sys_did, ref_did = Fraction(max(i - o, 0)), max(i - r, Fraction(0))
                        weight = number
                    right += weight * min(sys_did, ref_did)
                    done += weight * sys_did
                    wanted += weight * ref_did
            if done or wanted:
                p = right / done if done else Fraction(0)
                r = right / wanted if wanted else Fraction(0)
                scores.append(2 * p * r / (p + r) if p + r else Fraction(0))
        if scores:
            operations.append(sum(scores, Fraction(0)) / len(scores))
    return sum(operations, Fraction(0)) / len(operations)


def test_by_hand() -> None:
    # Unigrams: added {c} of {c, d} wanted: F1 2/3; kept {a} of {a}: 1; deleted {b} of {b}: 1.
    # Bigrams: added {ac} of {ac, cd}: 2/3; kept none, none to keep: left out; deleted {ab}: 1. Trigrams: add 0 of 1: 0.
    rows = [row("a c", "a c d", source="a b")]
    add, keep, delete = (Fraction(2, 3) + Fraction(2, 3) + 0) / 3, Fraction(1), Fraction(1)
    assert value(METRIC, "sari", rows) == pytest.approx(float((add + keep + delete) / 3), abs=1e-12)


def test_equals_the_formula_with_several_references() -> None:
    rows = [
        row(
            "Du kan söka färdtjänst. Ansökan ska komma senast den 14 april.",
            "Du kan söka färdtjänst. Vi ska ha ansökan den 14 april.",
            "Sök färdtjänst senast den 14 april, den 14 april.",
            source="Ansökan om färdtjänst ska vara omsorgsnämnden tillhanda senast den 14 april 2026.",
        ),
        row("den den", "den", source="den den den hund"),
        row("", "kort", source="en lång mening om ingenting"),
    ]
    assert value(METRIC, "sari", rows) == pytest.approx(float(_oracle(rows)), abs=1e-12)


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["simplification_section", "translation_pud"])
def test_equals_the_formula_on_real_text(real_rows: Callable[[str, int], Scored], name: str, count: int) -> None:
    rows = [
        row(answer[:500], *(reference[:500] for reference in example.references), source=example.inputs["input"][:500])
        for answer, example in real_rows(name, count)
    ]
    assert value(METRIC, "sari", rows) == pytest.approx(float(_oracle(rows)), abs=1e-12)


def test_gold_scores_one_and_emptiness_at_most_a_third() -> None:
    source, gold = "Ansökan ska vara nämnden tillhanda före jul.", "Skicka din ansökan till nämnden före jul."
    assert value(METRIC, "sari", [row(gold, gold, source=source)]) == 1
    assert 0 < (value(METRIC, "sari", [row("", gold, source=source)]) or 1) <= 1 / 3
    assert (value(METRIC, "sari", [row("x", gold, source=source)]) or 1) <= 1 / 3


def test_without_a_reference_it_is_unscored() -> None:
    assert total(METRIC, [row("svar", source="text")]) == (0, 1, *[0] * 36)
