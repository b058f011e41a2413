"""What staff said, as sums: against krippendorff, scipy and counts by hand."""

from __future__ import annotations

import random
from statistics import mean

import numpy as np
import pytest
from scipy.stats import pearsonr
from scoring import total

from kommunbench.core.example import Example
from kommunbench.core.metric import add
from kommunbench.core.registry import find
from kommunbench.core.spec import CRITERIA, RATED


def example(ratings: object, automatic: object = None) -> Example:
    return Example("x", {}, facts={"ratings": ratings, "automatic": automatic})


def alike(*values: int) -> dict[str, list[int]]:
    return {criterion: list(values) for criterion in CRITERIA}


def drawn(count: int, seed: int) -> list[tuple[dict[str, list[int]], float]]:
    """Answers of differing quality, rated by two to four people, with what a metric might give them."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        quality = chance.uniform(1, 5)
        raters = chance.randint(2, 4)
        given = {
            criterion: [min(max(round(quality + chance.gauss(0, 0.8)), 1), 5) for _ in range(raters)]
            for criterion in CRITERIA
        }
        rows.append((given, min(max(quality / 5 + chance.gauss(0, 0.2), 0.0), 1.0)))
    return rows


def test_mean_and_share_of_good_by_hand():
    metric = find("metrics", "rated_correct")
    pooled = total(metric, [("", example(alike(5, 4))), ("", example(alike(3))), ("", example({"plain": [5]}))])
    assert pooled[:2] == (2, 1)
    assert metric.value(pooled, metric.measure("rated_correct")) == (4.5 + 3) / 2
    assert metric.value(pooled, metric.measure("rated_correct_good")) == 0.5


@pytest.mark.parametrize("ratings", [None, "5", {}, {"correct": 5}, {"correct": []}, {"correct": [0]}, {"correct": [6]},
                                     {"correct": [4.5]}, {"correct": [True]}, {"correct": ["5"]}])  # fmt: skip
def test_what_is_no_rating_is_unscored(ratings):
    for name in ("rated_correct", "rated_agreement", "rated_by_metric"):
        assert find("metrics", name).score("svar", example(ratings, 0.5))[:2] == (0, 1)


def test_alpha_over_two_sites_is_krippendorffs_over_all_ratings():
    library = pytest.importorskip("krippendorff", reason="krippendorff is not installed: pip install -e .[dev]")
    metric = find("metrics", "rated_agreement")
    rows = drawn(60, seed=3)
    sites = [total(metric, [("", example(given)) for given, _ in part]) for part in (rows[:25], rows[25:])]
    pooled = add(*sites)
    for criterion in CRITERIA:
        table = np.full((4, len(rows)), np.nan)
        for at, (given, _) in enumerate(rows):
            table[: len(given[criterion]), at] = given[criterion]
        expected = library.alpha(reliability_data=table, level_of_measurement="interval")
        assert metric.value(pooled, metric.measure(f"agreement_{criterion}")) == pytest.approx(expected, abs=1e-6)


def test_alpha_needs_two_raters_and_ratings_that_differ():
    metric = find("metrics", "rated_agreement")
    assert metric.score("", example(alike(4)))[:2] == (0, 1)
    same = total(metric, [("", example(alike(4, 4)))] * 12)
    assert metric.value(same, metric.measure("agreement_plain")) is None


def test_correlation_over_two_sites_is_pearsons_over_all_answers():
    metric = find("metrics", "rated_by_metric")
    rows = drawn(60, seed=4)
    sites = [total(metric, [("", example(*row)) for row in part]) for part in (rows[:25], rows[25:])]
    for criterion in CRITERIA:
        expected = pearsonr([mean(given[criterion]) for given, _ in rows], [score for _, score in rows]).statistic
        value = metric.value(add(*sites), metric.measure(f"metric_follows_{criterion}"))
        assert value == pytest.approx(expected, abs=1e-9)


def test_without_an_automatic_score_or_spread_there_is_no_correlation():
    metric = find("metrics", "rated_by_metric")
    assert metric.score("", example(alike(4)))[:2] == (0, 1)
    assert metric.score("", example(alike(4), 1.5))[:2] == (0, 1)
    same = total(metric, [("", example(alike(4), 0.5))] * 12)
    assert metric.value(same, metric.measure("metric_follows_usable")) is None


def test_no_task_has_them_so_they_leave_only_when_staff_were_asked():
    from kommunbench.core.task import load_task, task_names

    assert not [name for name in task_names() if set(load_task(name).metrics) & set(RATED)]
    assert [find("metrics", name).name for name in RATED] == list(RATED)
