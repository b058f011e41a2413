"""The rules on one row, against hand counts, with metrics made for the purpose."""

from __future__ import annotations

import doorway as d
import pytest

from kommunbench.core.answer import Code
from kommunbench.core.metric import Field, Metric
from kommunbench.core.spec import Slot
from kommunbench.release.cells import hidden_counts, is_row, row_code, within_bounds
from kommunbench.release.past import Past


def slot_with(*fields: Field) -> Slot:
    made = type("Made", (Metric,), {"name": "made", "fields": fields, "measures": (), "tally": lambda *_: ()})
    return Slot((d.CELLS[0], "made"), made())


ONE_KIND = slot_with(Field("kind", high=1, support=True))
MANY_TIMES = slot_with(Field("words", high=9, support=True))
WIDE = slot_with(Field("wide", high=2**62))


@pytest.mark.parametrize(
    ("slot", "row", "counts"),
    [
        (ONE_KIND, (40, 0, 38), [38, 2]),
        (MANY_TIMES, (40, 0, 38), [38]),
        (slot_with(Field("a", 1, support=True), Field("b", 1, support=True)), (40, 0, 20, 17), [20, 17, 20, 23, 3]),
        (slot_with(Field("score", 1)), (40, 0, 2), []),
        (slot_with(Field("many", 9, support=True), Field("once", 1, support=True)), (40, 0, 39, 20), [39, 20, 20]),
        (slot_with(Field("once", 1, support=True), Field("many", 9, support=True)), (40, 0, 20, 39), [20, 39, 20]),
    ],
)
def test_hidden_counts(slot, row, counts):
    assert list(hidden_counts(slot, row)) == counts


def test_the_rest_of_a_single_kind_holds_back_and_a_count_of_words_has_no_rest():
    assert row_code(d.make_policy(), ONE_KIND, (40, 0, 38)) is Code.SMALL_CELL
    assert row_code(d.make_policy(), MANY_TIMES, (40, 0, 38)) is Code.OK


def test_a_sum_that_its_metric_allows_must_still_fit_in_64_bits():
    assert within_bounds(WIDE, (40, 0, 2**63))
    assert not is_row((40, 0, 2**63), 3)
    assert row_code(d.make_policy(), WIDE, (40, 0, 2**63)) is Code.INTERNAL
    assert row_code(d.make_policy(), WIDE, (40, 0, 2**63 - 1)) is Code.OK


def test_a_kind_of_tuple_is_no_row():
    class Row(tuple):
        __slots__ = ()

    assert is_row((40, 0, 38), 3)
    assert not is_row(Row((40, 0, 38)), 3)


def test_the_sum_behind_a_closing_number_is_no_count_of_examples():
    slot = d.close_request().slots()[0]
    policy = d.make_policy(max_examples=40)
    assert row_code(policy, slot, (40, 100, 400)) is Code.OK
    assert row_code(policy, slot, (41, 100, 400)) is Code.OVER_LIMIT
    assert row_code(policy, ONE_KIND, (38, 3, 20)) is Code.OVER_LIMIT


def test_a_sum_of_squares_is_never_negative():
    assert not within_bounds(d.close_request().slots()[0], (0, 0, -5))


@pytest.mark.parametrize("few", [{}, {"min_difference": 1}])
def test_a_closing_sum_is_as_far_from_what_left_as_a_tally_and_never_within_a_cell(few):
    slot, name, policy = Slot((d.CELLS[0], "chrf", "chrf")), "guideline_qa/test/chrf", d.make_policy(**few)
    for past in (Past(here={name: {40}}), Past(here={name: {40}}, elsewhere={name: {40}})):
        assert past.code(policy, slot, (40, 0, 0)) is Code.OK
        assert past.code(policy, slot, (44, 0, 0)) is Code.SMALL_CELL
        assert past.code(policy, slot, (45, 0, 0)) is (Code.OK if few else Code.SMALL_CELL)
        assert past.code(policy, slot, (50, 0, 0)) is Code.OK
    both = Past(here={name: {40}}, elsewhere={name: {49}})
    assert {both.code(policy, slot, (n, 0, 0)) for n in (40, 49)} == {Code.OK}, "what left is nothing new"
    assert both.code(policy, slot, (48, 0, 0)) is Code.SMALL_CELL


def test_a_pair_needs_the_tallies_of_both_sides():
    left, right = d.CELLS[0], d.cell("summarization")
    pair = Slot((left, right, "chrf", "chrf"))
    shown = {"guideline_qa/test/chrf": frozenset({40})}
    assert Past(here=shown).code(d.make_policy(), pair, (40, 0, 0)) is Code.NOT_AVAILABLE
    both = {**shown, "summarization/test/chrf": frozenset({40})}
    assert Past(here=both).code(d.make_policy(), pair, (40, 0, 0)) is Code.OK


@pytest.mark.parametrize(
    ("row", "within"),
    [
        ((0, 0, 0), True),
        ((4, 0, 0), True),
        ((4, 8, 0), True),
        ((4, -9, 0), False),
        ((4, 14, 9), True),
        ((4, 15, 9), False),
    ],
)
def test_a_sum_is_as_large_as_its_squares_allow_and_two_an_example(row, within):
    """|sum| - 2n is at most sqrt(n * squares): for 4 and 9 it is 6."""
    assert within_bounds(d.close_request().slots()[0], row) is within


@pytest.mark.parametrize(
    ("row", "within"),
    [
        ((0, 0, 0), True),
        ((4, 0, 4), True),
        ((4, 0, 5), False),
        ((4, 0, -1), False),
        ((4, -1, 2), False),
        ((-1, 0, 0), False),
    ],
)
def test_a_tally_is_within_what_its_metric_states(row, within):
    assert within_bounds(ONE_KIND, row) is within
