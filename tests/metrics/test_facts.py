"""Metrics that read a row's facts: meaning, template, JSON; and the answer's language."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from scoring import SHARED, Scored, row, total, value

from kommunbench.metrics import json_answer, language, meaning, template

TEXT = "Nämnden avslog ansökan den 3 mars 2026. Den får inte överklagas efter 2026-04-01."


def test_meaning_by_hand() -> None:
    rows = [
        row("Du fick nej 2026-03-03. Du kan inte klaga.", "Det blev inte så.", source=TEXT, must_keep=["nej", "1 år"]),
        row("Du fick nej.", "Det blev inte så.", source=TEXT),
        row("Du fick ja den 1 april.", source=TEXT, must_keep=["12 500 kr"]),
    ]
    assert total(meaning.METRIC, rows) == (3, 0, 6, 1, 3, 1, 2, 1)
    assert value(meaning.METRIC, "kept_dates", rows) == pytest.approx(1 / 6)
    assert value(meaning.METRIC, "kept_facts", rows) == pytest.approx(1 / 3)
    assert value(meaning.METRIC, "negation_agrees", rows) == 1 / 2


def test_a_kept_fact_is_a_whole_word() -> None:
    assert value(meaning.METRIC, "kept_facts", [row("Nejd", must_keep=["nej"])]) == 0
    assert value(meaning.METRIC, "kept_facts", [row("Det kostar 12500 kr!", must_keep=["12 500 kr"])]) == 1


SECTIONS = ["Sammanfattning", ["Bakgrund", "Ärendet"], "Förslag till beslut"]
FIELDS = {"datum": "1 mars 2026", "sökande": ["Anna Ek", "A. Ek"], "belopp": "12 500 kr"}
GOOD = "# Sammanfattning\nAnna Ek söker.\n\n2. **Ärendet**\nSedan 2026-03-01.\n\nFÖRSLAG TILL BESLUT:\nGe 12500 kr."


def test_a_kept_template_is_full_marks() -> None:
    rows = [row(GOOD, sections=SECTIONS, fields=FIELDS)]
    assert total(template.METRIC, rows) == (1, 0, 3, 3, 3, 3, 1, 1, 0)


def test_a_broken_template_by_hand() -> None:
    wrong = "Förslag till beslut\nGe [belopp].\nBakgrund\nEn sammanfattning: Anna Eks, 1 mars 2025, 12 500 kronor."
    rows = [row(wrong, sections=SECTIONS, fields=FIELDS)]
    assert total(template.METRIC, rows) == (1, 0, 3, 2, 3, 0, 1, 0, 1)
    swapped = "\n".join(reversed(GOOD.splitlines()))
    assert value(template.METRIC, "sections_present", [row(swapped, sections=SECTIONS)]) == 1
    assert value(template.METRIC, "sections_in_order", [row(swapped, sections=SECTIONS)]) == 0


@pytest.mark.parametrize("gap", ["[datum]", "{namn}", "<ort>", "____", "XX", "......"])
def test_placeholders_are_seen(gap: str) -> None:
    assert value(template.METRIC, "placeholders_left", [row(f"Hej {gap}, hej", sections=["Hej"])]) == 1


def test_rows_without_a_template_are_unscored() -> None:
    assert total(template.METRIC, [row(GOOD)]) == template.METRIC.unscored


CONSTRAINTS = [
    {"path": "pass.*.antal", "type": "integer", "at_least": 1, "at_most": 4},
    {"path": "pass.*.antal", "of": "sum", "at_most": 6},
    {"path": "pass", "count": 2},
    {"path": "pass.*.namn", "one_of": ["dag", "natt"]},
    {"path": "enhet", "equals": "Norr"},
    {"path": "pass.*.extra", "of": "number", "equals": 0},
    {"path": "klar", "type": "boolean"},
]
PLAN = {"enhet": "Norr", "klar": True, "pass": [{"namn": "dag", "antal": 4}, {"namn": "natt", "antal": 2}]}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, 7),
        ({"enhet": "Söder"}, 6),
        ({"klar": 1}, 6),
        ({"pass": [{"namn": "dag", "antal": 4}, {"namn": "kväll", "antal": 4}]}, 5),
        ({"pass": [{"namn": "dag", "antal": True, "extra": 1}, {"namn": "natt", "antal": 2}]}, 4),
        ({"pass": []}, 3),
    ],
)
def test_constraints_by_hand(change: dict[str, object], kept: int) -> None:
    rows = [row(json.dumps(PLAN | change), constraints=CONSTRAINTS)]
    assert total(json_answer.METRIC, rows) == (1, 0, 1, 7, kept, int(kept == 7))


@pytest.mark.parametrize("answer", ["", "Här är planen: {}", "{'a': 1}", '{"a": NaN}', "[" * 100_000, '{"a": 1'])
def test_what_is_not_json_keeps_nothing(answer: str) -> None:
    assert total(json_answer.METRIC, [row(answer, constraints=CONSTRAINTS)]) == (1, 0, 0, 7, 0, 0)


def test_an_unknown_type_is_kept_by_nothing() -> None:
    assert value(json_answer.METRIC, "constraints_kept", [row("1", constraints=[{"type": "decimal"}])]) == 0


def test_a_code_fence_is_allowed() -> None:
    assert value(json_answer.METRIC, "json_valid", [row("```json\n{}\n```", constraints=[])]) == 1


def test_rows_without_constraints_are_unscored() -> None:
    assert total(json_answer.METRIC, [row("{}")]) == json_answer.METRIC.unscored


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ansökan ska vara inne före den 1 maj.", "sv"),
        ("The application must be in before the first of May.", "en"),
        ("يجب تقديم الطلب قبل الأول من مايو.", "ar"),
        ("Jeg har ikke søkt om plass hvis det er mulig.", "no"),
        ("12 500", ""),
        ("Göteborg", "sv"),
        ("", ""),
    ],
)
def test_languages_are_told_apart(text: str, expected: str) -> None:
    assert language.identify(text) == expected


def test_languages_are_told_apart_on_real_text() -> None:
    files = sorted((SHARED / "translation_pud").glob("*.jsonl"))
    if not files:
        pytest.skip("no real text at ../shared/data")
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    for wanted, column in (("sv", "input"), ("en", "references"), ("ar", "references_ar")):
        texts = [one[column] if isinstance(one[column], str) else one[column][0] for one in rows if one.get(column)]
        found = [language.identify(text) for text in texts]
        assert len(texts) > 500
        assert found.count(wanted) / len(found) > 0.97
        assert sum(other not in ("", wanted) for other in found) / len(found) < 0.01


def test_the_wanted_language_is_the_facts_or_the_references_or_swedish() -> None:
    english = "This is what you asked for. It is not in Swedish."
    assert total(language.METRIC, [row(english)]) == (1, 0, 2, 2)
    assert total(language.METRIC, [row(english, "That is what we have.")]) == (1, 0, 2, 0)
    assert total(language.METRIC, [row(english, "That is what we have.", language="sv")]) == (1, 0, 2, 2)
    assert value(language.METRIC, "wrong_language", [row("Norrhult")]) is None


def test_references_of_real_summaries_are_swedish(real_rows: Callable[[str, int], Scored]) -> None:
    rows = [(example.references[0], example) for _, example in real_rows("summarization_ingress", 200)]
    assert (value(language.METRIC, "wrong_language", rows) or 0) < 0.01
