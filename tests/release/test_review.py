"""What the door lets through, what it holds back and with which code."""

from __future__ import annotations

import dataclasses
import logging
import re
from datetime import UTC, datetime, timedelta

import doorway as d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kommunbench.core.answer import Answer, Code, Cost
from kommunbench.core.errors import PolicyError
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import JUDGED, RATED, Cell, JudgeRef, ModelRef, Total
from kommunbench.release import Ledger, admit, let_out, refuse, review
from kommunbench.release.past import Past
from kommunbench.release.review import log_place

SHOWN = Past(here={"guideline_qa/test/abstention": frozenset({d.N})})


def released(request, answer, policy=None, past=None, received=None):
    return review(policy or d.make_policy(), request, answer, received, past)


def codes(request, release):
    return {key: code for key, (code, _) in d.rows_of(request, release).items()}


def test_a_good_answer_leaves_as_it_is():
    request = d.make_request()
    answer = d.make_answer(request)
    release = released(request, answer)
    assert (release.code, release.adapter_code) == (Code.OK, Code.OK)
    assert {key: row for key, (_, row) in d.rows_of(request, release).items()} == answer.values
    assert set(codes(request, release).values()) == {Code.OK}


@pytest.mark.parametrize(("n", "code"), [(0, Code.TOO_FEW_EXAMPLES), (9, Code.TOO_FEW_EXAMPLES), (10, Code.OK)])
def test_fewer_scored_than_min_examples_stay(n, code):
    request = d.make_request(cells=d.CELLS[2:3])
    release = released(request, d.make_answer(request, n))
    assert set(codes(request, release).values()) == {code}
    assert bool(release.values.any()) == (code is Code.OK)


@pytest.mark.parametrize(
    ("support", "code"),
    [(count, Code.SMALL_CELL) for count in (1, 4, 36, 39)] + [(count, Code.OK) for count in (0, 5, 35, 40)],
)
def test_a_small_kind_of_example_and_its_complement_hold_the_metric_back(support, code):
    request = d.make_request(cells=d.CELLS[:1])
    slot = next(slot for slot in request.slots() if slot.key[1] == "abstention")
    answer = d.make_answer(request)
    answer.values = {**answer.values, slot.key: (40, 0, support, 40 - support, 0, 0)}
    assert codes(request, released(request, answer))[slot.key] is code


def test_min_cell_1_turns_the_rule_on_kinds_off():
    request = d.make_request(cells=d.CELLS[:1])
    slot = next(slot for slot in request.slots() if slot.key[1] == "abstention")
    answer = d.make_answer(request)
    answer.values = {**answer.values, slot.key: (40, 0, 1, 39, 0, 0)}
    assert codes(request, released(request, answer, d.make_policy(min_cell=1)))[slot.key] is Code.OK


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"tasks": {"summarization": "installed"}}, Code.TASK_NOT_APPROVED),
        ({"tasks": {"guideline_qa": "c" * 64, "summarization": "installed"}}, Code.TASK_NOT_APPROVED),
        ({"models": {"lead": "installed"}}, Code.MODEL_NOT_APPROVED),
        ({"metrics": ("rouge",)}, Code.METRIC_NOT_ALLOWED),
        ({"max_new_tokens": 47}, Code.OVER_LIMIT),
        ({"max_examples": d.N - 1}, Code.OVER_LIMIT),
        ({"max_examples": d.N}, Code.OK),
        ({"tasks": {"guideline_qa": d.QA.digest}, "models": {"nano": "a" * 64}, "metrics": d.QA.metrics}, Code.OK),
    ],
)
def test_what_the_policy_does_not_allow_stays(policy, code):
    request = d.make_request(cells=d.CELLS[:1])
    release = released(request, d.make_answer(request), d.make_policy(**policy))
    assert set(codes(request, release).values()) == {code}


def test_unscored_examples_count_against_max_examples():
    request = d.make_request(cells=d.CELLS[:1])
    answer = d.make_answer(request)
    answer.values = {slot.key: d.row(slot, unscored=1) for slot in request.slots()}
    release = released(request, answer, d.make_policy(max_examples=d.N))
    assert set(codes(request, release).values()) == {Code.OVER_LIMIT}


def test_a_metric_that_the_installed_task_does_not_name_stays():
    spec = d.make_spec(tasks=(d.task_ref(d.QA, metrics=("rouge",)),))
    request = d.make_request(spec=spec, cells=d.CELLS[:1])
    assert set(codes(request, released(request, d.make_answer(request))).values()) == {Code.METRIC_NOT_ALLOWED}


def test_nothing_is_approved_until_the_door_knows_what_is_installed():
    request = d.make_request()
    policy = d.ReleasePolicy(tasks={"guideline_qa": d.QA.digest, "summarization": d.SHORT.digest})
    assert set(codes(request, released(request, d.make_answer(request), policy)).values()) == {Code.TASK_NOT_APPROVED}
    policy = d.ReleasePolicy().with_installed((d.QA, d.SHORT), {})
    assert set(codes(request, released(request, d.make_answer(request), policy)).values()) == {Code.MODEL_NOT_APPROVED}


def test_what_was_not_worked_out_has_the_code_that_the_site_gave_or_not_available():
    request = d.make_request(cells=d.CELLS[:1])
    first, second, *rest = (slot.key for slot in request.slots())
    answer = d.make_answer(request)
    answer.codes = {first: Code.NO_DATA}
    answer.values = {key: row for key, row in answer.values.items() if key != second}
    found = codes(request, released(request, answer))
    assert found == {first: Code.NO_DATA, second: Code.NOT_AVAILABLE, **dict.fromkeys(rest, Code.OK)}


def test_a_code_that_is_no_code_becomes_internal():
    request = d.make_request(cells=d.CELLS[:1])
    answer = d.make_answer(request)
    answer.codes = {slot.key: 12 for slot in request.slots()}
    assert set(codes(request, released(request, answer)).values()) == {Code.INTERNAL}


def test_costs_leave_rounded():
    request = d.train_request()
    answer = d.trained(request)
    answer.cost = Cost(1249, 1251, 44, 1499, 1501, 36, 24, 999)
    release = released(request, answer, d.make_policy(training="allow", adapters="allow"), received=d.weights())
    assert release.cost.tolist() == [1200, 1300, 40, 1000, 2000, 40, 20, 1000, 0, 0, 0]


def test_costs_of_a_reply_with_a_set_too_small_to_show_are_times_only():
    request = d.make_request()
    answer = d.make_answer(request)
    small = d.CELLS[0]
    answer.values = {slot.key: d.row(slot, 7 if slot.key[0] == small else d.N) for slot in request.slots()}
    answer.cost = dataclasses.replace(answer.cost, reused=30)
    assert released(request, answer).cost.tolist() == [1200, *[0] * 10]


def test_costs_stay_where_nothing_else_leaves():
    request = d.make_request()
    assert not released(request, d.make_answer(request, 3)).cost.any()


@pytest.mark.parametrize(("amount", "leaves"), [(10**12, True), (10**12 + 1, False)])
def test_the_largest_cost_of_a_run_leaves_and_more_is_none(amount, leaves):
    request = d.make_request()
    cost = released(request, d.make_answer(request, cost=Cost(*[amount] * 11))).cost
    assert cost.tolist() == [*[amount if leaves else 0] * 10, 0]


@pytest.mark.parametrize("cost", [Cost(examples=-1), Cost(examples=1.5), Cost(examples=2**63), (1,) * 8])
def test_a_malformed_cost_is_left_out(cost):
    request = d.make_request()
    answer = d.make_answer(request, cost=cost)
    release = released(request, answer)
    assert release.code is Code.OK
    assert not release.cost.any()


def test_an_adapter_leaves_where_the_policy_allows_it():
    request = d.train_request()
    release = released(
        request, d.trained(request), d.make_policy(training="allow", adapters="allow"), received=d.weights()
    )
    assert release.adapter_code is Code.OK
    assert {key: array.tolist() for key, array in release.adapter.items()} == {
        "layer.0.lora_A": [[1.0] * 3] * 2,
        "layer.0.lora_B": [[1.0] * 2] * 3,
    }
    assert not any(array.flags.writeable for array in release.adapter.values())


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({}, Code.TRAINING_DENIED),
        ({"training": "allow"}, Code.ADAPTER_DENIED),
        ({"adapters": "allow"}, Code.TRAINING_DENIED),
        ({"training": "allow", "adapters": "allow", "min_examples": 31}, Code.TOO_FEW_EXAMPLES),
        ({"training": "allow", "adapters": "allow", "models": {"lead": "installed"}}, Code.MODEL_NOT_APPROVED),
        ({"training": "allow", "adapters": "allow", "tasks": {"summarization": "installed"}}, Code.TASK_NOT_APPROVED),
    ],
)
def test_an_adapter_stays_where_the_policy_says_so_and_the_rest_leaves(policy, code):
    request = d.train_request()
    release = released(request, d.trained(request), d.make_policy(**policy), received=d.weights())
    assert release.adapter_code is code
    assert release.adapter == {}
    assert Code.OK in codes(request, release).values()


def test_an_adapter_that_nobody_asked_for_stays():
    request = d.make_request()
    policy = d.make_policy(training="allow", adapters="allow")
    release = released(request, d.trained(request), policy, received=d.weights())
    assert (release.adapter_code, release.adapter) == (Code.ADAPTER_DENIED, {})


def test_training_without_an_adapter_says_why():
    request, policy = d.train_request(), d.make_policy(training="allow", adapters="allow")
    assert released(request, d.make_answer(request), policy).adapter_code is Code.NOT_AVAILABLE
    answer = d.make_answer(request, adapter_code=Code.NO_DATA)
    assert released(request, answer, policy).adapter_code is Code.NO_DATA


def test_training_of_a_model_that_the_run_does_not_name_is_a_bad_request():
    request = d.train_request(spec=d.make_spec(trained_model="other"))
    policy = d.make_policy(training="allow", adapters="allow")
    assert released(request, d.trained(request), policy, received=d.weights()).adapter_code is Code.BAD_REQUEST


@pytest.mark.parametrize("counted", ["train_examples", "train_steps"])
@pytest.mark.parametrize("count", [True, 30.0, "30", None])
def test_an_adapter_from_uncounted_examples_or_steps_stays_and_the_rest_leaves(counted, count):
    request, policy = d.train_request(), d.make_policy(training="allow", adapters="allow")
    answer = d.trained(request)
    answer.cost = dataclasses.replace(answer.cost, **{counted: count})
    release = released(request, answer, policy, received=d.weights())
    assert (release.adapter_code, release.code, release.adapter) == (Code.INTERNAL, Code.OK, {})


def test_an_adapter_of_a_run_that_says_nothing_of_training_stays_and_the_rest_leaves():
    request, policy = d.train_request(spec=d.make_spec(train=None)), d.make_policy(training="allow", adapters="allow")
    release = released(request, d.trained(request), policy, received=d.weights())
    assert (release.adapter_code, release.code, release.adapter) == (Code.INTERNAL, Code.OK, {})


@pytest.mark.parametrize(("digest", "code"), [("a" * 64, Code.OK), ("c" * 64, Code.MODEL_NOT_APPROVED)])
def test_what_a_judge_said_leaves_where_it_is_approved_and_what_staff_said_leaves_anyway(digest, code):
    judge = JudgeRef(name="nano", digest=digest, rubric="r" * 64)
    request = d.make_request(action="ratings", cells=d.CELLS[:1], judge=judge)
    release = released(request, d.make_answer(request), d.make_policy(ratings="allow", min_cell=1))
    found = {key[1]: found for key, found in codes(request, release).items()}
    assert found == {**dict.fromkeys(RATED, Code.OK), **dict.fromkeys(JUDGED, code)}


@pytest.mark.parametrize(("steps", "code"), [(4, Code.TOO_FEW_EXAMPLES), (5, Code.OK)])
def test_an_adapter_is_of_the_examples_that_its_steps_saw(steps, code):
    request = d.train_request(spec=d.make_spec(train=TrainSettings(learning_rate=0.5, batch_size=2)))
    answer = d.trained(request)
    answer.cost = dataclasses.replace(answer.cost, train_steps=steps)
    policy = d.make_policy(training="allow", adapters="allow")
    assert released(request, answer, policy, received=d.weights(0.9)).adapter_code is code


def test_a_closing_sum_leaves_where_its_tally_did():
    request = d.close_request()
    answer = d.make_answer(request)
    release = released(request, answer, past=SHOWN)
    assert {key: row for key, (_, row) in d.rows_of(request, release).items()} == answer.values


def test_a_closing_sum_stays_where_its_tally_stayed():
    request = d.close_request()
    release = released(request, d.make_answer(request))
    assert set(codes(request, release).values()) == {Code.NOT_AVAILABLE}
    assert not release.values.any()


@pytest.mark.parametrize(("n", "code"), [(d.N, Code.OK), (d.N - 9, Code.SMALL_CELL), (d.N - 10, Code.OK)])
def test_a_closing_sum_over_all_but_a_few_stays(n, code):
    request = d.close_request()
    release = released(request, d.make_answer(request, n), past=SHOWN)
    assert set(codes(request, release).values()) == {code}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ((40, 40, 40), Code.OK),
        ((40, -120, 0), Code.INTERNAL),
        ((40, 10**6, 10**6), Code.INTERNAL),
        ((40, 0, -1), Code.INTERNAL),
        ((9, 1, 1), Code.TOO_FEW_EXAMPLES),
        ((-40, 0, 0), Code.INTERNAL),
    ],
)
def test_closing_sums_must_be_sums_of_squares_over_enough_examples(row, code):
    request = d.close_request()
    answer = Answer(values={slot.key: row for slot in request.slots()})
    assert set(codes(request, released(request, answer, past=SHOWN)).values()) == {code}


def test_closing_totals_of_a_task_that_the_run_does_not_have_refuse_everything():
    request = d.close_request(d.make_spec(tasks=(d.task_ref(d.SHORT),)))
    release = released(request, d.make_answer(request), past=SHOWN)
    assert set(codes(request, release).values()) == {Code.BAD_REQUEST}


def test_a_set_that_differs_by_a_few_from_one_that_left_stays():
    request = d.make_request(cells=d.CELLS[:1])
    others = {f"guideline_qa/test/{metric}": frozenset({41}) for metric in d.QA.metrics}
    answer = d.make_answer(request)
    for past, code in [
        (Past(elsewhere=others), Code.SMALL_CELL),
        (Past(here=others), Code.SMALL_CELL),
        (Past(elsewhere={name: frozenset({d.N, 50, 30}) for name in others}), Code.OK),
    ]:
        assert set(codes(request, released(request, answer, past=past)).values()) == {code}
    loose = d.make_policy(min_difference=1)
    release = released(request, answer, loose, past=Past(elsewhere=others))
    assert set(codes(request, release).values()) == {Code.OK}


def test_costs_leave_beside_what_stays_for_another_reason_than_its_size():
    request = d.make_request(cells=d.CELLS[:1])
    past = Past(elsewhere={"guideline_qa/test/abstention": frozenset({41})})
    allowed = d.make_policy(metrics=tuple(name for name in d.QA.metrics if name != "abstention"))
    for policy, examples in ((allowed, 160), (d.make_policy(), 0)):
        assert released(request, d.make_answer(request), policy, past).cost[2] == examples


def test_the_same_slot_twice_is_a_bad_request():
    request = d.make_request(cells=(d.CELLS[0], d.CELLS[0]))
    release = released(request, d.make_answer(request))
    assert release.codes.tolist() == [Code.BAD_REQUEST] * len(request.slots())
    assert not release.values.any()


def test_a_cell_of_a_model_that_the_run_does_not_have_is_refused():
    release = released(d.make_request(cells=(d.cell(model="unknown"),)), Answer())
    assert set(release.codes.tolist()) == {Code.BAD_REQUEST}
    assert not release.values.any()


@pytest.mark.parametrize(
    "asked",
    [
        {"cells": (d.cell("unknown"),)},
        {"action": "close", "cells": (), "totals": (Total(cell=d.CELLS[0], metric="unknown", total=()),)},
        {"cells": (), "pairs": d.close_request().pairs},
    ],
)
def test_a_request_that_asks_for_something_and_has_no_layout_is_refused(asked):
    release = released(d.make_request(**asked), Answer())
    assert (release.code, len(release.codes), len(release.values)) == (Code.BAD_REQUEST, 0, 0)


def test_a_model_named_twice_is_refused():
    models = (ModelRef(name="nano", digest="a" * 64), ModelRef(name="nano", digest="e" * 64))
    request = d.make_request(spec=d.make_spec(models=models), cells=d.CELLS[:1])
    assert set(codes(request, released(request, d.make_answer(request))).values()) == {Code.BAD_REQUEST}


@pytest.mark.parametrize("policy", [None, object(), {"min_examples": 1}])
def test_without_a_policy_nothing_leaves(policy):
    request = d.make_request()
    release = review(policy, request, d.make_answer(request), None)
    assert release.code is Code.POLICY_MISSING
    assert set(release.codes.tolist()) == {Code.POLICY_MISSING}
    assert not release.values.any()


def test_an_answer_that_is_not_one_is_refused():
    class Loud(Answer):
        pass

    request = d.make_request()
    release = released(request, Loud(values=d.make_answer(request).values))
    assert release.code is Code.INTERNAL
    assert release.codes.tolist() == [Code.INTERNAL] * len(request.slots())


class TestHoursAndRuns:
    night = d.make_policy(hours="18:00-06:00")

    @pytest.mark.parametrize(("now", "code"), [("12:00", Code.OVER_LIMIT), ("23:00", Code.OK)])
    def test_replies_leave_within_hours(self, now, code):
        request = d.make_request()
        past = Past(now=datetime.fromisoformat(f"2026-03-01T{now}"))
        release = released(request, d.make_answer(request), self.night, past)
        assert (release.code, bool(release.values.any())) == (code, code is Code.OK)

    def test_without_a_clock_only_a_policy_that_is_always_open_lets_out(self):
        request = d.make_request()
        assert released(request, d.make_answer(request), self.night).code is Code.OVER_LIMIT

    def test_runs_of_a_year_are_counted_in_the_ledger(self, tmp_path):
        ledger, policy = Ledger(tmp_path / "ledger.jsonl"), d.make_policy(runs_a_year=2)
        runs = [d.make_request(spec=d.make_spec(run=f"pilot-{number}")) for number in range(3)]
        let_out(policy, runs[2], d.make_answer(runs[2], 3), None, ledger)
        for request in (runs[0], runs[1], runs[0], runs[1]):
            assert admit(policy, request, ledger) is Code.OK
            assert let_out(policy, request, d.make_answer(request), None, ledger).code is Code.OK
        assert admit(policy, runs[2], ledger) is Code.OVER_LIMIT
        assert let_out(policy, runs[2], d.make_answer(runs[2]), None, ledger).code is Code.OVER_LIMIT

    def test_a_run_of_last_year_is_forgotten(self):
        now = datetime(2026, 3, 1, tzinfo=UTC)
        entry = {"spec": "a", "released": 1}
        for days, runs in ((364, 1), (365, 0)):
            time = (now - timedelta(days=days)).isoformat()
            assert Past.of([{**entry, "time": time}], "b", now).runs == runs
            assert Past.of([{**entry, "time": time}], "a", now).runs == 0

    def test_weights_alone_count_as_a_run(self):
        now = datetime(2026, 3, 1, tzinfo=UTC)
        entry = {"spec": "a", "released": 0, "adapter": "OK", "time": now.isoformat()}
        assert Past.of([entry], "b", now).runs == 1


class TestRefuse:
    def test_has_the_layout_of_the_request(self):
        request = d.make_request()
        release = refuse(Code.VERSION_MISMATCH, request)
        assert len(release.values) == sum(slot.width for slot in request.slots())
        assert set(release.codes.tolist()) == {Code.VERSION_MISMATCH}
        assert (release.code, release.adapter_code) == (Code.VERSION_MISMATCH, Code.VERSION_MISMATCH)

    def test_is_empty_without_a_request_or_with_one_that_has_no_layout(self):
        strange = d.make_request(cells=(Cell("unknown", "nano", "plain", "base", 0, "test"),))
        total = Total(cell=d.CELLS[0], metric="unknown", total=())
        for request in (None, strange, d.make_request(action="close", totals=(total,))):
            release = refuse(Code.BAD_REQUEST, request)
            assert (len(release.values), len(release.codes), release.code) == (0, 0, Code.BAD_REQUEST)

    @pytest.mark.parametrize("code", [Code.OK, 0, 99, "text", None])
    def test_needs_a_reason(self, code):
        assert refuse(code).code is Code.INTERNAL

    def test_writes_a_line_if_it_can(self, tmp_path):
        ledger = Ledger(tmp_path / "ledger.jsonl")
        refuse(Code.POLICY_MISSING, d.make_request(), ledger)
        (entry,) = ledger.entries()
        assert (entry["code"], entry["released"], entry["tasks"]) == ("POLICY_MISSING", 0, [])
        assert entry["approved_by"] == ""

    def test_goes_out_even_if_the_line_cannot_be_written(self, tmp_path, caplog):
        ledger = Ledger(tmp_path)
        assert refuse(Code.POLICY_MISSING, d.make_request(), ledger).code is Code.POLICY_MISSING
        assert "no ledger line for a refusal: IsADirectoryError at ledger.py:" in caplog.text

    def test_writes_nothing_without_a_ledger_or_without_a_request(self, tmp_path, caplog):
        refuse(Code.POLICY_MISSING, d.make_request())
        refuse(Code.POLICY_MISSING, None, Ledger(tmp_path / "ledger.jsonl"))
        assert caplog.text == ""
        assert list(tmp_path.iterdir()) == []


class TestLetOut:
    def test_writes_the_line_of_the_very_bytes(self, tmp_path):
        ledger, request = Ledger(tmp_path / "ledger.jsonl"), d.make_request()
        release = let_out(d.make_policy(), request, d.make_answer(request), None, ledger)
        (entry,) = ledger.entries()
        assert entry["payload"] == release.digest
        assert entry["bytes"] == len(release.payload())
        assert entry["released"] == len(request.slots())

    def test_lets_nothing_out_where_the_line_cannot_be_written(self, tmp_path):
        request = d.make_request()
        (tmp_path / "folder").mkdir()
        release = let_out(d.make_policy(), request, d.make_answer(request), None, Ledger(tmp_path / "folder"))
        assert release.codes.tolist() == [Code.INTERNAL] * len(request.slots())
        assert not release.values.any()

    def test_remembers_the_tally_for_the_closing_sums_of_the_same_run_only(self, tmp_path):
        ledger, policy, request = Ledger(tmp_path / "ledger.jsonl"), d.make_policy(), d.make_request()
        let_out(policy, request, d.make_answer(request), None, ledger)
        close = d.close_request()
        assert let_out(policy, close, d.make_answer(close), None, ledger).values.any()
        other = d.close_request(d.make_spec(seed=2))
        assert not let_out(policy, other, d.make_answer(other), None, ledger).values.any()

    def test_holds_back_what_another_run_would_show_by_subtraction(self, tmp_path):
        ledger, policy, request = Ledger(tmp_path / "ledger.jsonl"), d.make_policy(), d.make_request()
        let_out(policy, request, d.make_answer(request), None, ledger)
        other = d.make_request(spec=d.make_spec(run="pilot-2"))
        release = let_out(policy, other, d.make_answer(other, d.N - 1), None, ledger)
        assert set(release.codes.tolist()) == {Code.SMALL_CELL}
        assert let_out(policy, other, d.make_answer(other), None, ledger).values.any()

    def test_logs_where_it_failed_and_never_what_the_exception_said(self, tmp_path, caplog):
        class Values(dict):
            def get(self, key, default=None):
                raise ValueError("Anna Svensson 19121212-1212")

        request = d.make_request()
        with caplog.at_level(logging.DEBUG):
            answer = Answer(values=Values())
            release = let_out(d.make_policy(), request, answer, None, Ledger(tmp_path / "ledger.jsonl"))
        assert release.codes.tolist() == [Code.INTERNAL] * len(request.slots())
        assert re.search(r"the door refused everything: ValueError at test_review\.py:\d+$", caplog.text, re.MULTILINE)
        assert "Anna" not in caplog.text


# Whatever the answer holds

small_ints = st.integers(-3, 60)
anything = st.one_of(
    st.none(), st.booleans(), small_ints, st.integers(), st.floats(), st.text(), st.binary(), st.just(np.int64(40))
)
tuples = st.lists(st.one_of(small_ints, anything), max_size=10).map(tuple)


@st.composite
def answers(draw, request):
    """Rows that are nearly right, wrong, or absent, for every slot, with extra keys and codes."""
    values = {}
    for slot in request.slots():
        how = draw(st.sampled_from(["good", "sized", "any", "absent"]))
        if how == "good":
            values[slot.key] = d.row(slot, draw(st.integers(0, 60)), support=draw(st.integers(0, 60)))
        elif how == "sized":
            values[slot.key] = tuple(draw(st.lists(small_ints, min_size=slot.width, max_size=slot.width)))
        elif how == "any":
            values[slot.key] = draw(st.one_of(tuples, anything))
    values.update(draw(st.dictionaries(st.text(), tuples, max_size=2)))
    codes = draw(st.dictionaries(st.sampled_from([slot.key for slot in request.slots()]), anything, max_size=2))
    return Answer(values=values, codes=codes)


REQUESTS = (d.make_request(cells=d.CELLS[:1]), d.close_request())


@settings(deadline=None)
@given(st.data())
def test_whatever_the_answer_holds_the_reply_has_the_layout_and_no_small_number(data):
    request = data.draw(st.sampled_from(REQUESTS))
    least, few = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 12))
    policy = d.make_policy(min_examples=least, min_cell=few)
    release = released(request, data.draw(answers(request)), policy, past=SHOWN)
    assert release.values.dtype == release.codes.dtype == np.dtype("<i8")
    for slot in request.slots():
        code, row = d.rows_of(request, release)[slot.key]
        if code is not Code.OK:
            assert not any(row)
            continue
        assert row[0] >= least
        for index in slot.support:
            assert row[index] == 0 or row[index] >= few
            assert row[0] - row[index] == 0 or row[0] - row[index] >= few


def test_without_a_policy_the_way_out_has_the_layout_of_what_was_asked_and_a_line_in_the_ledger(tmp_path):
    request, ledger = d.make_request(), Ledger(tmp_path / "ledger.jsonl")
    release = let_out(None, request, d.make_answer(request), None, ledger)
    assert release.codes.tolist() == [Code.POLICY_MISSING] * len(request.slots())
    assert [entry["code"] for entry in ledger.entries()] == ["POLICY_MISSING"]


def test_examples_in_costs_are_as_coarse_as_the_policys_counts():
    """Tokens and steps keep their own units; where 30 is coarser than theirs, 45 becomes 60 (half to even)."""
    request = d.train_request()
    answer = d.trained(request)
    answer.cost = Cost(0, 0, 44, 1499, 1501, 76, 24, 999, reused=45)
    policy = d.make_policy(training="allow", adapters="allow", rounding=30)
    release = released(request, answer, policy, received=d.weights())
    assert release.cost.tolist() == [0, 0, 30, 1000, 2000, 90, 20, 1000, 60, 0, 0]


def test_a_failure_is_told_by_its_kind_and_place_alone(caplog):
    log_place("nothing leaves", ValueError("Anna"))
    log_place("nothing leaves", PolicyError("Anna"))
    try:
        raise ValueError("Anna")
    except ValueError as error:
        log_place("nothing leaves", error)
        line = error.__traceback__.tb_lineno
    assert [record.getMessage() for record in caplog.records] == [
        "nothing leaves: ValueError at unknown",
        "nothing leaves: an error at unknown",
        f"nothing leaves: ValueError at test_review.py:{line}",
    ]


def test_release_is_not_a_dataclass_that_could_be_replaced():
    with pytest.raises(TypeError):
        dataclasses.replace(refuse(Code.INTERNAL), _values=b"")
