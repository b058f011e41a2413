"""Noise on tallies: its distribution against scipy, its scale from the metrics' bounds, its cost, its refusals."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import doorway as d
import numpy as np
import pytest
from scipy.stats import chisquare, dlaplace, norm

from kommunbench.core.answer import Code, Cost
from kommunbench.core.dp import DpSettings
from kommunbench.core.errors import FederationError
from kommunbench.core.metric import FIXED
from kommunbench.core.registry import find
from kommunbench.core.spec import Request
from kommunbench.release import Ledger, let_out, noise, review, unpack
from kommunbench.release.past import Past

MARGIN = 1e-6
GAUSS = DpSettings(name="tallies", tallies="gaussian", tally_epsilon=4.0, tally_shares=10)
LAPLACE = DpSettings(name="tallies", tallies="laplace", tally_epsilon=4.0, tally_shares=10)
EXACT_MATCH, ROUGE = find("metrics", "exact_match"), find("metrics", "rouge")


def draws(dp: DpSettings, count: int = 1500) -> np.ndarray:
    row = (100, 0, 40)
    return np.array([noise.noised(dp, EXACT_MATCH, row) for _ in range(count)]) - np.array(row)


def same(found: np.ndarray, chances: np.ndarray, support: np.ndarray) -> float:
    """p of a chi-square test of integer draws against chances on `support`, both tails lumped."""
    counts = np.array([(found == value).sum() for value in support])
    counts = np.append(counts, len(found) - counts.sum())
    expected = np.append(chances, 1 - chances.sum()) * len(found)
    return float(chisquare(counts, expected).pvalue)


def test_laplace_is_the_discrete_laplace_of_the_stated_scale() -> None:
    dp = DpSettings(name="t", tallies="laplace", tally_epsilon=2.0)
    scale = noise.scales(dp, EXACT_MATCH)[0]
    assert scale == 1.0, "two parts share epsilon 2, and an example changes each by 1"
    support = np.arange(-3, 4)
    for column in draws(dp).T:
        assert same(column, dlaplace.pmf(support, 1 / scale), support) > MARGIN


def test_gaussian_is_the_discrete_gaussian_of_the_stated_scale() -> None:
    dp = DpSettings(name="t", tallies="gaussian", tally_epsilon=8.0)
    scale = noise.scales(dp, EXACT_MATCH)[0]
    wide = np.arange(-60, 61)
    weights = norm.pdf(wide, scale=scale)
    support = np.arange(-2, 3)  # beyond it 11 draws are expected: with far fewer, chi-square takes one draw for a fault
    chances = weights[58:63] / weights.sum()
    for column in draws(dp).T:
        assert same(column, chances, support) > MARGIN


def test_the_scale_follows_each_fields_bounds() -> None:
    assert noise.sensitivities(ROUGE) == (1, 1, FIXED, FIXED, FIXED)
    count, _, first, *_ = noise.scales(GAUSS, ROUGE)
    assert first == count * FIXED
    low = find("metrics", "exact_match")
    assert noise.scales(LAPLACE, low) == (5.0, 5.0, 5.0), "epsilon 4 over 10 tallies of 2 parts"


@pytest.mark.parametrize("metric", ["exact_match", "rouge", "abstention", "citation"])
def test_the_parts_of_a_tally_cost_what_the_tally_costs(metric: str) -> None:
    """Composition by hand: rho = D^2 / (2 s^2) or epsilon = D / b, each part once, the two counts being one."""
    found = find("metrics", metric)
    for dp in (GAUSS, LAPLACE):
        parts = list(zip(noise.sensitivities(found), noise.scales(dp, found), strict=True))[1:]
        each = [high**2 / (2 * scale**2) if dp is GAUSS else high / scale for high, scale in parts]
        assert sum(each) == pytest.approx(noise.cost(dp))


def test_all_shares_together_cost_the_epsilon_that_was_asked_for() -> None:
    assert noise.spent(GAUSS, 10) == pytest.approx((4.0, 1e-5))
    assert noise.spent(LAPLACE, 10) == pytest.approx((4.0, 0.0))
    assert noise.spent(GAUSS, 0) == (0, 0)
    rho = noise.rho_of(4.0, 1e-5)
    assert rho + 2 * math.sqrt(rho * math.log(1e5)) == pytest.approx(4.0)


def request(dp: DpSettings = GAUSS, run: str = "one", **changed: Any) -> Request:
    return d.make_request(spec=d.make_spec(run=run, dp=dp, **changed))


def send(ledger: Ledger, asked: Request, **policy: Any):
    return let_out(d.make_policy(**policy), asked, d.make_answer(asked), None, ledger)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


def shares(asked: Request) -> int:
    """The largest number of tallies that the request has of one task, counted by hand."""
    tasks = [slot.key[0].task for slot in asked.slots()]
    return max(tasks.count(task) for task in set(tasks))


def settled(**changed: Any) -> DpSettings:
    return GAUSS.model_copy(update={"tally_shares": shares(request()), **changed})


def test_every_number_leaves_with_noise_and_the_ledger_says_what_it_cost(ledger: Ledger) -> None:
    asked = request(settled())
    release = send(ledger, asked, min_cell=1)
    exact = d.make_answer(asked).values
    rows = d.rows_of(asked, release)
    left = {key: row for key, (code, row) in rows.items() if code is Code.OK}
    assert left
    assert sum(row != exact[key] for key, row in left.items()) > 0.9 * len(left)
    (line,) = ledger.entries()
    assert line["dp"]["epsilon"] == pytest.approx(4.0), "the task with most tallies has them all"
    assert line["dp"]["tallies"]
    assert line["sets"] == {}, "sizes of sets are noised, and no later run is held against them"
    unpack(asked, release.values, release.codes, release.cost)


def test_the_same_question_twice_costs_twice_and_more_than_was_asked_for_is_refused(ledger: Ledger) -> None:
    asked = request(settled())
    assert Code.OK in send(ledger, asked, min_cell=1, epsilon_a_run=100.0, epsilon_a_year=100.0).codes
    again = send(Ledger(ledger.path), asked, min_cell=1, epsilon_a_run=100.0, epsilon_a_year=100.0)
    assert Code.OK not in again.codes
    assert Code.BUDGET_SPENT in again.codes
    assert not again.values.any()


def test_the_year_is_spent_by_several_runs(ledger: Ledger) -> None:
    codes = [set(send(ledger, request(settled(), run), min_cell=1).codes.tolist()) for run in ("a", "b", "c")]
    assert [Code.OK in found for found in codes] == [True, True, False]
    assert Code.BUDGET_SPENT in codes[2]


def test_what_rules_hold_back_costs_nothing_and_stays_zero(ledger: Ledger) -> None:
    asked = request(settled())
    release = let_out(d.make_policy(), asked, d.make_answer(asked, n=4), None, ledger)
    assert set(release.codes.tolist()) == {Code.TOO_FEW_EXAMPLES}
    assert not release.values.any()
    assert ledger.entries()[0]["dp"] == {}


def test_a_policy_that_demands_noise_lets_no_exact_number_out(ledger: Ledger) -> None:
    release = send(ledger, d.make_request(), noise="required")
    assert set(release.codes.tolist()) == {Code.NOISE_REQUIRED}
    assert Code.OK in send(ledger, request(settled()), noise="required", min_cell=1).codes


def test_closing_sums_and_worked_examples_have_no_noise_to_hide_in() -> None:
    asked = d.close_request(d.make_spec(dp=GAUSS))
    codes = review(d.make_policy(), asked, d.make_answer(asked), None, Past()).codes.tolist()
    assert set(codes) == {Code.NO_BOUNDS}
    shown = d.make_spec().prompts[0].model_copy(update={"shots": 1})
    assert d.make_policy().slot_code(d.make_spec(dp=GAUSS, prompts=(shown,)), asked.slots()[0]) is Code.BAD_REQUEST


def test_bounds_too_wide_for_64_bits_are_refused() -> None:
    wide = DpSettings(name="t", tallies="laplace", tally_epsilon=1e-6, tally_shares=10**6)
    slot = next(slot for slot in request().slots() if slot.metric and slot.metric.name == "token_f1")
    assert noise.noise_code(wide, slot) is Code.NO_BOUNDS
    assert noise.noise_code(GAUSS, slot) is Code.OK


def test_the_coordinator_takes_negative_noise_and_no_nonsense() -> None:
    asked = request(settled(), tasks=(d.task_ref(d.QA),))
    asked = asked.model_copy(update={"cells": asked.cells[:1]})
    width = sum(slot.width for slot in asked.slots())
    codes = np.zeros(len(asked.slots()), dtype="<i8")
    cost = np.zeros(len(fields(Cost)), dtype="<i8")
    unpack(asked, np.full(width, -1, dtype="<i8"), codes, cost)
    with pytest.raises(FederationError):
        unpack(asked, np.full(width, -(10**15) * 9, dtype="<i8"), codes, cost)


def test_a_row_is_plausible_as_far_as_noise_can_take_it_and_no_farther() -> None:
    dp, most = DpSettings(name="t", tallies="laplace", tally_epsilon=2.0), 2**63 - 1
    assert noise.scales(dp, EXACT_MATCH) == (1.0, 1.0, 1.0)
    assert noise.plausible(dp, EXACT_MATCH, (-45, -45, -45))
    assert noise.plausible(dp, EXACT_MATCH, (most, most, most))
    for place in range(3):
        assert not noise.plausible(dp, EXACT_MATCH, tuple(-46 if at == place else 0 for at in range(3)))
    signed = find("metrics", "bertscore")
    assert signed.fields[0].low < 0
    assert noise.plausible(dp, signed, (900, 0, *(900 * field.low for field in signed.fields)))


@pytest.mark.parametrize(("dp", "spread"), [(GAUSS, norm.std), (LAPLACE, lambda scale: dlaplace.std(1 / scale))])
def test_the_deviation_stated_is_that_of_the_noise(dp: DpSettings, spread: Any) -> None:
    """Against SciPy's own distributions, at the scales that are drawn from."""
    stated, scales = noise.deviations(dp, EXACT_MATCH), noise.scales(dp, EXACT_MATCH)
    assert stated == pytest.approx(
        [float(spread(scale=each) if dp is GAUSS else spread(each)) for each in scales], rel=0.01
    )


@pytest.mark.parametrize(("share", "code"), [(0.9, Code.OK), (1.1, Code.NO_BOUNDS)])
def test_noise_has_room_for_twice_its_farthest_draw(share: float, code: Code) -> None:
    """The scale of one part of two is 2 * shares / epsilon, and 45 scales are as far as any draw goes."""
    wide = DpSettings(name="t", tallies="laplace", tally_epsilon=1.0, tally_shares=int(share * 2**63 / 90 / 2))
    slot = next(slot for slot in request().slots() if slot.metric and slot.metric.name == "exact_match")
    assert noise.noise_code(wide, slot) is code


def test_what_stays_for_another_reason_keeps_it_when_the_budget_is_spent(ledger: Ledger) -> None:
    asked = request(settled())
    first, *others = asked.slots()
    answer = d.make_answer(asked)
    answer.values = {**answer.values, first.key: d.row(first, 3)}
    found = let_out(d.make_policy(min_cell=1, epsilon_a_year=0.0), asked, answer, None, ledger).codes.tolist()
    assert found == [Code.TOO_FEW_EXAMPLES, *[Code.BUDGET_SPENT] * len(others)]
