"""Closing sums fit in 64 bits for a whole country's examples, and where they do not they are not available."""

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
    assert {measure.closing_scale for measure in measures if measure.unit == "share"} == {10**6}
    assert {measure.closing_scale for measure in measures if measure.unit != "share"} == {10**4}
