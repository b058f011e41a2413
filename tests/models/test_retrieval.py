from __future__ import annotations

import pytest

from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.retrieval import ABSTENTION, Retrieval

GUIDELINE = """1 § Personalen ringer på två gånger och väntar fem minuter.
2 § Öppnar inte kunden ringer personalen gruppledaren på 021-00 00 17.
3 § Nyckeln hämtas alltid av två personer."""


def ask(context: str, question: str) -> str:
    query = Query("", {"context": context, "question": question}, "guideline_qa")
    model = Retrieval(ModelCard(name="retrieval", family="retrieval"))
    return model.generate([query], Decoding(max_new_tokens=1))[0].text


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Vem ska hämta nyckeln hos kunden, vilka personer?", "Nyckeln hämtas alltid av två personer. (3 §)"),
        ("Ringer jag gruppledaren?", "Öppnar inte kunden ringer personalen gruppledaren på 021-00 00 17. (2 §)"),
        ("Hur byts batteriet?", ABSTENTION),
    ],
)
def test_the_nearest_paragraph_with_its_number(question: str, answer: str) -> None:
    assert ask(GUIDELINE, question) == answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("§ 4 Larmet testas.", "Larmet testas. (4 §)"),
        ("12 a § Larmet testas.", "Larmet testas. (12 a §)"),
        ("3.2 Larmet testas.", "Larmet testas. (3.2 §)"),
        ("7. Larmet testas.", "Larmet testas. (7 §)"),
        ("Larmet testas.", "Larmet testas."),
    ],
)
def test_ways_to_number_a_paragraph(line: str, answer: str) -> None:
    assert ask(f"Inledning\n\n{line}", "När testas larmet?") == answer


def test_an_empty_guideline_gives_no_answer() -> None:
    assert ask("", "När testas larmet?") == ABSTENTION
