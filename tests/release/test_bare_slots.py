"""What a site holds is told in codes alone: a bare slot has no number, and its code is the policy's first of all."""

from __future__ import annotations

import doorway as d
import numpy as np
import pytest

from kommunbench.core.answer import Answer, Code
from kommunbench.core.dp import DpSettings
from kommunbench.core.errors import FederationError
from kommunbench.core.spec import Holding, ModelRef, Request
from kommunbench.release import Ledger, let_out, review, unpack

TASK, DATA, MODEL, TRAINING = (
    ("task", "guideline_qa"),
    ("data", "guideline_qa"),
    ("model", "nano"),
    ("training", "nano"),
)
LOOSE = {"training": "allow", "adapters": "allow"}


def asked(**changed) -> Request:
    return Request(spec=d.make_spec(**changed), action="holdings")


def told(policy=None, request=None, **answer):
    request = request or asked()
    answer = {"codes": {slot.key: Code.OK for slot in request.slots()}, **answer}
    release = review(policy or d.make_policy(**LOOSE), request, Answer(**answer), None)
    assert not len(release.values)
    assert not release.cost.any()
    return {slot.key: Code(code) for slot, code in zip(request.slots(), release.codes.tolist(), strict=True)}


def test_everything_that_a_run_needs_is_told_and_no_number():
    found = told()
    assert set(found) == {
        ("task", "guideline_qa"), ("task", "summarization"), ("data", "guideline_qa"), ("data", "summarization"),
        ("model", "nano"), ("model", "lead"), ("training", "nano"),
    }  # fmt: skip
    assert set(found.values()) == {Code.OK}


def test_what_the_site_says_of_itself_comes_after_what_its_policy_says():
    request = asked()
    codes = {slot.key: Code.NO_DATA for slot in request.slots()}
    assert told(codes={**codes, TASK: Code.OK})[TASK] is Code.OK
    assert told(codes=codes)[DATA] is Code.NO_DATA
    assert told(codes={})[DATA] is Code.NOT_AVAILABLE
    assert told(codes={DATA: "Anna"})[DATA] is Code.INTERNAL
    assert told(d.make_policy(models={}), codes=codes)[MODEL] is Code.MODEL_NOT_APPROVED


def test_a_number_has_no_place_in_it():
    assert told(values={DATA: (40, 0, 20)})[DATA] is Code.INTERNAL
    assert told(values={DATA: ()})[DATA] is Code.INTERNAL


@pytest.mark.parametrize(
    ("policy", "changed", "key", "code"),
    [
        ({"tasks": {}}, {}, TASK, Code.TASK_NOT_APPROVED),
        ({"tasks": {}}, {}, DATA, Code.TASK_NOT_APPROVED),
        ({"results": "deny"}, {}, DATA, Code.METRIC_NOT_ALLOWED),
        ({"results": "deny"}, {}, TASK, Code.OK),
        ({"noise": "required"}, {}, DATA, Code.NOISE_REQUIRED),
        ({"noise": "required"}, {"dp": DpSettings(tallies="laplace", tally_epsilon=1)}, DATA, Code.OK),
        ({"noise": "required"}, {}, TASK, Code.OK),
        ({"min_sites": 2}, {}, DATA, Code.TOO_FEW_SITES),
        ({"min_sites": 2}, {"privacy": "secagg", "min_sites": 2}, DATA, Code.OK),
        ({"training": "deny"}, {}, TRAINING, Code.TRAINING_DENIED),
        ({"adapters": "deny"}, {}, TRAINING, Code.ADAPTER_DENIED),
        ({}, {"models": (ModelRef(name="nano", digest="0" * 64),)}, MODEL, Code.MODEL_NOT_APPROVED),
    ],
)
def test_the_code_is_the_one_that_a_run_would_hear(policy, changed, key, code):
    assert told(d.make_policy(**{**LOOSE, **policy}), asked(**changed))[key] is code


@pytest.mark.parametrize("kind", ["task", "data", "model"])
def test_what_the_run_does_not_name_is_no_question(kind):
    slot = next(slot for slot in asked().slots() if slot.key[0] == kind)
    other = type(slot)(tuple(Holding(kind, "annan")), bare=True)
    assert d.make_policy(**LOOSE).holding_code(asked(), other) is Code.BAD_REQUEST


def test_it_is_in_the_ledger_and_counts_as_no_run(tmp_path):
    ledger, request = Ledger(tmp_path / "ledger.jsonl"), asked()
    codes = {slot.key: Code.OK for slot in request.slots()}
    policy = d.make_policy(results="approve", runs_a_year=1, **LOOSE)
    let_out(policy, request, Answer(codes=codes), None, ledger)
    assert [entry["action"] for entry in ledger.entries()] == ["holdings"]
    other = d.make_request(spec=d.make_spec(run="pilot-2"), cells=d.CELLS[:1])
    assert let_out(d.make_policy(runs_a_year=1), other, d.make_answer(other), None, ledger).code is Code.OK


def test_the_coordinator_takes_codes_and_no_numbers():
    request = asked()
    count = len(request.slots())
    none, codes, cost = np.zeros(0, "<i8"), np.zeros(count, "<i8"), np.zeros(11, "<i8")
    assert [code for _, code, _ in unpack(request, none, codes, cost)] == [Code.OK] * count
    with pytest.raises(FederationError):
        unpack(request, np.ones(1, "<i8"), codes, cost)
