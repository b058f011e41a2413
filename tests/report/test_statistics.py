"""Intervals and tests against scipy, statsmodels and formulas written out anew."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from kommunbench.report.statistics import Moments, Spread, across_sites, holm, independent, stratified, wilson

SCALE = 10**6


def moments(values: np.ndarray) -> Moments:
    fixed = [round(value * SCALE) for value in values.tolist()]
    return Moments.of((len(fixed), sum(fixed), sum(entry * entry for entry in fixed)), SCALE)


@pytest.mark.parametrize(("count", "n"), [(0, 12), (12, 12), (7, 30), (1, 100), (450, 900)])
def test_wilson_is_scipys(count: int, n: int) -> None:
    expected = stats.binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert wilson(count, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_moments_of_sums_are_numpys() -> None:
    values = np.round(np.random.default_rng(1).normal(3, 0.2, 57), 6)
    found = moments(values)
    assert (found.n, found.mean) == (57, pytest.approx(values.mean(), rel=1e-12))
    assert found.variance == pytest.approx(values.var(ddof=1), rel=1e-9)


def test_variance_of_alike_scores_is_zero_though_far_from_zero() -> None:
    assert moments(np.full(20, 123.456789)).variance == 0.0


def test_one_example_has_no_variance() -> None:
    assert math.isnan(moments(np.array([0.5])).variance)
    assert stratified([[moments(np.array([0.5]))], [moments(np.array([0.1, 0.2]))]]) is None


def test_one_site_gives_the_t_interval_of_a_mean() -> None:
    values = np.round(np.random.default_rng(2).beta(2, 5, 40), 6)
    spread = stratified([[moments(values)]])
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert spread.interval(values.mean()) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_one_sites_pair_is_ttest_rel() -> None:
    rng = np.random.default_rng(3)
    left = np.round(rng.beta(2, 5, 35), 6)
    right = np.round(np.clip(left + rng.normal(0.02, 0.1, 35), 0, 1), 6)
    spread = stratified([[moments(left - right)]])
    expected = stats.ttest_rel(left, right)
    difference = left.mean() - right.mean()
    assert spread.p(difference) == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval(0.95)
    assert spread.interval(difference) == pytest.approx((interval.low, interval.high), abs=1e-7)


def test_strata_add_as_independent_weighted_means() -> None:
    rng = np.random.default_rng(4)
    sites = [np.round(rng.normal(mean, sd, n), 6) for mean, sd, n in ((0.2, 0.1, 12), (0.8, 0.3, 150), (0.5, 0.2, 44))]
    spread = stratified([[moments(values)] for values in sites])
    total = sum(map(len, sites))
    weights = np.array([len(values) / total for values in sites])
    errors = np.array([values.var(ddof=1) / len(values) for values in sites])
    assert spread.error == pytest.approx(math.sqrt((weights**2 * errors).sum()), rel=1e-6)
    assert spread.error < np.concatenate(sites).std(ddof=1) / math.sqrt(total)  # what lies between sites is not chance


def test_several_adapters_at_one_site_take_the_worst_case() -> None:
    values = np.round(np.random.default_rng(5).normal(0, 1, 30), 6)
    twice = stratified([[moments(values), moments(values)]])
    assert twice.error == pytest.approx(stratified([[moments(values)]]).error, rel=1e-9)


def test_unpaired_is_welch() -> None:
    rng = np.random.default_rng(6)
    left, right = np.round(rng.normal(0.5, 0.1, 25), 6), np.round(rng.normal(0.45, 0.3, 60), 6)
    spread = independent(stratified([[moments(left)]]), stratified([[moments(right)]]))
    expected = stats.ttest_ind(left, right, equal_var=False)
    assert spread.p(left.mean() - right.mean()) == pytest.approx(expected.pvalue, rel=1e-6)


def test_no_spread_at_all() -> None:
    spread = stratified([[moments(np.full(10, 0.25))]])
    assert spread.interval(0.25) == (0.25, 0.25)
    assert (spread.p(0.0), spread.p(0.25)) == (1.0, 0.0)


def test_a_new_site_is_hksj_with_paule_and_mandels_tau2() -> None:
    values = np.array([0.31, 0.42, 0.55, 0.37, 0.61])
    variances = np.array([0.002, 0.001, 0.004, 0.003, 0.0015])

    def excess(tau2: float) -> float:
        weights = 1 / (variances + tau2)
        mean = (weights * values).sum() / weights.sum()
        return float((weights * (values - mean) ** 2).sum() - (len(values) - 1))

    tau2 = optimize.brentq(excess, 0, 1)
    weights = 1 / (variances + tau2)
    mean = (weights * values).sum() / weights.sum()
    spread = (weights * (values - mean) ** 2).sum() / (len(values) - 1) / weights.sum()
    half = stats.t.ppf(0.975, len(values) - 1) * math.sqrt(spread)
    found = across_sites(values.tolist(), variances.tolist())
    assert found.tau2 == pytest.approx(tau2, rel=1e-4)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), rel=1e-4)
    assert 0 < found.i2 < 1


def test_a_new_site_takes_three_sites() -> None:
    assert across_sites([0.1, 0.9], [0.01, 0.01]) is None


def test_sites_without_any_spread_give_the_t_interval_over_sites() -> None:
    values = [0.2, 0.4, 0.5, 0.7]
    found = across_sites(values, [0.0] * 4)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-5)
    assert (across_sites([0.3] * 3, [0.0] * 3).low, across_sites([0.3] * 3, [0.0] * 3).high) == (0.3, 0.3)


def test_one_more_site_is_the_textbooks_prediction_interval() -> None:
    """As statsmodels predicts a new observation from a regression on nothing but a constant."""
    import statsmodels.api as sm

    values = np.array([0.31, 0.42, 0.55, 0.37, 0.61])
    found = across_sites(values.tolist(), [0.002, 0.001, 0.004, 0.003, 0.0015])
    frame = sm.OLS(values, np.ones(5)).fit().get_prediction([1.0]).summary_frame(alpha=0.05)
    expected = (frame["obs_ci_lower"].iloc[0], frame["obs_ci_upper"].iloc[0])
    assert (found.one_low, found.one_high) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("between", [0.02, 0.06])
def test_one_new_site_lies_in_its_interval_at_least_as_often_as_it_says(between: float) -> None:
    """The mean's interval covers a single new site far less often, which is why there are two."""
    rng = np.random.default_rng(9)
    measured, true, mean, repetitions = 0, 0, 0, 800
    for _ in range(repetitions):
        variances = rng.uniform(0.0005, 0.004, 11)
        truths = rng.normal(0.5, between, 11)
        values = truths + rng.normal(0, np.sqrt(variances))
        found = across_sites(values[:10].tolist(), variances[:10].tolist())
        measured += found.one_low <= values[10] <= found.one_high
        true += found.one_low <= truths[10] <= found.one_high
        mean += found.low <= truths[10] <= found.high
    assert measured / repetitions == pytest.approx(0.95, abs=0.025)  # three standard errors
    assert true / repetitions >= 0.95
    assert mean < true - 100


def test_shares_keep_within_zero_and_one() -> None:
    found = across_sites([0.05, 0.9, 0.97], [0.001] * 3)
    assert found.low < 0
    assert found.one_high > found.high > 1
    clipped = found.clipped()
    assert (clipped.low, clipped.high, clipped.one_low, clipped.one_high) == (0, 1, 0, 1)
    assert (clipped.i2, clipped.tau2) == (found.i2, found.tau2)


@pytest.mark.parametrize("effect", [0.02, 0.1, 0.25, 0.5, 1.0])
def test_the_examples_needed_are_statsmodels_to_within_one(effect: float) -> None:
    from statsmodels.stats.power import TTestPower

    exact = TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8, alternative="two-sided")
    spread = Spread(error=0.3 / math.sqrt(40), freedom=39)  # 40 examples with a standard deviation of 0.3
    found = spread.needed(effect * 0.3, 40)
    assert math.ceil(exact) <= found <= math.ceil(exact) + 1
    assert spread.needed(-effect * 0.3, 40) == found


def test_a_detectable_difference_needs_as_many_examples_as_there_are() -> None:
    spread = Spread(error=0.01, freedom=999)
    assert spread.detectable == pytest.approx(0.01 * 2.8016, rel=1e-4)  # z of .975 and of .80
    assert spread.needed(spread.detectable, 1000) == 1000 + 2


def test_a_detectable_difference_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(10)
    n, deviation = 200, 0.3
    true = Spread(deviation / math.sqrt(n), n - 1).detectable
    drawn = rng.normal(true, deviation, (4000, n))
    found = (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean()
    assert found == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("value", "error"), [(0.0, 0.1), (0.2, 0.0), (1e-9, 0.1)])
def test_no_number_of_examples_is_named_where_there_is_none(value: float, error: float) -> None:
    assert Spread(error, 20).needed(value, 21) is None


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []


def test_holm_is_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p_values = np.random.default_rng(8).beta(0.3, 2, 40)
    assert holm(p_values.tolist()) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), abs=1e-15)
