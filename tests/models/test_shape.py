from __future__ import annotations

import json

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.shape import Shape
from kommunbench.synthetic.planning import MANNERS

CARD = ModelCard(name="shape", family="shape", options={"number": 3})


def ask(shape: str) -> str:
    return Shape(CARD).generate([Query("", {"shape": shape}, "planning")], Decoding(max_new_tokens=1))[0].text


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        ('{"dag": antal, "natt": antal}', '{"dag": 3, "natt": 3}'),
        ('{"fm": {"personal": antal}, ...}', '{"fm": {"personal": 3}}'),
        ('{"schema": {"morgon": {"antal": antal}, ...}}', '{"schema": {"morgon": {"antal": 3}}}'),
    ],
)
def test_the_form_with_the_number_in_every_place(shape: str, answer: str) -> None:
    assert ask(shape) == answer


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.path)
def test_every_houses_form_becomes_json(manner) -> None:
    assert json.loads(ask(manner.shape))


@pytest.mark.parametrize("wrong", ["3", 1.5, True])
def test_a_wrong_option_is_said(wrong: object) -> None:
    with pytest.raises(ModelError, match="number is a whole number"):
        Shape(CARD.model_copy(update={"options": {"number": wrong}}))
