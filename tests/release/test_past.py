"""What has left before: which sets of examples a number is about, and what is left of a run's minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import doorway as d
import pytest

from kommunbench.core.answer import Code
from kommunbench.core.registry import find
from kommunbench.core.spec import RATED, Slot
from kommunbench.release import Ledger, admit, left_ms
from kommunbench.release.past import Past, sets_of


def test_an_answer_of_any_model_is_about_the_same_examples_and_a_rating_about_its_own_cell():
    one, other = d.CELLS[:2]
    work = {each.key[0]: sets_of(each) for each in d.make_request().slots() if each.key[1] == "abstention"}
    assert work[one] == work[other] == [f"{one.task}/{one.split}/abstention"]
    rated = [sets_of(Slot((each, RATED[0]), find("metrics", RATED[0]))) for each in (one, other)]
    assert rated[0] != rated[1]
    assert all(len(found) == 1 and found[0].endswith(f"/{RATED[0]}") for found in rated)


@pytest.mark.parametrize(("minutes", "left"), [(0, None), (5, 300_000)])
def test_an_untouched_run_has_all_the_policys_minutes_or_no_limit(tmp_path, minutes, left):
    policy = d.make_policy(max_minutes=minutes)
    assert left_ms(policy, d.make_request(), Ledger(tmp_path / "ledger.jsonl")) == left


def test_what_the_ledger_counts_is_taken_from_the_runs_minutes_and_no_other_runs(tmp_path):
    policy, request, ledger = d.make_policy(max_minutes=2), d.make_request(), Ledger(tmp_path / "ledger.jsonl")
    line = {"time": "2026-01-01T00:00:00+00:00", "sets": {}, "ms": 50_000}
    ledger.append({**line, "spec": request.spec.digest})
    ledger.append({**line, "spec": "f" * 64})
    assert left_ms(policy, request, ledger) == 70_000


@pytest.mark.parametrize(("ms", "work"), [(119_999, Code.OK), (120_000, Code.OVER_LIMIT)])
def test_no_work_is_begun_when_the_runs_minutes_are_spent_and_what_was_done_may_be_closed(tmp_path, ms, work):
    policy, request, ledger = d.make_policy(max_minutes=2), d.make_request(), Ledger(tmp_path / "ledger.jsonl")
    ledger.append({"time": "2026-01-01T00:00:00+00:00", "sets": {}, "ms": ms, "spec": request.spec.digest})
    assert admit(policy, request, ledger) is work
    assert admit(policy, d.close_request(request.spec), ledger) is Code.OK
    assert admit(d.make_policy(), request, ledger) is Code.OK, "no minutes are no limit"


def test_sets_are_remembered_for_ever_runs_for_a_year_and_time_for_the_run_itself():
    now = datetime(2020, 3, 1, tzinfo=UTC)
    long_ago, lately = (now - timedelta(days=days) for days in (900, 3))
    left = {"released": 2, "adapter": "PENDING", "time": lately.isoformat()}
    lines = [
        {"decision": "approved", "time": lately.isoformat()},
        {**left, "spec": "a", "ms": 40, "sets": {"qa": [40]}},
        {"spec": "a", "time": lately.isoformat()},
        {**left, "spec": "a", "ms": 2, "sets": {"qa": [41], "other": [7]}},
        {**left, "spec": "b", "ms": 500, "sets": {"qa": [30]}, "dp": {"epsilon": 0.5, "delta": 1e-6}},
        {**left, "spec": "b", "sets": {"qa": [50, 30]}},
        {**left, "spec": "c", "time": long_ago.isoformat(), "sets": {"old": [9]}},
        {**left, "spec": "d", "released": 0},
        {**left, "spec": "e", "released": 0, "adapter": "OK"},
        {**left, "spec": "f", "action": "holdings"},
    ]
    past = Past.of(iter(lines), "a", now)
    assert past.here == {"qa": {40, 41}, "other": {7}}
    assert past.elsewhere == {"qa": {30, 50}, "old": {9}}
    assert (past.runs, past.ms, past.now) == (2, 42, now), "b and e got something this year"
    assert past.spent.elsewhere == (0.5, 1e-6)
