"""The site's budget: counted from the ledger alone, whatever was restarted, and nothing leaves when it is spent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import doorway as d
import pytest

from kommunbench.core.answer import Code
from kommunbench.core.dp import DpSettings, PrivateSteps
from kommunbench.release import Ledger, let_out, verify
from kommunbench.release.budget import YEAR, Spent, noised_tallies

DP = DpSettings(name="sgd", epsilon=6.0)
OPEN = {"training": "private", "adapters": "allow"}


def steps(epsilon: float, **changed: Any) -> PrivateSteps:
    fields = {"noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 5, "epsilon": epsilon, "delta": DP.delta}
    return PrivateSteps(**{**fields, **changed})


def send(ledger: Ledger, spent: object, run: str = "one", dp: DpSettings = DP, **policy: Any):
    """A round of training of `run` through the door."""
    request = d.train_request(spec=d.make_spec(run=run, dp=dp))
    answer = d.trained(request)
    answer.private_steps = spent
    return let_out(d.make_policy(**{**OPEN, **policy}), request, answer, d.weights(), ledger)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def test_private_weights_leave_with_their_epsilon_in_the_ledger_and_the_reply(ledger: Ledger) -> None:
    release = send(ledger, steps(1.234))
    assert release.adapter
    assert release.cost[-1] == 124, "hundredths, rounded up"
    (line,) = ledger.entries()
    assert (line["dp"]["epsilon"], line["dp"]["delta"]) == (1.234, DP.delta)
    assert line["dp"]["steps"] == [1.0, 0.1, 5]
    assert verify(ledger.path) == []


def test_the_budget_of_a_year_is_kept_over_restarts_and_runs(ledger: Ledger, tmp_path: Path) -> None:
    assert send(ledger, steps(2.0), "one").adapter_code is Code.OK
    assert send(Ledger(ledger.path), steps(4.0), "two").adapter_code is Code.OK
    late = send(Ledger(ledger.path), steps(2.1), "three")
    assert late.adapter_code is Code.BUDGET_SPENT
    assert not late.adapter
    assert late.cost[-1] == 0
    assert Code.OK in late.codes, "what costs no epsilon still leaves"
    assert send(Ledger(ledger.path), steps(2.0), "three").adapter_code is Code.OK, "8 in all, and not more"
    assert send(Ledger(ledger.path), steps(0.01), "four").adapter_code is Code.BUDGET_SPENT


def test_rounds_of_one_run_count_once_as_its_accountant_says(ledger: Ledger) -> None:
    for epsilon in (2.0, 3.0, 5.5):
        assert send(ledger, steps(epsilon)).adapter_code is Code.OK
    spent = Spent.of(ledger.entries(), "another run")
    assert spent.elsewhere == (5.5, DP.delta)
    own = Spent.of(ledger.entries(), d.make_spec(run="one", dp=DP).digest)
    assert own.run(DP) == (5.5, DP.delta)
    assert own.steps == ((1.0, 0.1, 5),) * 3


@pytest.mark.parametrize(
    "limit", [{"epsilon_a_run": 1.9}, {"epsilon_a_year": 1.9}, {"delta_a_year": 0.9e-5}, {"epsilon_a_year": 0}]
)
def test_each_limit_refuses(ledger: Ledger, limit: dict[str, float]) -> None:
    assert send(ledger, steps(2.0), **limit).adapter_code is Code.BUDGET_SPENT


def test_a_run_gets_no_more_than_it_said_it_would_take(ledger: Ledger) -> None:
    promised = DpSettings(name="sgd", epsilon=1.0)
    assert send(ledger, steps(1.0), dp=promised).adapter_code is Code.OK
    assert send(ledger, steps(1.2), dp=promised).adapter_code is Code.BUDGET_SPENT


@pytest.mark.parametrize("claim", [None, steps(1.0, delta=1e-9), {"epsilon": 1.0}])
def test_weights_of_a_private_run_without_a_true_account_stay(ledger: Ledger, claim: object) -> None:
    assert send(ledger, claim).adapter_code is Code.INTERNAL


def test_an_account_that_does_not_grow_is_none(ledger: Ledger) -> None:
    assert send(ledger, steps(2.0)).adapter_code is Code.OK
    assert send(ledger, steps(2.0)).adapter_code is Code.INTERNAL


def test_a_run_without_noise_trains_only_where_the_policy_says_allow(ledger: Ledger) -> None:
    plain = DpSettings()
    assert send(ledger, None, dp=plain).adapter_code is Code.NOISE_REQUIRED
    assert send(ledger, None, dp=plain, training="allow").adapter_code is Code.OK
    assert send(ledger, steps(1.0), dp=plain, training="allow").adapter_code is Code.INTERNAL
    assert send(ledger, steps(1.0), training="deny").adapter_code is Code.TRAINING_DENIED


def test_what_is_older_than_a_year_no_longer_counts(ledger: Ledger) -> None:
    assert send(ledger, steps(5.0)).adapter_code is Code.OK
    now = datetime.now(UTC)
    inside = Spent.of(ledger.entries(), "x", now + timedelta(days=364))
    outside = Spent.of(ledger.entries(), "x", now + timedelta(days=366))
    assert (inside.elsewhere[0], outside.elsewhere) == (5.0, (0, 0))


def test_an_approved_release_is_held_against_the_budget_when_it_leaves(ledger: Ledger) -> None:
    from kommunbench.release import Approvals

    assert send(ledger, steps(3.0), "held", adapters="approve").adapter_code is Code.PENDING
    approvals = Approvals(ledger)
    (waiting,) = approvals.all()
    approvals.decide(waiting.payload, "approved", "dpo")
    assert not any(entry.get("dp") for entry in ledger.entries()), "nothing has left, so nothing is spent"
    assert send(ledger, steps(6.0), "other", adapters="allow").adapter_code is Code.OK
    late = send(ledger, steps(3.0), "held", adapters="approve")
    assert late.code is Code.BUDGET_SPENT
    assert not late.adapter
    assert json.loads(ledger.path.read_text().splitlines()[-1])["dp"] == {}


def noisy(ledger: Ledger, run: str, results: str = "allow"):
    """Sums of a run that cost epsilon 6 together."""
    shares = len(d.make_request(cells=d.CELLS[:1]).slots())
    dp = DpSettings(name="tallies", tallies="laplace", tally_epsilon=6.0, tally_shares=shares)
    request = d.make_request(spec=d.make_spec(run=run, dp=dp), cells=d.CELLS[:1])
    return let_out(d.make_policy(results=results, min_cell=1), request, d.make_answer(request), None, ledger)


@pytest.mark.parametrize(("others", "code"), [(0, Code.OK), (1, Code.BUDGET_SPENT)])
def test_approved_sums_with_noise_are_held_against_the_budget_when_they_leave(ledger, others, code) -> None:
    from kommunbench.release import Approvals

    assert noisy(ledger, "held", "approve").code is Code.PENDING
    (waiting,) = Approvals(ledger).all()
    Approvals(ledger).decide(waiting.payload, "approved", "dpo")
    assert all(Code.OK in noisy(ledger, "other").codes for _ in range(others))
    late = noisy(ledger, "held", "approve")
    assert (late.code, bool(late.values.any())) == (code, code is Code.OK)
    assert bool(ledger.entries()[-1]["dp"]) is (code is Code.OK)


def test_exact_sums_that_were_approved_leave_when_the_budget_is_spent(ledger: Ledger) -> None:
    from kommunbench.release import Approvals

    policy = d.make_policy(results="approve", epsilon_a_year=5.0)
    request = d.make_request(cells=d.CELLS[:1])
    assert let_out(policy, request, d.make_answer(request), None, ledger).code is Code.PENDING
    (waiting,) = Approvals(ledger).all()
    Approvals(ledger).decide(waiting.payload, "approved", "dpo")
    assert Code.OK in noisy(ledger, "other").codes, "6, under a policy of 8"
    assert let_out(policy, request, d.make_answer(request), None, ledger).code is Code.OK


def test_what_a_run_promised_is_held_against_training_and_tallies_apart() -> None:
    policy = d.make_policy(epsilon_a_run=100.0, epsilon_a_year=100.0)
    both = DpSettings(name="both", epsilon=5.0, tallies="laplace", tally_epsilon=6.0, tally_shares=3)
    spent = Spent(training=(5.0, DP.delta), tallies={"guideline_qa": 3})
    assert spent.run(both)[0] == pytest.approx(11.0)
    assert spent.code(policy, both) is Code.OK
    assert spent.code(policy, both.model_copy(update={"tally_epsilon": 5.9, "tally_shares": 2})) is Code.BUDGET_SPENT
    gauss = DpSettings(name="both", epsilon=5.0, tallies="gaussian", tally_epsilon=6.0, tally_shares=3)
    assert spent.run(gauss) == pytest.approx((11.0, 2 * DP.delta)), "each has its delta"
    by_noise = DpSettings(name="noise", noise_multiplier=1.0)
    assert Spent(training=(7.0, DP.delta)).code(policy, by_noise) is Code.OK, "it promised noise, and no epsilon"


@pytest.mark.parametrize(("year", "code"), [(9.0, Code.OK), (8.9, Code.BUDGET_SPENT)])
def test_weights_and_sums_of_one_reply_are_counted_together(ledger: Ledger, year: float, code: Code) -> None:
    """The sums come first: 4 of them and 5 of the weights are 9."""
    cells = d.CELLS[:1]
    shares = len(d.make_request(cells=cells).slots())
    dp = DpSettings(name="both", epsilon=5.0, tallies="laplace", tally_epsilon=4.0, tally_shares=shares)
    request = d.train_request(spec=d.make_spec(dp=dp), cells=cells)
    answer = d.trained(request)
    answer.private_steps = steps(5.0)
    policy = d.make_policy(**OPEN, min_cell=1, epsilon_a_run=100.0, epsilon_a_year=year)
    release = let_out(policy, request, answer, d.weights(), ledger)
    assert set(release.codes.tolist()) == {Code.OK}
    assert release.adapter_code is code


def test_the_largest_epsilon_of_another_run_counts_and_not_its_last(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    for epsilon in (3.0, 2.0):
        dp = {"epsilon": epsilon, "delta": 1e-5, "steps": [], "training": [0.0, 0.0], "tallies": {}}
        ledger.append({"time": now.isoformat(), "spec": "a" * 64, "dp": dp})
    assert Spent.of(ledger.entries(), "b" * 64, now).elsewhere == (3.0, 1e-5)


def test_a_rounds_noise_is_kept_for_the_accountant(ledger: Ledger) -> None:
    """The next round's epsilon follows from all steps so far."""
    spent = Spent().with_training(steps(1.0)).with_training(steps(1.5, noise_multiplier=2.0))
    assert spent.steps == ((1.0, 0.1, 5), (2.0, 0.1, 5))
    assert spent.training == (1.5, DP.delta)


def test_private_training_is_refused_where_sums_are_masked() -> None:
    spec = d.make_spec(dp=DP)
    masked = d.train_request(spec=spec.model_copy(update={"privacy": "secagg"}))
    assert d.make_policy(**OPEN).training_code(d.train_request(spec=spec)) is Code.OK
    assert d.make_policy(**OPEN).training_code(masked) is Code.BAD_REQUEST


def told(spec: str, time: datetime, **dp: Any) -> dict[str, Any]:
    return {
        "spec": spec,
        "time": time.isoformat(),
        "dp": {"epsilon": 0.5, "delta": 1e-6, "steps": [], "training": [0.0, 0.0], "tallies": {}, **dp},
    }


def test_every_run_of_the_year_is_added_up_and_lines_without_noise_are_passed_over() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    own = told("a", now - 2 * YEAR, training=[0.25, 1e-7], steps=[1, "0.5", 3.0], tallies={"qa": 2})
    later = told("a", now, training=[0.125, 1e-8], tallies={"qa": 1, "other": 4})
    exact = {"spec": "b", "time": now.isoformat(), "dp": {}}
    entries = [exact, told("b", now), told("c", now - YEAR), own, told("d", now - YEAR + timedelta(seconds=1)), later]
    spent = Spent.of([{}, *entries], "a", now)
    assert spent.elsewhere == (1.0, 2e-6), "b and d; c is a year ago"
    assert spent.training == (0.25, 1e-7)
    assert spent.steps == ((1.0, 0.5, 3),)
    assert spent.tallies == {"qa": 3, "other": 4}
    exactly = DpSettings()
    assert spent.run(exactly) == spent.training


TENTHS = 0.1 + 0.2  # a digit more than 0.3


@pytest.mark.parametrize(
    ("spent", "policy", "dp"),
    [
        ({"training": (TENTHS, 1e-5)}, {}, DpSettings(epsilon=0.3)),
        ({"training": (TENTHS, 1e-5)}, {"epsilon_a_run": 0.3}, DP),
        ({"training": (0.2, 1e-5), "elsewhere": (0.1, 0.0)}, {"epsilon_a_year": 0.3}, DP),
        ({"training": (0.1, 1e-5), "elsewhere": (0.1, 2e-5)}, {"delta_a_year": 3e-5}, DP),
        ({"tallies": {"qa": 3}}, {}, DpSettings(tallies="laplace", tally_epsilon=0.3, tally_shares=3)),
    ],
)
def test_a_budget_may_be_spent_to_its_end(spent, policy, dp) -> None:
    """The last digit of a sum of decimal fractions is no excess; a thousandth is."""
    assert Spent(**spent).code(d.make_policy(**policy), dp) is Code.OK
    less = {name: value * 0.999 for name, value in policy.items()}
    asked = {name: getattr(dp, name) * (1 if policy else 0.999) for name in ("epsilon", "tally_epsilon")}
    shares = {} if policy else {"tally_shares": 2}
    tighter = dp.model_copy(update={**asked, **(shares if dp.noisy else {})})
    assert Spent(**spent).code(d.make_policy(**less), tighter) is Code.BUDGET_SPENT


def test_who_spends_nothing_is_not_over_a_budget_that_others_have_spent() -> None:
    assert Spent(elsewhere=(99.0, 1.0)).code(d.make_policy(), DpSettings()) is Code.OK


def test_the_ledger_says_what_was_spent_and_nothing_of_what_cost_nothing() -> None:
    spent = Spent(training=(0.5, DP.delta)).with_tallies({"qa": 1}).with_tallies({"qa": 1, "other": 1})
    assert spent.tallies == {"qa": 2, "other": 1}
    assert spent.line(DP, steps(0.5), {"qa": 1}) == {
        "steps": [1.0, 0.1, 5], "tallies": {"qa": 1}, "training": [0.5, DP.delta], "epsilon": 0.5, "delta": DP.delta,
    }  # fmt: skip
    assert spent.line(DP, None, {})["steps"] == []
    assert Spent().line(DP, None, {}) == {}


def test_noised_tallies_are_those_that_leave_in_a_run_with_noise() -> None:
    noisy_run = d.make_spec(dp=DpSettings(tallies="laplace", tally_epsilon=1.0, tally_shares=9))
    request = d.make_request(spec=noisy_run)
    ok = [Code.OK] * len(request.slots())
    assert noised_tallies(request, ok) == {
        "guideline_qa": 2 * len(d.QA.metrics),
        "summarization": 2 * len(d.SHORT.metrics),
    }
    assert noised_tallies(request, [Code.SMALL_CELL, *ok[1:]])["guideline_qa"] == 2 * len(d.QA.metrics) - 1
    assert noised_tallies(d.make_request(), ok) == {}
    close = d.close_request(noisy_run)
    assert noised_tallies(close, [Code.OK] * len(close.slots())) == {}


def test_what_costs_nothing_leaves_when_the_runs_own_training_is_over_a_budget_that_has_shrunk(ledger: Ledger) -> None:
    from kommunbench.release import Approvals

    request = d.make_request(spec=d.make_spec(dp=DP), cells=d.CELLS[:1])
    ledger.append(told(request.spec.digest, datetime.now(UTC), training=[2.0, 1e-5], epsilon=2.0))
    for results in ("allow", "approve"):
        policy = d.make_policy(results=results, epsilon_a_year=1.0)
        release = let_out(policy, request, d.make_answer(request), None, ledger)
        if results == "approve":
            assert release.code is Code.PENDING
            (waiting,) = Approvals(ledger).all()
            Approvals(ledger).decide(waiting.payload, "approved", "dpo")
            release = let_out(policy, request, d.make_answer(request), None, ledger)
        assert set(release.codes.tolist()) == {Code.OK}
