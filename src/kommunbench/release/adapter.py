"""When trained weights are fit to travel. The site asks before they leave, the coordinator when they arrive."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple

import numpy as np

from kommunbench.core.answer import Code, Memory
from kommunbench.core.model import Adapter, TrainSettings
from kommunbench.release.policy import ReleasePolicy

FLOAT32 = np.dtype(np.float32)
ADAM_STEP = 0.1 / math.sqrt(0.001)
"""Farthest that one step of Adam moves a weight, in learning rates, for its usual decays of 0.9 and 0.999 (Kingma & Ba
2015, section 2.1: (1 - beta1) / sqrt(1 - beta2), after steps without any gradient)."""


def update_code(sent: object, update: object, longest: float = math.inf) -> Code:
    """OK where `update` has the layout of `sent`, is finite, and is no farther from it than `longest` (L2 norm).

    The layout is fixed by what the coordinator sent: the same names, the same shapes, float32 in the machine's own
    byte order, plain arrays. So neither a name, nor a shape, nor a payload in a NaN can carry anything. BAD_UPDATE for
    another layout or numbers that are not finite, UPDATE_TOO_LARGE for the rest.
    """
    if not isinstance(sent, Mapping) or type(update) is not dict or not sent or sent.keys() != update.keys():
        return Code.BAD_UPDATE
    if not all(type(name) is str and _fits(sent[name], array) for name, array in update.items()):
        return Code.BAD_UPDATE
    return Code.OK if update_norm(sent, update) <= longest else Code.UPDATE_TOO_LARGE


def memory_code(policy: ReleasePolicy, memory: object) -> Code:
    """MEMORISED where the policy stops weights that remember, and these do, or nobody knows whether they do."""
    if policy.memorisation != "stop":
        return Code.OK
    if type(memory) is not Memory or not all(type(part) in (int, float) for part in astuple(memory)):
        return Code.MEMORISED
    within = memory.exposure_bits <= policy.max_exposure_bits and memory.auc <= policy.max_membership_auc
    return Code.OK if within else Code.MEMORISED


def longest_update(policy: ReleasePolicy, settings: TrainSettings, steps: int, sent: Adapter) -> float:
    """The farthest that an update may be from `sent`: what its steps could do, and what the policy allows."""
    return min(reach(settings, steps, sent), policy.max_update_norm or math.inf)


def update_norm(sent: Adapter, update: Adapter) -> float:
    """L2 norm of `update` less `sent` over all arrays together, in float64."""
    return math.sqrt(sum(float(np.square(step).sum()) for step in steps_of(sent, update)))


def steps_of(sent: Adapter, update: Adapter) -> list[np.ndarray]:
    """`update` less `sent`, array by array in the order of `sent`, in float64."""
    return [update[name].astype(np.float64) - array.astype(np.float64) for name, array in sent.items()]


def reach(settings: TrainSettings, steps: int, sent: Adapter) -> float:
    """The farthest (L2 norm) that `steps` steps of AdamW can take the weights `sent`, whatever the examples.

    Each step moves each of d weights by at most ADAM_STEP learning rates, and weight decay by its share of the weights:
    t * lr * (ADAM_STEP * sqrt(d) + decay * (|sent| + t * lr * ADAM_STEP * sqrt(d))). No honest training exceeds it.
    """
    count = sum(array.size for array in sent.values())
    norm = math.sqrt(sum(float(np.square(array.astype(np.float64)).sum()) for array in sent.values()))
    moved = steps * settings.learning_rate * ADAM_STEP * math.sqrt(count)
    return moved + steps * settings.learning_rate * settings.weight_decay * (norm + moved)


def _fits(sent: object, array: object) -> bool:
    return (
        isinstance(sent, np.ndarray)
        and type(array) is np.ndarray
        and array.dtype == FLOAT32
        and array.shape == sent.shape
        and bool(np.isfinite(array).all())
    )
