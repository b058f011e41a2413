"""The first words of the text: a floor for headlines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest


class FirstWords:
    """Answers with the first `words` words (an option, 1 or more, default 6) of the input `input`."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:
        self.card = card
        self.words = card.options.get("words", 6)
        if type(self.words) is not int or self.words < 1:
            raise ModelError(Fault("options.words is a whole number from 1", f"models.{card.name}"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        """One completion for each query, in order."""
        return [Completion(" ".join(query.inputs["input"].split()[: self.words])) for query in queries]


FAMILY = FirstWords
