"""Rounding: coarse enough, within bounds, in order; and the door neither leaks nor miscounts because of it."""

from __future__ import annotations

import doorway as d
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kommunbench.core.answer import Code
from kommunbench.core.metric import INT64_MAX
from kommunbench.core.registry import find
from kommunbench.core.spec import Slot
from kommunbench.release import Ledger, let_out, review, unpack
from kommunbench.release.cells import within_bounds
from kommunbench.release.rounding import rounded_count, rounded_row

METRICS = ("abstention", "rouge", "chrf", "sari", "label", "copied", "exact_match", "meaning", "citation")


@pytest.mark.parametrize(("count", "by_five"), [(0, 0), (2, 0), (3, 5), (7, 5), (8, 10), (41, 40), (43, 45)])
def test_counts_by_hand(count, by_five):
    assert rounded_count(count, 5) == by_five
    assert rounded_count(count, 1) == count


@given(st.integers(1, 1000), st.integers(0, 10**6))
def test_a_count_is_the_nearest_multiple(rounding, count):
    found = rounded_count(count, rounding)
    assert found % rounding == 0
    assert 2 * abs(found - count) <= rounding


@st.composite
def rows(draw):
    """A metric's slot with a row that could be: every field between n * low and n * high, in 64 bits."""
    metric = find("metrics", draw(st.sampled_from(METRICS)))
    n = draw(st.integers(1, 5000))
    own = [draw(st.integers(n * field.low, min(n * field.high, INT64_MAX))) for field in metric.fields]
    return Slot((d.cell(), metric.name), metric), (n, draw(st.integers(0, 500)), *own)


@settings(max_examples=60, deadline=None)
@given(rows(), st.integers(2, 50))
def test_what_leaves_is_coarse_and_within_bounds(found, rounding):
    slot, row = found
    rounded = rounded_row(slot, row, rounding)
    n = rounded[0]
    assert within_bounds(slot, rounded)
    assert n % rounding == rounded[1] % rounding == 0
    for field, before, after in zip(slot.metric.fields, row[2:], rounded[2:], strict=True):
        if field.high == 1:
            assert after % rounding == 0
        elif n >= 2 * rounding and after not in (n * field.low, n * field.high):
            assert abs(after - before) <= before * rounding / n * 2
            step = 1 << max(after.bit_length() - max((n // rounding).bit_length() - 1, 1), 0)
            assert after % step == 0
            assert step * n >= after * rounding / 2  # one step is worth many examples


def test_the_largest_numbers_stay_on_the_grid_and_in_64_bits():
    """The nearest point above is 2^63, which does not fit: the one below is taken."""
    metric = find("metrics", "copied")
    slot, n = Slot((d.cell(), "copied"), metric), 923
    density = 9_205_357_638_345_293_824
    rounded = rounded_row(slot, (n, 0, 0, density, 0), 2)[3]
    assert rounded == 2**63 - 2 ** (63 - 8)  # 461 pairs of examples: 8 digits
    assert rounded_row(Slot(("a", "b", "c")), (n, -density, INT64_MAX), 2)[1] == -rounded


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(2, 50), st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_part_never_becomes_larger_than_its_whole(n, rounding, left, right):
    small, large = sorted((left, right))
    metric = find("metrics", "chrf")
    row = [0] * len(metric.fields)
    row[0], row[1] = small, large
    rounded = rounded_row(Slot((d.cell(), "chrf"), metric), (n, 0, *row), rounding)
    assert rounded[2] <= rounded[3]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 3000), st.integers(2, 50), st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20))
def test_closing_sums_are_still_sums_of_squares(n, rounding, z):
    slot = Slot((d.cell(), "rouge", "rougeL"))
    row = (len(z), sum(z), sum(entry * entry for entry in z))
    rounded = rounded_row(slot, row, rounding)
    assert rounded[0] % rounding == 0
    assert not rounded[0] or within_bounds(slot, rounded)


def test_the_rules_see_the_numbers_before_they_are_rounded():
    """9 examples would be 10 when rounded, and 4 of a kind 5."""
    request = d.make_request(cells=d.CELLS[:1])
    policy = d.make_policy(rounding=5)
    few = review(policy, request, d.make_answer(request, 9), None)
    assert {Code(code) for code in few.codes.tolist()} == {Code.TOO_FEW_EXAMPLES}
    slot = next(slot for slot in request.slots() if slot.key[1] == "abstention")
    answer = d.make_answer(request)
    answer.values = {**answer.values, slot.key: (40, 0, 4, 36, 0, 0)}
    assert d.rows_of(request, review(policy, request, answer, None))[slot.key][0] is Code.SMALL_CELL


def test_a_set_that_rounds_to_nothing_stays():
    request = d.make_request(cells=d.CELLS[2:3])
    release = review(d.make_policy(rounding=100, min_examples=1), request, d.make_answer(request, 40), None)
    assert {Code(code) for code in release.codes.tolist()} == {Code.TOO_FEW_EXAMPLES}
    assert not release.values.any()


def test_a_whole_run_with_rounding_closes(tmp_path):
    """Tally and closing sum of one run rest on the same rounded count, so neither holds the other back."""
    ledger, policy = Ledger(tmp_path / "ledger.jsonl"), d.make_policy(rounding=5)
    work = d.make_request()
    release = let_out(policy, work, d.make_answer(work, 41), None, ledger)
    rows = unpack(work, release.values, release.codes, release.cost)
    assert {row[0] for _, code, row in rows if code is Code.OK} == {40}
    close = d.close_request()
    closing = let_out(policy, close, d.make_answer(close, 41), None, ledger)
    assert {Code(code) for code in closing.codes.tolist()} == {Code.OK}
    assert {row[0] for _, _, row in unpack(close, closing.values, closing.codes, closing.cost)} == {40}


@pytest.mark.parametrize(
    ("total", "kept"), [(0, 0), (1, 1), (-1, -1), (2, 2), (3, 4), (-3, -4), (5, 4), (6, 8), (-6, -8), (11, 8), (12, 16)]
)
def test_a_sum_over_two_steps_keeps_one_leading_digit_and_goes_away_from_zero_of_two_as_near(total, kept):
    assert rounded_row(Slot(("a", "b", "c")), (10, total, 400), 5)[:2] == (10, kept)


def test_squares_stay_where_they_are_large_enough_for_their_sum():
    assert rounded_row(Slot(("a", "b", "c")), (10, 16, 30), 5) == (10, 16, 32)


def test_what_could_not_be_scored_is_rounded_by_itself():
    slot = Slot((d.cell(), "exact_match"), find("metrics", "exact_match"))
    assert rounded_row(slot, (40, 7, 33), 5) == (40, 5, 35)


@pytest.mark.parametrize(
    ("row", "rounded"),
    [((10, 0, 0), (10, 0, 0)), ((10, 48, 80), (10, 64, 194)), ((10, -48, 80), (10, -64, 194)), ((2, 3, 9), (0, 4, 16))],
)
def test_squares_grow_where_the_rounded_sum_needs_them_to(row, rounded):
    """48 is 64 when rounded: (64 - 2 * 10)^2 / 10 = 193.6, and 80 would be 64."""
    found = rounded_row(Slot(("a", "b", "c")), row, 5)
    assert found == rounded
    assert all(type(entry) is int for entry in found)
