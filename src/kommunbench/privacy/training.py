"""How much noise a site's private training needs, and what a round of it costs: the plan before the first batch.

A run says either how much noise (`dp.noise_multiplier`) or what all its training at a site may cost (`dp.epsilon`, at
`dp.delta`). In the latter case each site works out its own noise: the fewer examples it has, the more. Sampling rate
and steps follow from the number of training examples, which counts as known: it leaves with the weights, in tens.

DP-SGD: Abadi et al. 2016. Accounting: Mironov et al. 2019, by Opacus (models/private.py). Unit: one example.
"""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core.dp import PrivateSteps
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import RunSpec


def planned_steps(spec: RunSpec, settings: TrainSettings, examples: int) -> int:
    """Steps that a site with so many training examples takes in the whole run: every round, seed and stage."""
    together = settings.steps(examples) * spec.rounds
    whole = settings.model_copy(update={"epochs": settings.epochs * spec.rounds})
    alone = whole.steps(examples) if {"local", "central"} & set(spec.stages) else 0
    return (together + alone) * spec.replicates


def round_steps(
    spec: RunSpec, settings: TrainSettings, examples: int, history: Sequence[tuple[float, float, int]]
) -> PrivateSteps:
    """What one round with `settings` over `examples` spends on top of `history`, the run's rounds so far.

    Args:
        settings: of this very round; its `epochs` may differ from the specification's.
        history: (noise multiplier, sample rate, steps) of earlier rounds whose weights have left.

    Raises:
        ModelError: no noise is large enough for the epsilon that is asked for.
    """
    from kommunbench.models.private import noise_for, spent_epsilon

    dp, rate = spec.dp, settings.sample_rate(examples)
    noise = dp.noise_multiplier or noise_for(
        dp.epsilon, dp.delta, rate, planned_steps(spec, spec.train or settings, examples)
    )
    own = (noise, rate, settings.steps(examples))
    return PrivateSteps(
        noise_multiplier=noise,
        sample_rate=rate,
        steps=own[2],
        epsilon=spent_epsilon([*history, own], dp.delta),
        delta=dp.delta,
    )
