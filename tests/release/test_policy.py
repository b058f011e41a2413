"""The policy: careful by default and bound to digests. That no run loosens it: test_policy_holds.py."""

from __future__ import annotations

from datetime import datetime

import doorway as d
import pytest
from pydantic import ValidationError

from kommunbench.core.answer import Code
from kommunbench.core.dp import DpSettings
from kommunbench.core.model import TrainSettings
from kommunbench.core.registry import find
from kommunbench.core.spec import JudgeRef, ModelRef, PromptRef, Slot
from kommunbench.release import ReleasePolicy


@pytest.mark.parametrize(
    ("hours", "open_", "closed"),
    [
        ("08:00-17:00", ["08:00", "16:59"], ["07:59", "17:00", "00:00"]),
        ("18:00-06:00", ["18:00", "23:59", "00:00", "05:59"], ["06:00", "17:59"]),
        ("08:00-17:00 and 16:00-18:00", ["16:00", "16:59"], ["15:59", "17:00"]),
        ("07:00-07:00", ["07:00", "06:59"], []),
    ],
)
def test_hours(hours, open_, closed):
    at = ReleasePolicy(hours=hours).open_at
    assert all(at(datetime.fromisoformat(f"2026-03-01T{clock}")) for clock in open_)
    assert not any(at(datetime.fromisoformat(f"2026-03-01T{clock}")) for clock in closed)


def test_always_is_at_any_time():
    assert all(ReleasePolicy().open_at(datetime.fromisoformat(f"2026-03-01T{hour:02}:00")) for hour in range(24))


def test_what_staff_said_is_a_metric_where_ratings_are_allowed():
    assert d.make_policy().metric_code(d.task_ref(d.QA), "rated_correct") is Code.METRIC_NOT_ALLOWED
    assert d.make_policy(ratings="allow").metric_code(d.task_ref(d.QA), "rated_correct") is Code.OK


def test_a_policy_that_knows_nothing_installed_allows_no_metric():
    assert ReleasePolicy().metric_code(d.task_ref(d.QA), d.QA.metrics[0]) is Code.METRIC_NOT_ALLOWED


@pytest.mark.parametrize("hours", ["never", "8-17", "24:00-06:00", "08:00-17:60", "08:00-17:00 or 18:00-19:00", ""])
def test_hours_that_are_none_are_refused(hours):
    with pytest.raises(ValidationError):
        ReleasePolicy(hours=hours)


def test_the_defaults_are_the_careful_ones():
    policy = ReleasePolicy()
    assert (policy.min_examples, policy.min_cell, policy.min_difference) == (10, 5, 10)
    assert (policy.training, policy.adapters, policy.memorisation) == ("deny", "deny", "stop")
    assert policy.retention_days == 365


def test_results_deny_is_training_only():
    policy = d.make_policy(results="deny", training="allow", adapters="allow")
    assert {policy.cell_code(d.make_spec(), cell) for cell in d.CELLS} == {Code.METRIC_NOT_ALLOWED}
    assert policy.adapter_code(d.train_request()) is Code.OK


@pytest.mark.parametrize("digest", ["", "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "anything"])
def test_a_name_needs_a_real_digest(digest):
    with pytest.raises(ValidationError):
        ReleasePolicy(models={"nano": digest})


def test_a_digest_that_is_approved_but_not_installed_is_no_approval():
    policy = ReleasePolicy(models={"nano": "b" * 64}).with_installed((d.QA,), {"nano": "a" * 64})
    for digest in ("a" * 64, "b" * 64):
        assert policy.model_code(ModelRef(name="nano", digest=digest)) is Code.MODEL_NOT_APPROVED


@pytest.mark.parametrize(("mine", "asked", "most"), [(0, 0, 0), (0, 7, 7), (9, 0, 9), (9, 7, 7), (9, 12, 9)])
def test_the_lower_limit_of_examples_holds_and_0_is_none(mine, asked, most):
    assert ReleasePolicy(max_examples=mine).examples(d.task_ref(d.QA, max_examples=asked)) == most


def test_a_policy_that_was_changed_past_its_checks_is_refused():
    with pytest.raises(ValidationError):
        ReleasePolicy().model_copy(update={"min_examples": 0}).checked()


def test_checked_keeps_settings_and_what_is_installed():
    policy = d.make_policy(min_examples=12)
    assert policy.checked() == policy
    assert policy.checked().task_code(d.task_ref(d.QA)) is Code.OK


def test_the_digest_is_of_the_settings_alone():
    assert ReleasePolicy().digest == d.make_policy().digest != ReleasePolicy(min_cell=6).digest


@pytest.mark.parametrize(
    ("policy", "request_", "code"),
    [
        ({"training": "allow"}, d.train_request(), Code.OK),
        ({}, d.train_request(), Code.TRAINING_DENIED),
        ({"training": "allow"}, d.make_request(), Code.BAD_REQUEST),
        ({"training": "allow"}, d.make_request(train=True, action="close"), Code.BAD_REQUEST),
        ({"training": "allow", "max_new_tokens": 1}, d.train_request(), Code.OVER_LIMIT),
    ],
)
def test_training_needs_every_task_and_the_model(policy, request_, code):
    assert d.make_policy(**policy).training_code(request_) is code


@pytest.mark.parametrize(
    ("name", "digest", "metric", "code"),
    [
        ("nano", "a" * 64, "judged_correct", Code.OK),
        ("nano", "c" * 64, "judged_correct", Code.MODEL_NOT_APPROVED),
        ("other", "a" * 64, "judge_agreement", Code.MODEL_NOT_APPROVED),
        ("other", "c" * 64, "rated_correct", Code.OK),
    ],
)
def test_a_judge_is_a_model_that_is_approved_by_digest(name, digest, metric, code):
    judge = JudgeRef(name=name, digest=digest, rubric="r" * 64)
    slot = Slot((d.CELLS[0], metric), find("metrics", metric))
    assert d.make_policy().judge_code(d.make_request(judge=judge), slot) is code
    assert d.make_policy().judge_code(d.make_request(), slot) is Code.OK


@pytest.mark.parametrize(
    ("min_sites", "request_", "code"),
    [
        (1, d.make_request(), Code.OK),
        (2, d.make_request(), Code.TOO_FEW_SITES),
        (2, d.masked_request(), Code.OK),
        (1, d.make_request(spec=d.make_spec(privacy="secagg")), Code.BAD_REQUEST),
        (1, d.masked_request(spec=d.make_spec()), Code.BAD_REQUEST),
    ],
)
def test_a_site_s_own_sums_are_seen_only_where_one_site_is_enough(min_sites, request_, code):
    assert d.make_policy(min_sites=min_sites).sum_code(request_) is code


def test_a_masked_sum_is_over_two_sites_at_least_whatever_is_asked_for():
    assert ReleasePolicy().sites(d.make_spec(privacy="secagg")) == 2
    assert ReleasePolicy(min_sites=4).sites(d.make_spec(privacy="secagg", min_sites=3)) == 4
    assert ReleasePolicy().sites(d.make_spec(privacy="secagg", min_sites=3)) == 3


@pytest.mark.parametrize(
    ("policy", "method", "code"),
    [({}, "full", Code.TRAINING_DENIED), ({}, "dora", Code.OK), ({"full_tuning": "allow"}, "full", Code.OK)],
)
def test_a_site_may_refuse_to_train_every_weight(policy, method, code):
    allowed = d.make_policy(training="allow", adapters="allow", **policy)
    request = d.train_request(spec=d.make_spec(train=TrainSettings(method=method)))
    assert allowed.training_code(request) is allowed.adapter_code(request) is code


NOISE = DpSettings(tallies="laplace", tally_epsilon=1.0)


@pytest.mark.parametrize(
    ("policy", "spec", "code"),
    [
        ({}, {"dp": NOISE}, Code.OK),
        ({}, {"dp": NOISE, "privacy": "secagg"}, Code.BAD_REQUEST),
        ({}, {"dp": NOISE, "prompts": (PromptRef(name="a", variant="a", shots=1),)}, Code.BAD_REQUEST),
        ({}, {"prompts": (PromptRef(name="a", variant="a", shots=1),)}, Code.OK),
        ({"noise": "required"}, {}, Code.NOISE_REQUIRED),
    ],
)
def test_noise_is_for_sums_of_one_site_without_worked_examples(policy, spec, code):
    slot = Slot((d.CELLS[0], d.QA.metrics[0]), find("metrics", d.QA.metrics[0]))
    assert d.make_policy(**policy).slot_code(d.make_spec(**spec), slot) is code


@pytest.mark.parametrize(
    ("policy", "cell", "code"),
    [
        ({}, d.cell(), Code.OK),
        ({}, d.cell(split="train"), Code.BAD_REQUEST),
        ({}, d.cell("unknown"), Code.BAD_REQUEST),
        ({}, d.cell(model="unknown"), Code.BAD_REQUEST),
        ({}, d.cell(stage="local"), Code.MODEL_NOT_APPROVED),
        ({"training": "private"}, d.cell(stage="local"), Code.OK),
        ({"received_adapters": "allow"}, d.cell(stage="local"), Code.OK),
        ({"tasks": {}}, d.cell(), Code.TASK_NOT_APPROVED),
        ({"models": {}}, d.cell(), Code.MODEL_NOT_APPROVED),
    ],
)
def test_a_cell_is_evaluated_where_its_split_its_weights_its_task_and_its_model_are_approved(policy, cell, code):
    assert d.make_policy(**policy).cell_code(d.make_spec(), cell) is code


def test_a_pair_leaves_where_both_of_its_cells_may():
    slot = Slot((d.cell(), d.cell(model="lead"), "abstention", "abstention_recall"))
    assert d.make_policy().slot_code(d.make_spec(), slot) is Code.OK
    for name in d.MODELS:
        assert d.make_policy(models={name: "installed"}).slot_code(d.make_spec(), slot) is Code.MODEL_NOT_APPROVED
    assert d.make_policy(metrics=("chrf",)).slot_code(d.make_spec(), slot) is Code.METRIC_NOT_ALLOWED
