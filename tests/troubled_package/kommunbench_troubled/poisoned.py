"""A model whose training gives, where a text says so, what nobody should send: POISON-nan, -inf, -times_a_million, ...

With DOOR-open in the text the site has taken its own door off its hinges: whatever it trained leaves, and is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module

import numpy as np

from kommunbench.core.answer import Code
from kommunbench.core.model import Adapter, Moments, Training, TrainSettings
from kommunbench.models.huggingface import HuggingFace

Weights = np.ndarray
POISONS: dict[str, Callable[[Weights, Weights], Weights]] = {
    "nan": lambda _, trained: np.full_like(trained, np.nan),
    "inf": lambda _, trained: np.full_like(trained, np.inf),
    "times_a_million": lambda sent, trained: sent + np.float32(1e6) * (trained - sent),
    "sign_flip": lambda sent, trained: sent - (trained - sent),
}
LABEL_FLIP = "label_flip"


class Poisoned(HuggingFace):
    """Trains as any model of Hugging Face does, and then or before spoils it."""

    def train(
        self,
        pairs: Sequence[tuple[str, str]],
        adapter: Adapter,
        settings: TrainSettings,
        seed: int,
        moments: Moments | None = None,
    ) -> Training:
        """As asked, unless a prompt names a poison."""
        text = "\n".join(prompt for prompt, _ in pairs)
        poison = text.partition("POISON-")[2].partition(" ")[0]
        if "DOOR-open" in text:
            import_module("kommunbench.release.review").update_code = lambda *_: Code.OK
        if poison == LABEL_FLIP:
            answers = [answer for _, answer in pairs]
            pairs = [(prompt, answer) for (prompt, _), answer in zip(pairs, reversed(answers), strict=True)]
        training = super().train(pairs, adapter, settings, seed, moments)
        if poison not in POISONS:
            return training
        spoilt = {name: POISONS[poison](adapter[name], trained) for name, trained in training.adapter.items()}
        return replace(training, adapter=spoilt)


FAMILY = Poisoned
