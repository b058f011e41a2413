from __future__ import annotations

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.constant import Constant

CARD = ModelCard(name="constant", family="constant", options={"text": "Enhet: gata."})


def test_the_same_answer_to_everything() -> None:
    queries = [Query("", {"input": text}, "triage") for text in ("", "Hej")]
    assert [a.text for a in Constant(CARD).generate(queries, Decoding(max_new_tokens=1))] == ["Enhet: gata."] * 2


def test_another_answer_is_another_model() -> None:
    assert Constant(CARD).digest != Constant(CARD.model_copy(update={"options": {"text": "Enhet: skola."}})).digest


@pytest.mark.parametrize("options", [{}, {"text": 3}])
def test_what_is_no_answer_is_said(options: dict) -> None:
    with pytest.raises(ModelError, match="text is"):
        Constant(CARD.model_copy(update={"options": options}))
