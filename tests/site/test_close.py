"""Closing sums fit in 64 bits for a whole country's examples, and count no single one whatever total is made up."""

from __future__ import annotations

import numpy as np
import pytest

from kommunbench.core.metric import INT64_MAX, Measure
from kommunbench.core.registry import find, names
from kommunbench.report.statistics import Moments
from kommunbench.site.close import closing_sums

WORDS = Measure("words", unit="words")
SHARE = Measure("share")


@pytest.mark.parametrize(("measure", "spread"), [(WORDS, 60.0), (SHARE, 0.4)])
def test_moments_of_a_hundred_thousand_examples_are_numpys(measure: Measure, spread: float) -> None:
    """At 1e-6 the squares of 60 words would overflow at 2,600 examples."""
    z = np.random.default_rng(5).normal(0, spread, 100_000)
    sums = closing_sums(z, measure)
    assert sums is not None
    assert max(sums) < INT64_MAX
    moments = Moments.of(sums, measure.closing_scale)
    assert moments.mean == pytest.approx(z.mean(), abs=1e-5)
    assert moments.variance == pytest.approx(z.var(ddof=1), rel=1e-6)


def test_sums_that_do_not_fit_are_none_and_never_wrap_around() -> None:
    assert closing_sums(np.full(20, 1e8), WORDS) is None
    assert closing_sums(np.full(9, 1e5), WORDS) == (9, 9 * 10**9, 9 * 10**18)
    assert closing_sums(np.full(10, 1e5), WORDS) is None


def test_every_measure_in_a_unit_of_its_own_has_the_coarser_scale() -> None:
    measures = [measure for name in names("metrics") for measure in find("metrics", name).measures]
    about_one = ("share", "cosine")
    assert {measure.closing_scale for measure in measures if measure.unit in about_one} == {10**6}
    assert {measure.closing_scale for measure in measures if measure.unit not in about_one} == {10**4}


@pytest.mark.parametrize("name", ["sentence_length", "compression", "s_passive"])
def test_no_made_up_total_counts_the_examples_above_a_threshold(name: str) -> None:
    """One answer of 39 is five times as long. Totals are tried in small steps from the true one to a thousand million
    times it: where there is an answer, the long one is not alone in it."""
    metric = find("metrics", name)
    own = np.array([[1, 0, *([20] * len(metric.fields))]] * 38 + [[1, 0, *([100] * len(metric.fields))]])
    measure, true = metric.measures[0], own.sum(axis=0)
    single, answered = [], 0
    for field in range(2, own.shape[1]):
        for factor in np.geomspace(1, 1e9, 120):
            made_up = true.astype(object)
            made_up[field] = int(made_up[field] * factor)
            z = made_up[0] * (own @ np.array(metric.gradient(tuple(made_up), measure)))
            sums = closing_sums(z, measure)
            answered += sums is not None
            fixed = [round(entry * measure.closing_scale) for entry in z.tolist()]
            if np.count_nonzero(fixed) == 1:
                single.append(sums)
    assert single, "the attack is one"
    assert answered > 80
    assert set(single) == {None}


def test_equal_scores_have_sums_and_they_are_zero() -> None:
    assert closing_sums(np.full(12, 1e-17), SHARE) == (12, 0, 0)
    assert closing_sums(np.zeros(0), SHARE) == (0, 0, 0)
    assert closing_sums(np.full(12, 19e-6), SHARE) is None
    assert closing_sums(np.full(12, 21e-6), SHARE) == (12, 252, 12 * 441)
