"""A model that does, where a text says so, what no model should: TROUBLE-raise, -model_error, -leave, -die, -sleep."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest


class Troubled:
    """Copies its input until a text asks for trouble."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:
        self.card = card

    @property
    def digest(self) -> str:
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        for query in queries:
            text = next(iter(query.inputs.values()))
            if "TROUBLE-" in text:
                make_trouble(text.partition("TROUBLE-")[2].split()[0], text)
        return [Completion(next(iter(query.inputs.values()))) for query in queries]


def make_trouble(kind: str, text: str) -> None:
    if kind == "raise":
        raise ValueError(f"cannot answer {text}")
    if kind == "model_error":
        ModelError.raise_if([Fault(f"cannot answer {text}", text, text)])
    if kind == "leave":
        raise SystemExit(text)
    if kind == "die":
        os._exit(3)
    time.sleep(3600)


FAMILY = Troubled
