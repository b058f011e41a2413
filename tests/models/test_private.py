"""DP-SGD: the accountant against two others, the clipped sum against one example at a time, the noise against scipy."""

from __future__ import annotations

import math
from math import comb, log

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant, RDPAccountant
from scipy.special import logsumexp
from scipy.stats import binomtest, kstest, norm

from kommunbench.core.errors import ModelError
from kommunbench.core.model import ModelCard, TrainSettings
from kommunbench.models import private
from kommunbench.models.batches import encode_pairs
from kommunbench.models.open import open_model
from kommunbench.models.optimise import make_optimiser, trained_weights

SETTINGS = TrainSettings(rank=2, alpha=4, learning_rate=1e-2, epochs=1, batch_size=8, clip_norm=0.05)
PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n * n} kronor.") for n in range(10, 22)]
RUNS = [(1.1, 0.05, 200), (0.8, 0.01, 1000), (2.5, 0.4, 24), (6.0, 1.0, 16)]
RENYI = [4.443616, 3.695613, 4.088766, 2.984800]
PLD = [3.961654, 3.141018, 3.723700, 2.753381]
"""Of RUNS at delta 1e-5 by dp-accounting 0.6.0: RdpAccountant with Opacus's orders, and PLDAccountant."""
DELTA = 1e-5


@pytest.mark.parametrize("run", RUNS)
def test_epsilon_is_the_accountants_own_figure(run: private.Steps) -> None:
    noise_multiplier, sample_rate, steps = run
    opacus = RDPAccountant()
    for _ in range(steps):
        opacus.step(noise_multiplier=noise_multiplier, sample_rate=sample_rate)
    own = opacus.get_epsilon(DELTA, alphas=private.ORDERS)
    assert private.spent_epsilon([run], DELTA) == pytest.approx(own, rel=1e-9)
    half = (noise_multiplier, sample_rate, steps // 2)
    assert private.spent_epsilon([half, half], DELTA) == pytest.approx(own, rel=1e-9)


@pytest.mark.parametrize(("run", "renyi", "exact"), zip(RUNS, RENYI, PLD, strict=True))
def test_epsilon_agrees_with_another_librarys_accountants(run: private.Steps, renyi: float, exact: float) -> None:
    """dp-accounting 0.6.0 (not installed here: it holds other packages back), its RDP and its PLD accountant."""
    found = private.spent_epsilon([run], DELTA)
    assert renyi * 0.999 <= found <= renyi * 1.03
    assert exact <= found <= 1.3 * exact, "an upper bound, and not a wild one"


def test_epsilon_of_whole_orders_by_hand() -> None:
    """Mironov et al. 2019, equation 30, at whole orders, converted as Balle et al. 2020, theorem 21."""
    noise_multiplier, rate, steps = RUNS[0]

    def renyi(order: int) -> float:
        terms = [
            log(comb(order, k)) + (order - k) * log(1 - rate) + k * log(rate) + (k * k - k) / (2 * noise_multiplier**2)
            for k in range(order + 1)
        ]
        return steps * float(logsumexp(terms)) / (order - 1)

    by_hand = min(
        renyi(order) + log((order - 1) / order) - (log(DELTA) + log(order)) / (order - 1) for order in range(2, 64)
    )
    assert private.spent_epsilon([RUNS[0]], DELTA) == pytest.approx(by_hand, rel=1e-9)


def test_the_noise_that_is_found_costs_what_was_asked_for_and_no_more() -> None:
    noise_multiplier = private.noise_for(3.0, DELTA, 0.1, 100)
    assert 2.98 <= private.spent_epsilon([(noise_multiplier, 0.1, 100)], DELTA) <= 3.0
    tighter = PRVAccountant()
    tighter.history = [(noise_multiplier, 0.1, 100)]
    assert tighter.get_epsilon(DELTA) <= 3.0
    with pytest.raises(ModelError, match="epsilon"):
        private.noise_for(1e-9, DELTA, 1.0, 10**6)


def test_secret_chance_is_standard_normal_and_uniform() -> None:
    normal, uniform = private.secret_normal((40, 500)).ravel(), private.secret_uniform(20_000)
    assert kstest(normal, norm.cdf).pvalue > 1e-6
    assert kstest(uniform, "uniform").pvalue > 1e-6
    assert 0 < uniform.min() < uniform.max() < 1
    assert not np.array_equal(normal, private.secret_normal((40, 500)).ravel())


def test_every_pair_is_drawn_with_the_same_chance() -> None:
    pairs = [(str(n), "") for n in range(200)]
    counts = np.zeros(200)
    for _ in range(100):
        for prompt, _ in private.draw(pairs, 0.3):
            counts[int(prompt)] += 1
    assert binomtest(int(counts.sum()), 20_000, 0.3).pvalue > 1e-6
    assert counts.min() > 0
    assert counts.max() < 100


def by_hand(model: object, rows: list[private.Encoded], most: float) -> list[torch.Tensor]:
    """Each row's gradient on its own, cut to norm `most`, added up: plain autograd, no Opacus."""
    weights = trained_weights(model.network)
    total = [torch.zeros_like(weight) for weight in weights]
    for row in rows:
        loss = private.example_losses(model.network, model.tokenizer, [row]).sum()
        gradients = torch.autograd.grad(loss, weights)
        size = math.sqrt(sum(float(gradient.pow(2).sum()) for gradient in gradients))
        for part, gradient in zip(total, gradients, strict=True):
            part += gradient * min(1.0, most / size)
    return total


@pytest.mark.parametrize("part_tokens", [4096, 64])
def test_the_sum_is_of_single_clipped_gradients_however_it_is_cut_in_parts(
    lfm2_card: ModelCard, monkeypatch: pytest.MonkeyPatch, part_tokens: int
) -> None:
    monkeypatch.setattr(private, "PART_TOKENS", part_tokens)
    model = open_model(lfm2_card, threads=1)
    adapter = model.new_adapter(SETTINGS, seed=1)
    moved = {name: array + np.float32(0.1) for name, array in adapter.items()}
    model.load_adapter(moved, SETTINGS)
    model.network.train()
    rows = encode_pairs(model.network, model.tokenizer, PAIRS, 128)
    expected = by_hand(model, rows, SETTINGS.clip_norm)
    plain, _ = make_optimiser(model.network, SETTINGS, 1)
    optimiser = private.NoisyOptimiser(
        plain, noise_multiplier=0.0, max_grad_norm=SETTINGS.clip_norm, expected_batch_size=1, loss_reduction="mean"
    )
    hooks = private.GradSampleHooks(model.network, loss_reduction="sum", strict=False)
    private._sum_clipped(model.network, model.tokenizer, rows, optimiser)
    assert optimiser.pre_step()
    hooks.remove_hooks()
    found = [weight.grad for weight in trained_weights(model.network)]
    assert max(float(part.abs().max()) for part in expected) > 1e-3
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-6)


def test_the_noise_on_an_empty_batch_has_the_stated_size(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    model.load_adapter(model.new_adapter(SETTINGS, seed=1), SETTINGS)
    plain, _ = make_optimiser(model.network, SETTINGS, 1)
    optimiser = private.NoisyOptimiser(
        plain, noise_multiplier=3.0, max_grad_norm=0.05, expected_batch_size=4, loss_reduction="mean"
    )
    private._sum_clipped(model.network, model.tokenizer, [], optimiser)
    assert optimiser.pre_step()
    noise = torch.cat([weight.grad.flatten() for weight in trained_weights(model.network)]).numpy()
    assert len(noise) > 1000
    assert kstest(noise, norm(scale=3.0 * 0.05 / 4).cdf).pvalue > 1e-6


def test_private_training_cannot_be_repeated_and_leaves_no_hooks(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    adapter = model.new_adapter(SETTINGS, seed=1)
    before = model.train(PAIRS, adapter, SETTINGS, seed=1).adapter
    once, again = (model.train_privately(PAIRS, adapter, SETTINGS, 1.0) for _ in range(2))
    assert any(np.any(once.adapter[name] != again.adapter[name]) for name in adapter)
    assert all(np.isfinite(array).all() for array in once.adapter.values())
    assert once.steps == SETTINGS.steps(len(PAIRS)) == 2
    after = model.train(PAIRS, adapter, SETTINGS, seed=1).adapter
    assert all(np.array_equal(before[name], after[name]) for name in adapter)


def test_where_nobody_is_drawn_the_step_is_noise_alone(lfm2_card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private, "secret_uniform", lambda count: np.linspace(0.1, 0.9, count))
    few = SETTINGS.model_copy(update={"batch_size": 1, "max_steps": 1})
    model = open_model(lfm2_card, threads=1)
    adapter = model.new_adapter(few, seed=1)
    training = model.train_privately(PAIRS, adapter, few, 1.0)
    assert training.tokens == 0
    assert any(np.any(training.adapter[name] != adapter[name]) for name in adapter)


def test_private_training_learns_where_there_is_little_noise(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    settings = SETTINGS.model_copy(update={"epochs": 15, "clip_norm": 5.0})
    adapter = model.new_adapter(settings, seed=1)
    rows = encode_pairs(model.network, model.tokenizer, PAIRS, 128)

    def loss() -> float:
        with torch.inference_mode():
            return float(private.example_losses(model.network, model.tokenizer, rows).mean())

    model.load_adapter(adapter, settings)
    start = loss()
    model.train_privately(PAIRS, adapter, settings, 0.001)
    assert loss() < start - 0.3


def test_the_proximal_term_pulls_back(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    adapter = model.new_adapter(SETTINGS, seed=1)

    def distance(mu: float) -> float:
        settings = SETTINGS.model_copy(update={"proximal_mu": mu, "epochs": 8})
        trained = model.train_privately(PAIRS, adapter, settings, 0.001).adapter
        return math.sqrt(sum(float(((trained[name] - adapter[name]) ** 2).sum()) for name in adapter))

    assert distance(50.0) < 0.8 * distance(0.0)
