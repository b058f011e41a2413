"""What a run's private training will cost at a site, before it starts."""

from __future__ import annotations

from typing import Any

import pytest

from kommunbench.core.dp import DpSettings
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import RunSpec
from kommunbench.privacy.training import planned_steps, round_steps

TRAIN = TrainSettings(epochs=0.5, batch_size=10)


def make_spec(**changed: Any) -> RunSpec:
    fields: dict[str, Any] = {"run": "r", "kommunbench": "0", "seed": 1, "tasks": (), "models": (), "prompts": ()}
    return RunSpec(**{**fields, "train": TRAIN, "rounds": 4, "dp": DpSettings(name="sgd", epsilon=2.0), **changed})


def test_the_plan_counts_every_round_seed_and_stage() -> None:
    assert planned_steps(make_spec(), TRAIN, 100) == 4 * 5
    assert planned_steps(make_spec(replicates=3), TRAIN, 100) == 3 * 4 * 5
    both = make_spec(stages=("base", "federated", "local"))
    assert planned_steps(both, TRAIN, 100) == 4 * 5 + 20


@pytest.mark.parametrize("examples", [30, 400])
def test_all_planned_rounds_together_cost_what_was_asked_for(examples: int) -> None:
    spec, history = make_spec(), []
    spent = []
    for _ in range(spec.rounds):
        steps = round_steps(spec, TRAIN, examples, history)
        history.append((steps.noise_multiplier, steps.sample_rate, steps.steps))
        spent.append(steps.epsilon)
    assert spent == sorted(spent)
    assert 1.97 <= spent[-1] <= 2.0
    assert steps.sample_rate == 10 / examples


def test_fewer_examples_take_more_noise() -> None:
    few, many = (round_steps(make_spec(), TRAIN, examples, ()).noise_multiplier for examples in (30, 400))
    assert few > many


def test_a_noise_multiplier_is_taken_as_it_is() -> None:
    steps = round_steps(make_spec(dp=DpSettings(name="sgd", noise_multiplier=1.5)), TRAIN, 100, ())
    assert (steps.noise_multiplier, steps.steps, steps.sample_rate) == (1.5, 5, 0.1)
    assert steps.epsilon > 0


def test_epsilon_and_noise_are_not_given_together() -> None:
    with pytest.raises(ValueError, match="follows from the other"):
        DpSettings(epsilon=1.0, noise_multiplier=1.0)
