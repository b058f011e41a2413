"""The policy: careful by default, bound to digests, and only ever made stricter."""

from __future__ import annotations

import doorway as d
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kommunbench.core.spec import Code, ModelRef
from kommunbench.release import ReleasePolicy

DIGESTS = ("a" * 64, "b" * 64, d.QA.digest, d.SHORT.digest)
NAMES = ("guideline_qa", "summarization", "nano", "lead")
approved = st.one_of(
    st.just("installed"), st.dictionaries(st.sampled_from(NAMES), st.sampled_from((*DIGESTS, "installed")), max_size=4)
)
verdict = st.sampled_from(["allow", "deny"])
policies = st.builds(
    ReleasePolicy,
    min_examples=st.integers(1, 50),
    min_cell=st.integers(1, 20),
    min_difference=st.integers(1, 20),
    tasks=approved,
    models=approved,
    metrics=st.one_of(st.just("all"), st.lists(st.sampled_from(d.QA.metrics + d.SHORT.metrics)).map(tuple)),
    training=verdict,
    adapters=verdict,
    max_examples=st.integers(0, 100),
    max_new_tokens=st.integers(1, 100),
)


def limit(value: int) -> float:
    return value or float("inf")


@settings(max_examples=150, deadline=None)
@given(policies, policies, st.booleans())
def test_stricter_never_loosens_and_allows_what_both_allow(mine, other, first):
    """Approval of both is approval of each, whichever of them is bound to what is installed."""
    bound = lambda policy: policy.with_installed((d.QA, d.SHORT), d.MODELS)  # noqa: E731
    both = bound(mine.stricter(other)) if first else bound(mine).stricter(other)
    assert both.min_examples >= max(mine.min_examples, other.min_examples)
    assert both.min_cell >= max(mine.min_cell, other.min_cell)
    assert both.min_difference >= max(mine.min_difference, other.min_difference)
    assert limit(both.max_examples) <= min(limit(mine.max_examples), limit(other.max_examples))
    assert both.max_new_tokens <= min(mine.max_new_tokens, other.max_new_tokens)
    sides = [bound(mine), bound(other)]
    for name in ("training", "adapters"):
        assert (getattr(both, name) == "allow") == all(getattr(side, name) == "allow" for side in sides)
    for task in (d.QA, d.SHORT):
        for digest in DIGESTS:
            ref = d.task_ref(task, digest=digest)
            assert (both.task_code(ref) is Code.OK) == all(side.task_code(ref) is Code.OK for side in sides)
        for metric in d.QA.metrics + d.SHORT.metrics:
            verdicts = [side.metric_code(d.task_ref(task), metric) is Code.OK for side in sides]
            assert (both.metric_code(d.task_ref(task), metric) is Code.OK) == all(verdicts)
    for name in NAMES:
        for digest in DIGESTS:
            ref = ModelRef(name=name, digest=digest)
            assert (both.model_code(ref) is Code.OK) == all(side.model_code(ref) is Code.OK for side in sides)


@given(policies, policies)
def test_stricter_does_not_make_an_unbound_policy_approve(mine, other):
    both = mine.stricter(other.with_installed((d.QA, d.SHORT), d.MODELS))
    assert both.task_code(d.task_ref(d.QA)) is Code.TASK_NOT_APPROVED
    assert both.model_code(ModelRef(name="nano", digest="a" * 64)) is Code.MODEL_NOT_APPROVED
    assert both.metric_code(d.task_ref(d.QA), d.QA.metrics[0]) is Code.METRIC_NOT_ALLOWED


def test_the_defaults_are_the_careful_ones():
    policy = ReleasePolicy()
    assert (policy.min_examples, policy.min_cell, policy.min_difference) == (10, 5, 10)
    assert (policy.training, policy.adapters) == ("deny", "deny")


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
