"""LoRA, DoRA and full weights on their way: door, hygiene and strategies take what training gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.supercore.task_identity import TaskIdentity
from test_strategies import OneNode

from kommunbench.core.answer import Code, Cost
from kommunbench.core.model import StrategySettings, TrainSettings, UpdateBounds
from kommunbench.core.spec import PromptRef, RunSpec
from kommunbench.federation.hygiene import arrival_code, judge
from kommunbench.federation.strategies import Aggregator, Update
from kommunbench.models.open import open_model
from kommunbench.release import reach, update_code, update_norm
from tiny_models import make

PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n} kronor.") for n in range(10, 18)]


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_three_sites_updates_pass_are_judged_and_averaged(tmp_path: Path, method: Any) -> None:
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    asked = TrainSettings(method=method, rank=4, learning_rate=1e-3, epochs=2, batch_size=4, precision="float32")
    model: Any = open_model(make(tmp_path, "lfm2"), threads=1, device="cpu")
    sent = model.new_adapter(asked, 1)
    prompts = (PromptRef(name="plain", variant="plain"),)
    spec = RunSpec(run="r", kommunbench="0", seed=1, tasks=(), models=(), prompts=prompts, train=asked)
    updates = {}
    for number, site in enumerate(("ale", "bro", "cedra")):
        training = model.train(PAIRS[number:], sent, asked, seed=number)
        update, steps = dict(training.adapter), training.steps
        assert 0 < update_norm(sent, update) < reach(asked, steps, sent)
        assert update_code(sent, update, reach(asked, steps, sent)) is Code.OK
        assert arrival_code(spec, sent, update, Cost(train_steps=steps)) is Code.OK
        updates[site] = Update(update, training.examples)
    assert {judged.code for judged in judge(sent, updates, UpdateBounds()).values()} == {Code.OK}
    aggregator = Aggregator(StrategySettings(name="fedavg"), OneNode())  # type: ignore[arg-type]
    mean = aggregator.aggregate(1, sent, list(updates.values()))
    weights = np.array([update.examples for update in updates.values()], dtype=np.float64)
    for name in sent:
        stack = np.stack([update.adapter[name] for update in updates.values()])
        np.testing.assert_allclose(mean[name], np.tensordot(weights / weights.sum(), stack, axes=1), atol=1e-5)
    model.load_adapter(mean, asked)
    assert np.isfinite(model.losses(PAIRS, 128)).all()
