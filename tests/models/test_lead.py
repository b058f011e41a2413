from __future__ import annotations

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.lead import Lead, split_sentences

CARD = ModelCard(name="lead", family="lead", options={"sentences": 2})


def test_the_first_two_sentences() -> None:
    text = "Taket läcker bl.a. i hallen. Det kostar 12 500 kr. Arbetet görs kl. 14.30 på onsdag."
    answers = Lead(CARD).generate([Query("", {"input": text}, "summarization")] * 2, Decoding(max_new_tokens=1))
    assert [answer.text for answer in answers] == ["Taket läcker bl.a. i hallen. Det kostar 12 500 kr."] * 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("En rad\nEn till. Slut", ["En rad", "En till.", "Slut"]),
        ("Möt t.ex. Åsa. Vem? Jo!  12 kom.", ["Möt t.ex. Åsa.", "Vem?", "Jo!", "12 kom."]),
        ("Han sa 3.5 m. är nog", ["Han sa 3.5 m. är nog"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@pytest.mark.parametrize("wrong", [0, "two", 1.5, True])
def test_a_wrong_option_is_said(wrong: object) -> None:
    with pytest.raises(ModelError, match="sentences"):
        Lead(CARD.model_copy(update={"options": {"sentences": wrong}}))
