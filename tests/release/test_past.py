"""What has left before: which sets of examples a number is about, and what is left of a run's minutes."""

from __future__ import annotations

import doorway as d
import pytest

from kommunbench.core.registry import find
from kommunbench.core.spec import RATED, Slot
from kommunbench.release import Ledger, left_ms
from kommunbench.release.past import sets_of


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
