"""Intervals of noised values: they hold as often as they say, and never where noise has drowned the sum."""

from __future__ import annotations

import numpy as np
import pytest

from kommunbench.core.dp import DpSettings
from kommunbench.core.metric import FIXED
from kommunbench.core.registry import find
from kommunbench.release import noise
from kommunbench.report.estimate import Estimate
from kommunbench.report.noisy import feasible, noise_deviation, noisy_spread

EXACT_MATCH, ROUGE = find("metrics", "exact_match"), find("metrics", "rouge")
DP = DpSettings(name="t", tallies="gaussian", tally_epsilon=4.0, tally_shares=1)


def test_a_noised_sum_is_brought_back_to_what_sums_can_be() -> None:
    assert feasible(EXACT_MATCH, (-3, -1, 5)) == (0, 0, 0)
    assert feasible(EXACT_MATCH, (10, 2, 14)) == (10, 2, 10)
    assert feasible(EXACT_MATCH, (10, 2, 7)) == (10, 2, 7)


def test_the_noise_of_a_value_by_hand() -> None:
    """A share c / n of one noised tally: variance (s^2 + (c/n)^2 s^2) / n^2 with both entries noised alike."""
    deviation = noise.deviations(DP, EXACT_MATCH)[0]
    (measure,) = EXACT_MATCH.measures
    by_hand = deviation * np.sqrt(1 + 0.4**2) / 200
    assert noise_deviation(DP, EXACT_MATCH, measure, (200, 0, 80), 1) == pytest.approx(by_hand, rel=1e-4)
    assert noise_deviation(DP, EXACT_MATCH, measure, (200, 0, 80), 4) == pytest.approx(2 * by_hand, rel=1e-4)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_intervals_cover_the_truth_at_least_as_often_as_they_say(share: float) -> None:
    """400 runs of six sites, sampling and noise anew each time; a share's bound is its very spread."""
    draw = np.random.default_rng(3)
    (measure,) = EXACT_MATCH.measures
    deviation, held, sites, each = noise.deviations(DP, EXACT_MATCH)[0], 0, 6, 60
    for _ in range(400):
        count = draw.binomial(sites * each, share)
        made = np.array([sites * each, 0, count]) + np.round(draw.normal(0, deviation * np.sqrt(sites), 3))
        total = feasible(EXACT_MATCH, tuple(int(entry) for entry in made))
        spread = noisy_spread(DP, EXACT_MATCH, measure, total, sites)
        low, high = spread.interval(EXACT_MATCH.value(total, measure))
        held += low <= share <= high
    assert 0.92 <= held / 400 <= 0.985


def test_a_mean_of_scores_has_at_least_the_interval_of_its_true_spread() -> None:
    measure = ROUGE.measure("rougeL")
    scores = np.random.default_rng(1).beta(2, 3, 300)
    total = (300, 0, 0, 0, int(scores.sum() * FIXED))
    strong = DpSettings(name="t", tallies="gaussian", tally_epsilon=900.0)
    assert noisy_spread(strong, ROUGE, measure, total, 1).error >= scores.std(ddof=1) / np.sqrt(300)


def test_a_drowned_sum_has_no_interval() -> None:
    (measure,) = EXACT_MATCH.measures
    weak = DP.model_copy(update={"tally_shares": 10_000})
    assert "noise" in str(noisy_spread(weak, EXACT_MATCH, measure, (60, 0, 30), 1))
    assert "noise" in str(noisy_spread(DP, EXACT_MATCH, measure, (0, 0, 0), 1))


def test_a_share_that_noise_makes_more_than_all_is_no_value() -> None:
    citation = find("metrics", "citation")
    precision, total = citation.measure("citation_precision"), [10, 0] + [0] * (len(citation.names) - 2)
    for name, count in (("right", 50), ("cited", 10)):
        total[citation.names.index(name)] = count
    assert Estimate(citation, precision, {}, {}, DP).value(tuple(total)) is None
    assert Estimate(citation, precision, {}, {}).value(tuple(total)) == 5, "without noise it would be a fault to see"
    total[citation.names.index("right")] = 9
    assert Estimate(citation, precision, {}, {}, DP).value(tuple(total)) == 0.9
