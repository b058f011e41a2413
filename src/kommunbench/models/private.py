"""Training so that no example shows: DP-SGD by Opacus, and the accountant that says what it cost.

DP-SGD (Abadi et al. 2016): each step draws every example with the same small chance (Poisson sampling), clips each
example's gradient to one norm and adds Gaussian noise to the sum. What is noised is all that the optimiser sees, so its
moments, its schedule and the proximal term cost nothing more.

Chance is the operating system's (`os.urandom`), never a seed: whoever knows the seed can take the noise away again, and
the coordinator knows every seed of a run. Price: private training cannot be repeated to the same numbers.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from opacus.accountants import RDPAccountant
from opacus.accountants.utils import get_noise_multiplier
from opacus.grad_sample import GradSampleHooks
from opacus.optimizers import DPOptimizer
from scipy.special import ndtri
from torch.nn.functional import cross_entropy

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import TrainSettings
from kommunbench.models.batches import UNSCORED, Encoded, collate, encode_pairs, in_parts
from kommunbench.models.optimise import make_optimiser, pull_back, trained_weights

Steps = tuple[float, float, int]
"""(noise multiplier, sample rate, steps), as Opacus's accountants keep their history."""
DRAWS = 4
"""Normal draws behind one noise value: their sum hides which floating-point numbers each could give (Holohan and
Braghin 2021, as Opacus's secure mode does)."""
PART_TOKENS = 4096
"""Tokens that go through the model at once; each of their examples has a gradient of its own in memory."""
ORDERS = (*range(2, 64), 80, 96, 128, 256, 512)
"""Renyi orders that the accountant looks at. Whole ones have a closed form: Opacus's own choice, with fractions between
1 and 11, takes seconds where batches are large and gives at most a few hundredths less."""
TOLERANCE = 0.01
"""How far below a target the found epsilon may stay."""


def spent_epsilon(history: Sequence[Steps], delta: float) -> float:
    """Epsilon at `delta` of all steps of `history` together, by Opacus's Renyi accountant (Mironov et al. 2019).

    An upper bound for adding or removing one example; 0 without steps.
    """
    accountant = RDPAccountant()
    accountant.history = list(history)
    with _without("Optimal order"):  # the first or last of ORDERS is best: a bound all the same
        return float(accountant.get_epsilon(delta, alphas=ORDERS))


@lru_cache(maxsize=64)
def noise_for(epsilon: float, delta: float, sample_rate: float, steps: int) -> float:
    """The noise multiplier with which so many steps cost at most `epsilon` at `delta`.

    Raises:
        ModelError: no noise is large enough.
    """
    try:
        with _without("Optimal order"):
            found = get_noise_multiplier(
                target_epsilon=epsilon,
                target_delta=delta,
                sample_rate=sample_rate,
                steps=steps,
                accountant="rdp",
                epsilon_tolerance=min(TOLERANCE, epsilon / 10),
                alphas=ORDERS,
            )
        return float(found)
    except ValueError:
        raise ModelError(Fault("no noise gives so small an epsilon", "dp.epsilon", "ask for more of it")) from None


def private_steps(
    model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], settings: TrainSettings, noise_multiplier: float
) -> int:
    """One round of DP-SGD on the trainable weights of `model`; returns the tokens seen.

    Of (prompt, answer) pairs, only those drawn are encoded: many that hide each other need not cost more time than few.
    An example's loss is the mean over its answer's tokens. Everything is computed in float32, whatever the precision
    asked for: a norm in bfloat16 is too coarse to bound anything.
    """
    weights, steps, rate = trained_weights(model), settings.steps(len(pairs)), settings.sample_rate(len(pairs))
    start = [weight.detach().clone() for weight in weights]
    plain, schedule = make_optimiser(model, settings, steps)
    optimiser = NoisyOptimiser(
        plain,
        noise_multiplier=noise_multiplier,
        max_grad_norm=settings.clip_norm,
        expected_batch_size=rate * len(pairs),  # a divisor; it need not be whole
        loss_reduction="mean",
    )
    hooks = GradSampleHooks(model, loss_reduction="sum", strict=False)
    seen = 0
    try:
        for _ in range(steps):
            batch = encode_pairs(model, tokenizer, draw(pairs, rate), settings.max_length)
            batch.sort(key=lambda row: len(row.prompt) + len(row.answer))  # for little padding
            _sum_clipped(model, tokenizer, batch, optimiser)
            if optimiser.pre_step():
                pull_back(weights, start, settings.proximal_mu)
                plain.step()
            optimiser.zero_grad(set_to_none=True)
            schedule.step()
            seen += sum(len(row.prompt) + len(row.answer) for row in batch)
    finally:
        hooks.remove_hooks()
        for weight in weights:
            weight.grad = None
            for name in ("grad_sample", "summed_grad", "_forward_counter"):
                if hasattr(weight, name):
                    delattr(weight, name)
    return seen


def _sum_clipped(model: Any, tokenizer: Any, batch: Sequence[Encoded], optimiser: NoisyOptimiser) -> None:
    """Each example's gradient to the optimiser, part by part; the last part stays for its next step to take in."""
    parts = list(in_parts(batch, PART_TOKENS))
    if not parts:
        for weight in optimiser.params:
            weight.grad_sample = weight.new_zeros((0, *weight.shape))  # nobody was drawn: the step is noise alone
        return
    for left, part in zip(reversed(range(len(parts))), parts, strict=True):
        with _without("Full backward hook"):  # the frozen base asks for no gradient of its inputs
            example_losses(model, tokenizer, part).sum().backward()  # type: ignore[no-untyped-call]
        if left:
            optimiser.signal_skip_step(True)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


def example_losses(model: Any, tokenizer: Any, batch: Sequence[Encoded]) -> torch.Tensor:
    """Each example's mean cross-entropy over its answer's tokens, in nats: (examples,)."""
    inputs, targets = collate(model, tokenizer, batch)
    logits = model(**inputs, use_cache=False).logits
    losses = cross_entropy(logits.transpose(1, 2).float(), targets, ignore_index=UNSCORED, reduction="none")
    return losses.sum(1) / (targets != UNSCORED).sum(1)


def draw(pairs: Sequence[tuple[str, str]], rate: float) -> list[tuple[str, str]]:
    """Each pair with chance `rate`, all independent of each other."""
    return [pair for pair, chance in zip(pairs, secret_uniform(len(pairs)).tolist(), strict=True) if chance < rate]


class NoisyOptimiser(DPOptimizer):  # type: ignore[misc]
    """Opacus's optimiser with noise from the operating system in place of a generator with a seed."""

    def add_noise(self) -> None:
        """Put each weight's noised sum into `grad`; the sum is made in float64 and then rounded."""
        for weight in self.params:
            noise = self.noise_multiplier * self.max_grad_norm * secret_normal(tuple(weight.shape))
            total = weight.summed_grad.double() + torch.from_numpy(noise).to(weight.device)
            weight.grad = total.to(weight.dtype)


def secret_uniform(count: int) -> npt.NDArray[np.float64]:
    """Numbers strictly between 0 and 1, from the operating system, in steps of 2^-53."""
    bits = np.frombuffer(os.urandom(8 * count), dtype="<u8") >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def secret_normal(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Standard normal numbers from the operating system; each the half of a sum of four."""
    draws = ndtri(secret_uniform(DRAWS * prod(shape))).reshape(DRAWS, *shape)
    total: npt.NDArray[np.float64] = draws.sum(axis=0) / np.sqrt(DRAWS)
    return total


@contextmanager
def _without(warning: str) -> Iterator[None]:
    """Inside, a warning that begins so is not printed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", warning)
        yield
