"""What a coordinator may name: nothing that could become another path at a site."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from kommunbench.core.masking import STEPS, Masking
from kommunbench.core.spec import ModelRef, PromptRef, Request, RunSpec, TaskRef

DIGEST = "0" * 64
STRANGE = ["../../etc/passwd", "/srv/data", "a/b", "a\\b", ".hidden", "", "a b", "a\nb", "x" * 101, "http://h", "å"]


@pytest.mark.parametrize("name", STRANGE)
def test_no_name_from_outside_can_be_a_path(name: str) -> None:
    with pytest.raises(ValidationError):
        TaskRef(name=name, digest=DIGEST, metrics=(), max_new_tokens=8)
    with pytest.raises(ValidationError):
        TaskRef(name="lattlast", digest=DIGEST, metrics=(name,), max_new_tokens=8)
    with pytest.raises(ValidationError):
        ModelRef(name=name, digest=DIGEST)
    with pytest.raises(ValidationError):
        PromptRef(name="plain", variant=name)
    with pytest.raises(ValidationError):
        RunSpec(run=name, kommunbench="1", seed=1, tasks=(), models=(), prompts=())


def test_a_spec_has_no_place_for_anything_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        RunSpec.model_validate(
            {"run": "r", "kommunbench": "1", "seed": 1, "tasks": [], "models": [], "prompts": [], "code": "import os"}
        )


def test_what_is_asked_has_one_digest_in_every_step_of_a_masked_sum() -> None:
    spec = RunSpec(run="r", kommunbench="1", seed=1, tasks=(), models=(), prompts=(), privacy="secagg")
    plain = Request(spec=spec)
    for step in STEPS:
        request = Request(spec=spec, masking=Masking(step=step, session="5" * 32))
        assert request.digest != plain.digest == request.work.digest
        assert request.work.work is request.work
