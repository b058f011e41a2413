"""What a judge said, and its agreement with staff, against scikit-learn and a hand count; sums alone, uneven sites."""

from __future__ import annotations

import random
from statistics import median_low

import pytest
from scoring import total
from sklearn.metrics import cohen_kappa_score

from kommunbench.core.example import Example
from kommunbench.core.metric import add
from kommunbench.core.registry import find
from kommunbench.core.spec import CRITERIA
from metric_oracles import N

AGREEMENT = find("metrics", "judge_agreement")


def example(judged: object = None, **ratings: list[int]) -> tuple[str, Example]:
    return "", Example("x", {}, facts={"judged": judged, "ratings": ratings})


def alike(*values: int) -> dict[str, list[int]]:
    return {criterion: list(values) for criterion in CRITERIA}


def test_kappa_is_that_of_scikit_learn_and_five_sums_pool_exactly() -> None:
    chance, rows, pairs = random.Random(3), [], {criterion: ([], []) for criterion in CRITERIA}
    for _ in range(N):
        ratings = {name: [chance.randint(1, 5) for _ in range(chance.randint(1, 4))] for name in CRITERIA}
        off = [-1, 0, 0, 0, 1, 2]
        judged = {name: min(5, max(1, median_low(ratings[name]) + chance.choice(off))) for name in CRITERIA}
        rows.append(example(judged, **ratings))
        for name, (people, judge) in pairs.items():
            people.append(median_low(ratings[name]))
            judge.append(judged[name])
    pooled = total(AGREEMENT, rows)
    for name, (people, judge) in pairs.items():
        expected = cohen_kappa_score(people, judge, weights="quadratic", labels=range(1, 6))
        assert AGREEMENT.value(pooled, AGREEMENT.measure(f"judge_kappa_{name}")) == pytest.approx(expected, abs=1e-12)
    assert add(total(AGREEMENT, rows[7:]), total(AGREEMENT, rows[:7])) == pooled


@pytest.mark.parametrize(("people", "judge", "kappa"), [([1, 5, 3], [1, 5, 3], 1.0), ([1, 5], [5, 1], -1.0),
                                                        ([4, 4], [4, 4], None), ([], [], None)])  # fmt: skip
def test_kappa_at_its_ends_and_where_nothing_varies(people: list[int], judge: list[int], kappa: float | None) -> None:
    rows = [example(dict.fromkeys(CRITERIA, said), **alike(own)) for own, said in zip(people, judge, strict=True)]
    assert AGREEMENT.value(total(AGREEMENT, rows), AGREEMENT.measure("judge_kappa_plain")) == kappa


def test_a_number_that_lacks_on_either_side_is_unscored() -> None:
    whole = dict.fromkeys(CRITERIA, 4)
    for row in (example(whole), example(None, **alike(4)), example({**whole, "plain": None}, **alike(4)),
                example({**whole, "plain": 6}, **alike(4)), example("4", **alike(4))):  # fmt: skip
        assert AGREEMENT.score(*row) == AGREEMENT.unscored
    plain = find("metrics", "judged_plain")
    assert [plain.score(*example({"plain": said})) for said in (5, 3, None, True, 4.0, 0)] == [
        (1, 0, 5, 1), (1, 0, 3, 0), *[plain.unscored] * 4
    ]  # fmt: skip
    pooled = total(plain, [example({"plain": said}) for said in (5, 3, 4)])
    assert [plain.value(pooled, measure) for measure in plain.measures] == [4.0, pytest.approx(2 / 3)]
