"""Exposure and membership against hand counts and scipy; a gate that is shut where nobody measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from kommunbench.core.model import TrainSettings
from kommunbench.privacy.memorisation import CANARIES, CANDIDATES, Canaries, exposure, measure, membership

NEVER = list(range(1, 512))


@pytest.mark.parametrize(
    ("loss", "bits"), [(0, 9.0), (1.5, 8.0), (3.5, 7.0), (255.5, 1.0), (999, 0.0), (1, 9 - math.log2(1.5))]
)
def test_exposure_is_the_rank_in_bits(loss: float, bits: float) -> None:
    assert exposure([loss], NEVER) == pytest.approx(bits)
    assert exposure([loss, 999], NEVER) == pytest.approx(bits / 2)


def test_canaries_that_were_not_learnt_have_about_one_and_a_half_bits() -> None:
    draw = np.random.default_rng(1)
    found = [exposure(draw.random(8), draw.random(511)) for _ in range(400)]
    assert np.mean(found) == pytest.approx(1 / math.log(2), abs=0.1)
    assert max(found) < 3.5


def test_membership_equals_mann_whitney_and_a_count_by_hand() -> None:
    draw = np.random.default_rng(2)
    members, others = draw.normal(0.8, 1, 150), draw.normal(0, 1, 200)
    auc, tpr = membership(members, others)
    assert auc == pytest.approx(mannwhitneyu(members, others).statistic / (150 * 200))
    third = np.sort(others)[-3]  # two of 200 may be false alarms
    assert tpr == pytest.approx((members > third).mean())
    assert membership(np.ones(30), np.ones(30))[0] == 0.5


def test_canaries_are_the_same_for_a_seed_and_all_differ() -> None:
    one, again, other = Canaries.drawn(1), Canaries.drawn(1), Canaries.drawn(2)
    assert one == again
    assert len({*one.planted, *one.others}) == CANARIES + CANDIDATES - 1
    assert not {*one.planted} & {*other.planted}


class Remembering:
    """A stand-in for a model that has learnt what it is told to: its loss is 1, less `by` where it knows the answer."""

    def __init__(self, known: set[str], by: float) -> None:
        self.known, self.by, self.adapter, self.draw = known, by, None, np.random.default_rng(3)

    def load_adapter(self, adapter, settings) -> None:
        self.adapter = adapter

    def losses(self, pairs, max_length):
        learnt = [self.by if self.adapter is not None and answer in self.known else 0 for _, answer in pairs]
        return [self.draw.normal(1, 0.1) - less for less in learnt]


def texts(name: str, count: int) -> list[tuple[str, str]]:
    return [("fråga", f"{name} {number}") for number in range(count)]


@pytest.mark.parametrize(("by", "auc", "bits"), [(0.0, (0.35, 0.65), (0, 4)), (2.0, (0.99, 1), (8.9, 9))])
def test_what_a_model_has_learnt_is_what_is_measured(by, auc, bits) -> None:
    canaries, trained, never = Canaries.drawn(1), texts("känt", 60), texts("okänt", 60)
    model = Remembering({answer for _, answer in [*trained, *canaries.planted]}, by)
    found = measure(model, {}, TrainSettings(), (trained, never), canaries)
    assert auc[0] <= found.auc <= auc[1]
    assert bits[0] <= found.exposure_bits <= bits[1]
    assert (found.members, found.non_members) == (60, 60)


def test_too_few_examples_are_not_measured() -> None:
    model, canaries = Remembering(set(), 0), Canaries.drawn(1)
    assert measure(model, {}, TrainSettings(), (texts("a", 19), texts("b", 60)), canaries) is None
    assert measure(model, {}, TrainSettings(), (texts("a", 60), texts("b", 19)), canaries) is None
    assert measure(model, {}, TrainSettings(), (texts("a", 1) * 60, texts("b", 60)), canaries) is None
