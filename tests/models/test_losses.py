"""Losses of given answers against transformers' own; overfitted training is stopped, honest training passes."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from kommunbench.core.answer import Code
from kommunbench.core.model import ModelCard, TrainSettings
from kommunbench.models.batches import encode_pairs
from kommunbench.models.open import open_model
from kommunbench.privacy.memorisation import Canaries, measure
from kommunbench.release import ReleasePolicy, reach, update_norm
from kommunbench.release.adapter import memory_code

SETTINGS = TrainSettings(rank=8, alpha=16, learning_rate=1e-2, epochs=1, batch_size=8, precision="float32")
PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n} kronor." * (n % 3 + 1)) for n in range(10, 22)]


def test_each_loss_is_the_one_that_transformers_computes(any_card: ModelCard) -> None:
    model = open_model(any_card, threads=1)
    found = model.losses(PAIRS, 128)
    for row, loss in zip(encode_pairs(model.network, model.tokenizer, PAIRS, 128), found, strict=True):
        if model.network.config.is_encoder_decoder:
            ids, labels = row.prompt, row.answer
        else:
            ids, labels = row.prompt + row.answer, [-100] * len(row.prompt) + row.answer
        with torch.inference_mode():
            own = model.network(input_ids=torch.tensor([ids]), labels=torch.tensor([labels])).loss
        assert loss == pytest.approx(float(own), rel=1e-4)


def codes(seed: int, count: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    return [
        (f"Ärende {draw.randrange(1000)}:", " ".join(f"{draw.randrange(100):02}" for _ in range(5)))
        for _ in range(count)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("epochs", "code"), [(1, Code.OK), (60, Code.MEMORISED)])
def test_an_overfitted_adapter_is_stopped_and_an_honest_one_passes(
    epochs: int, code: Code, lfm2_card: ModelCard
) -> None:
    model, canaries, trained, never = open_model(lfm2_card, threads=1), Canaries.drawn(1), codes(1, 24), codes(2, 24)
    settings = SETTINGS.model_copy(update={"epochs": epochs})
    start = model.new_adapter(settings, 1)
    training = model.train([*trained, *canaries.planted], start, settings, 1)
    memory = measure(model, training.adapter, settings, (trained, never), canaries)
    assert memory_code(ReleasePolicy(), memory) is code, memory
    # Whatever it learnt, AdamW cannot have taken it farther than its reach.
    assert 0 < update_norm(start, training.adapter) < reach(settings, training.steps, start)


def test_reach_is_a_bound_that_sparse_gradients_come_close_to() -> None:
    """One step after a hundred without any gradient: the farthest that Adam goes in one."""
    weight = torch.nn.Parameter(torch.zeros(50))
    optimiser = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.0)
    for step in range(2000):
        before = weight.detach().clone()
        weight.grad = torch.zeros(50) if step < 1999 else torch.ones(50)
        optimiser.step()
    moved = float((weight.detach() - before).norm())
    bound = reach(TrainSettings(learning_rate=0.1), 1, {"w": np.zeros(50, np.float32)})
    assert 0.9 * bound < moved <= bound
