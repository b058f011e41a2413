"""Poisoned sites are refused or outvoted, and named: digits, the coordinator's own code, Flower's strategies."""

from __future__ import annotations

from functools import cache

import pytest
from poison import POISONED, federate

from kommunbench.core.answer import Code
from kommunbench.core.model import UpdateBounds

ROBUST = ("median", "trimmed_mean", "krum")
BAD = {str(site) for site in POISONED}
WITHIN = 0.03
"""Accuracy that two of nine sites may cost: they are missed, too."""


@cache
def judged(strategy: str, poison: str) -> tuple[float, dict[str, set[Code]]]:
    return federate(strategy, poison, UpdateBounds())


@pytest.mark.parametrize("strategy", ["fedavg", *ROBUST])
def test_honest_sites_with_unlike_data_are_never_named(strategy: str) -> None:
    score, named = judged(strategy, "clean")
    assert score > 0.9
    assert named == {}


@pytest.mark.parametrize(
    ("poison", "code"),
    [
        ("nan", Code.BAD_UPDATE),
        ("inf", Code.BAD_UPDATE),
        ("times_a_million", Code.UPDATE_TOO_LARGE),
        ("sign_flip", Code.UPDATE_AGAINST),
        ("label_flip", Code.UPDATE_AGAINST),
    ],
)
def test_a_poisoned_site_is_named_and_no_other(poison: str, code: Code) -> None:
    _, named = judged("fedavg", poison)
    assert set(named) == BAD
    assert all(code in codes for codes in named.values())


@pytest.mark.parametrize("poison", ["nan", "inf", "times_a_million"])
def test_what_no_training_gives_is_refused_under_any_strategy(poison: str) -> None:
    assert judged("fedavg", poison)[0] > judged("fedavg", "clean")[0] - WITHIN


def test_without_judgement_one_large_update_ruins_the_average() -> None:
    assert federate("fedavg", "times_a_million")[0] < judged("fedavg", "clean")[0] - 0.2
    assert federate("fedavg", "sign_flip_times_eight")[0] < 0.5


@pytest.mark.parametrize("poison", ["times_eight", "sign_flip", "label_flip"])
@pytest.mark.parametrize("strategy", ROBUST)
def test_a_robust_strategy_outvotes_the_rest(strategy: str, poison: str) -> None:
    assert judged(strategy, poison)[0] > judged(strategy, "clean")[0] - WITHIN


@pytest.mark.parametrize("poison", ["sign_flip", "label_flip"])
def test_the_average_suffers_from_what_it_counts_unless_the_run_refuses_a_direction(poison: str) -> None:
    suffered = judged("fedavg", poison)[0]
    assert suffered < judged("median", poison)[0] - 0.01
    assert federate("fedavg", poison, UpdateBounds(min_cosine=0))[0] > suffered + 0.01
