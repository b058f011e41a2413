"""What a training step is made of, private or not: the weights, AdamW and its schedule, the loss, FedProx's pull.

FedProx: Li et al. 2020, the term mu/2 * |w - w0|^2. LoRA+: Hayou et al. 2024, A and B at rates of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Moments, TrainSettings
from kommunbench.models.batches import UNSCORED, Encoded, collate

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW remembers of each weight, by torch's names."""
A_SHARE = 0.1
"""Learning rate of LoRA's A against B's: sites' A stay alike, so averages make sense."""


def trained_weights(model: Any) -> list[torch.nn.Parameter]:
    """The adapter's weights in the model."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def make_optimiser(
    model: Any, settings: TrainSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW over the adapter's weights, A slower than B, and its schedule over `steps`."""
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    slow = {"params": [weight for name, weight in named if "lora_A" in name], "lr": A_SHARE * settings.learning_rate}
    fast: dict[str, Any] = {"params": [weight for name, weight in named if "lora_A" not in name]}
    optimiser = torch.optim.AdamW([slow, fast], lr=settings.learning_rate, weight_decay=settings.weight_decay)
    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share(step, steps, settings))


def read_moments(optimiser: torch.optim.Optimizer) -> Moments:
    """AdamW's first and second moments and its count of steps, by place and name, float32."""
    return {
        f"{place:04}.{name}": value.detach().float().cpu().numpy().copy()
        for place, weight in enumerate(_weights(optimiser))
        for name, value in optimiser.state[weight].items()
    }


def write_moments(optimiser: torch.optim.Optimizer, moments: Moments) -> None:
    """Go on from what `read_moments` gave.

    Raises:
        ModelError: they are of other weights.
    """
    for place, weight in enumerate(_weights(optimiser)):
        state = {
            name: torch.from_numpy(moments[key].copy()) for name in MOMENTS if (key := f"{place:04}.{name}") in moments
        }
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        if shapes != {"step": (), "exp_avg": tuple(weight.shape), "exp_avg_sq": tuple(weight.shape)}:
            raise ModelError(Fault("the optimiser's moments are not those of this adapter", "train.optimiser"))
        optimiser.state[weight] = {name: value if name == "step" else value.to(weight) for name, value in state.items()}


def _weights(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [weight for group in optimiser.param_groups for weight in group["params"]]


def pull_back(weights: Sequence[torch.nn.Parameter], start: Sequence[torch.Tensor], proximal_mu: float) -> None:
    """Add FedProx's pull toward `start` to the gradients."""
    for weight, origin in zip(weights, start, strict=True) if proximal_mu else ():
        if weight.grad is not None:
            weight.grad.add_(weight.detach() - origin, alpha=proximal_mu)


def answer_loss(model: Any, tokenizer: Any, batch: Sequence[Encoded]) -> torch.Tensor:
    """Mean cross-entropy over the answers' tokens of a batch, in nats."""
    inputs, targets = collate(model, tokenizer, batch)
    logits = model(**inputs, use_cache=False).logits
    return cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=UNSCORED)


def share(step: int, steps: int, settings: TrainSettings) -> float:
    """The learning rate's share at `step`: linear up to 1 over the warm-up, then linear down to `last_share`."""
    warmup = max(1, round(steps * settings.warmup_share))
    if step < warmup:
        return (step + 1) / warmup
    return 1 - (1 - settings.last_share) * (step - warmup) / max(1, steps - warmup)
