from __future__ import annotations

import re
from itertools import islice

import pytest
from pydantic import ValidationError

from kommunbench.synthetic.population import Population, populate

SIZES = {"lattlast": {"train": [20, 200], "validation": [0, 0], "test": [12, 80]}}


def population(**changes: object) -> Population:
    return Population.model_validate({"municipalities": 290, "regions": 21, "seed": 1, "sizes": SIZES, **changes})


def test_a_country_of_different_names_and_titles():
    made = list(populate(population()))
    assert [organisation.kind for organisation in made] == ["municipality"] * 290 + ["region"] * 21
    assert (
        len({organisation.name for organisation in made}) == len({organisation.title for organisation in made}) == 311
    )
    for organisation in made:
        pattern = r"\w+ kommun" if organisation.kind == "municipality" else r"Region \w+"
        assert re.fullmatch(pattern, organisation.title)
        assert organisation.name.isascii()


def test_the_same_seed_gives_the_same_country_and_another_seed_another():
    assert list(populate(population())) == list(populate(population()))
    assert {one.name for one in populate(population())}.isdisjoint(
        one.name for one in islice(populate(population(seed=2)), 20)
    )


def test_more_municipalities_leave_the_first_as_they_were():
    few, many = list(populate(population(municipalities=5, regions=0))), list(populate(population()))
    assert few == many[:5]


def test_sizes_keep_to_their_range_reach_for_both_ends_and_are_mostly_small():
    made = list(populate(population(municipalities=1000)))
    tests = sorted(organisation.sizes["lattlast"].test for organisation in made)
    assert (tests[0], tests[-1]) == (12, 80)
    assert 28 <= tests[len(tests) // 2] <= 36  # the geometric mean, 31.4, where an even draw would have 46
    assert {organisation.sizes["lattlast"].validation for organisation in made} == {0}
    by_test = sorted(made, key=lambda organisation: organisation.sizes["lattlast"].test)
    trains = [organisation.sizes["lattlast"].train for organisation in by_test]
    assert 20 <= min(trains) <= 22
    assert 195 <= max(trains) <= 200
    assert sum(trains[:100]) < sum(trains[-100:]) / 4  # who is large in one split is large in all


@pytest.mark.parametrize("ends", [[5, 4], [-1, 4], [1], ["a", 2]])
def test_a_range_that_is_none_is_refused(ends):
    with pytest.raises(ValidationError):
        population(sizes={"lattlast": {**SIZES["lattlast"], "test": ends}})
