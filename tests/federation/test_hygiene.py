"""What the coordinator says of updates: each on its own as it arrives, then all of a round against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kommunbench.core.answer import Code, Cost
from kommunbench.core.model import TrainSettings, UpdateBounds
from kommunbench.core.spec import ModelRef, PromptRef, RunSpec
from kommunbench.federation.hygiene import arrival_code, judge
from kommunbench.federation.strategies import Update

SENT = {"a": np.zeros((2, 2), np.float32), "b": np.ones(4, np.float32)}
BOUNDS = UpdateBounds()


def moved(*steps: float) -> Update:
    """SENT, moved by `steps` in the first of its eight weights."""
    own = {name: array.copy() for name, array in SENT.items()}
    own["a"].flat[: len(steps)] = steps
    return Update(own, 10)


def spec(**train: float) -> RunSpec:
    return RunSpec(
        run="r",
        kommunbench="0.1.0",
        seed=1,
        tasks=(),
        models=(ModelRef(name="nano", digest="a" * 64),),
        prompts=(PromptRef(name="plain", variant="plain"),),
        train=TrainSettings(**train),  # type: ignore[arg-type]
    )


def test_lengths_and_angles_are_those_of_a_hand_count() -> None:
    found = judge(SENT, {"east": moved(1, 0), "north": moved(0, 2), "both": moved(3, 3)}, BOUNDS)
    assert [found[site].ratio for site in found] == pytest.approx([0.5, 1.0, math.sqrt(18) / 2])
    # east against north + both's directions (0.7071, 1.7071), and so on
    assert found["east"].cosine == pytest.approx(math.sqrt(0.5) / math.hypot(math.sqrt(0.5), 1 + math.sqrt(0.5)))
    assert found["both"].cosine == pytest.approx(1.0)
    assert {judgement.code for judgement in found.values()} == {Code.OK}


def test_an_update_that_is_too_long_does_not_turn_the_others_directions() -> None:
    updates = {"a": moved(1, 0), "b": moved(1, 0.1), "c": moved(1, -0.1), "d": moved(-1e6)}
    found = judge(SENT, updates, BOUNDS)
    assert (found["d"].code, found["d"].used) == (Code.UPDATE_TOO_LARGE, False)
    assert {found[site].code for site in "abc"} == {Code.OK}
    assert all(judgement.used for site, judgement in found.items() if site != "d")


def test_a_flipped_update_is_named_and_refused_only_if_the_run_asks() -> None:
    updates = {"a": moved(1, 0), "b": moved(1, 0.1), "c": moved(-1, 0)}
    named = judge(SENT, updates, BOUNDS)["c"]
    assert (named.code, named.used) == (Code.UPDATE_AGAINST, True)
    refused = judge(SENT, updates, UpdateBounds(min_cosine=0.2))
    assert (refused["c"].code, refused["c"].used) == (Code.UPDATE_AGAINST, False)


def test_two_sites_cannot_tell_which_of_them_is_odd() -> None:
    found = judge(SENT, {"a": moved(1), "b": moved(-1e9)}, UpdateBounds(max_ratio=1, min_cosine=1))
    assert all(judgement.used and judgement.code is Code.OK for judgement in found.values())


def test_sites_that_did_not_move_are_no_reason_to_divide_by_nothing() -> None:
    found = judge(SENT, {"a": moved(0), "b": moved(0), "c": moved(0)}, BOUNDS)
    assert all(judgement.used and judgement.code is Code.OK for judgement in found.values())
    odd = judge(SENT, {"a": moved(0), "b": moved(0), "c": moved(1)}, BOUNDS)["c"]
    assert (odd.code, odd.shown()["ratio"]) == (Code.UPDATE_TOO_LARGE, None)
    assert judge(SENT, {"a": moved(0), "b": moved(0), "c": moved(1)}, UpdateBounds(max_ratio=0))["c"].used


def test_an_update_that_arrives_must_be_within_reach_of_its_steps() -> None:
    # 8 weights, 5 steps (a stated 0 is anything below 5): 5 * 0.1 * 3.162 * sqrt(8) = 4.47
    one = spec(learning_rate=0.1)
    assert arrival_code(one, SENT, moved(4.4).adapter, Cost()) is Code.OK
    assert arrival_code(one, SENT, moved(4.5).adapter, Cost()) is Code.UPDATE_TOO_LARGE
    assert arrival_code(one, SENT, moved(4.5).adapter, Cost(train_steps=10)) is Code.OK
    assert arrival_code(one, SENT, moved(math.nan).adapter, Cost(train_steps=10)) is Code.BAD_UPDATE
    assert arrival_code(one, None, moved(1).adapter, Cost()) is Code.BAD_UPDATE
    assert arrival_code(one, SENT, None, Cost()) is Code.BAD_UPDATE
    assert arrival_code(one.model_copy(update={"train": None}), SENT, moved(1).adapter, Cost()) is Code.BAD_UPDATE
