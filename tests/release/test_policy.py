"""The policy: careful by default, bound to digests, and only ever made stricter."""

from __future__ import annotations

from datetime import datetime

import doorway as d
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kommunbench.core.endpoints import own_network
from kommunbench.core.model import TrainSettings
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
    min_sites=st.integers(1, 5),
    tasks=approved,
    models=approved,
    metrics=st.one_of(st.just("all"), st.lists(st.sampled_from(d.QA.metrics + d.SHORT.metrics)).map(tuple)),
    training=verdict,
    adapters=st.sampled_from(["deny", "approve", "allow"]),
    max_update_norm=st.floats(0, 9),
    memorisation=st.sampled_from(["stop", "measure", "skip"]),
    max_exposure_bits=st.floats(0, 9),
    max_membership_auc=st.floats(0.5, 1),
    results=st.sampled_from(["deny", "approve", "allow"]),
    endpoints=st.dictionaries(
        st.sampled_from(("gpu:80", "a:1")), st.sampled_from(("10.0.0.0/8", "10.1.0.0/16", "127.0.0.0/8")), max_size=2
    ),
    full_tuning=verdict,
    max_adapter_mib=st.floats(1, 900),
    rounding=st.integers(1, 12),
    max_minutes=st.integers(0, 90),
    retention_days=st.integers(0, 400),
    max_examples=st.integers(0, 100),
    max_new_tokens=st.integers(1, 100),
    hours=st.sampled_from(["always", "08:00-17:00", "18:00-06:00", "12:00-12:01 and 08:00-17:00"]),
    runs_a_year=st.integers(0, 9),
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
    assert both.min_sites >= max(mine.min_sites, other.min_sites)
    spec = d.make_spec(min_sites=3)
    assert both.sites(spec) == max(mine.sites(spec), other.sites(spec))
    for asked in (d.make_request(), d.masked_request()):
        assert (both.sum_code(asked) is Code.OK) == all(each.sum_code(asked) is Code.OK for each in (mine, other))
    assert limit(both.max_examples) <= min(limit(mine.max_examples), limit(other.max_examples))
    assert both.max_new_tokens <= min(mine.max_new_tokens, other.max_new_tokens)
    for name in ("runs_a_year", "max_minutes", "retention_days"):
        assert limit(getattr(both, name)) <= min(limit(getattr(mine, name)), limit(getattr(other, name)))
    assert both.max_adapter_mib <= min(mine.max_adapter_mib, other.max_adapter_mib)
    for server, network in both.endpoints.items():
        assert all(own_network(network).subnet_of(own_network(side.endpoints[server])) for side in (mine, other))
    assert both.rounding >= max(mine.rounding, other.rounding)
    for hour in range(24):
        moment = datetime(2026, 3, 1, hour, 0)
        assert both.open_at(moment) == (mine.open_at(moment) and other.open_at(moment))
    sides = [bound(mine), bound(other)]
    order = ["deny", "approve", "allow"].index
    looser = ["stop", "measure", "skip"].index
    assert looser(both.memorisation) == min(looser(side.memorisation) for side in sides)
    for name in ("max_exposure_bits", "max_membership_auc"):
        assert getattr(both, name) == min(getattr(side, name) for side in sides)
    limits = [side.max_update_norm or float("inf") for side in sides]
    assert (both.max_update_norm or float("inf")) == min(limits)
    for name in ("training", "adapters", "results", "full_tuning"):
        assert order(getattr(both, name)) == min(order(getattr(side, name)) for side in sides)
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


@pytest.mark.parametrize("hours", ["never", "8-17", "24:00-06:00", "08:00-17:60", "08:00-17:00 or 18:00-19:00", ""])
def test_hours_that_are_none_are_refused(hours):
    with pytest.raises(ValidationError):
        ReleasePolicy(hours=hours)


def test_the_defaults_are_the_careful_ones():
    policy = ReleasePolicy()
    assert (policy.min_examples, policy.min_cell, policy.min_difference) == (10, 5, 10)
    assert (policy.training, policy.adapters, policy.memorisation) == ("deny", "deny", "stop")
    assert (policy.training, policy.adapters) == ("deny", "deny")
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
