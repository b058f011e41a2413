"""Whoever has met none of the systems and measures can read what they are, in both languages."""

from __future__ import annotations

import pytest

from kommunbench.core.registry import find, names
from kommunbench.core.task import Bilingual
from kommunbench.report.glossary import MEASURES, glossary_tables
from kommunbench.report.rows import Report
from kommunbench.report.tables import ELSEWHERE
from kommunbench.report.wording import NOTHING


def test_every_measure_of_our_own_has_words_and_no_words_are_left_over():
    own = {measure.name for name in names("metrics") for measure in find("metrics", name).measures}
    assert {name for name in own if not name.startswith(ELSEWHERE)} == set(MEASURES)
    assert all(sv and en and sv != en for sv, en in MEASURES.values())


@pytest.mark.parametrize("language", ["sv", "en"])
def test_a_report_explains_its_systems_and_measures(report: Report, language):
    told = report.model_copy(update={"about": {"lead": Bilingual(sv="ingen modell", en="no model")}})
    systems, measures = glossary_tables(told, language)
    assert systems.rows == (("lead", {"sv": "ingen modell", "en": "no model"}[language]),)
    assert {cells[0].split(" ")[0] for cells in measures.rows} >= {"rougeL", "token_f1", "chrf", "lix"}
    assert all(words != NOTHING for _, words in measures.rows)
    assert any(name.endswith("↓") for name, _ in measures.rows)
