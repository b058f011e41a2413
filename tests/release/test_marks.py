"""What a number of a masked sum is known by, so that it goes to one set of sites alone."""

from __future__ import annotations

import doorway as d

from kommunbench.release.company import NOBODY, bound, marks
from kommunbench.release.past import Past


def cost_marks(seed: int = 0, weights: float = 0.5, train: bool = True, **cell: object) -> set[str]:
    request = d.make_request(train=train, round=1, seed=seed, cells=(d.cell(**cell),))
    return set(marks(request, d.weights(weights))[-2 if train else -1])


def test_a_mark_that_was_in_two_companies_is_bound_to_nobody():
    lines = [{"company": [{"sites": sites, "marks": ["m"]}]} for sites in (["A", "B"], ["A", "C"])]
    assert bound(lines, [("m",), ("n",)]) == [NOBODY, None]
    assert bound(lines[:1], [("m", "n")]) == [frozenset("AB")]


def test_what_it_took_is_known_by_what_was_asked_what_was_measured_and_what_was_trained():
    both, evaluated = cost_marks(), cost_marks(train=False)
    assert (len(both), len(evaluated), len(both & evaluated)) == (3, 2, 1), "the very same cell is in both"
    other_seed, other_weights = cost_marks(seed=7), cost_marks(weights=0.25)
    assert len(both & other_seed) == 1
    assert len(both & other_weights) == 2, "the base's cell, and the question, which arrays are no part of"
    trained = {"stage": "federated", "round": 1}
    assert len(cost_marks(train=False, **trained) & cost_marks(train=False, weights=0.25, **trained)) == 1


def test_an_answer_with_other_weights_is_another_number_and_its_place_the_same():
    request = d.make_request(cells=(d.cell(stage="federated", round=1),))
    for one, other in zip(marks(request, d.weights(0.5))[:-1], marks(request, d.weights(0.25))[:-1], strict=True):
        assert len(one) == len(other) == 3
        assert set(one) & set(other) == {one[0]}


def test_only_closing_sums_are_a_cell_apart_as_well():
    policy, past = d.make_policy(min_difference=1), Past(here={"a": {40}})
    assert past.apart(policy, {"a": (42,)})
    assert not past.apart(policy, {"a": (42,)}, closing=True)
