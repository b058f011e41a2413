"""The text as it is: the floor for rewriting, which keeps every name and number and makes nothing easier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults


class Copy:
    """Answers with the input `input`, or the first input of a task that has none, unchanged."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        ModelError.raise_if(option_faults(card, {}))
        self.card = card

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query, in order."""
        return [Completion(main_text(query.inputs).strip()) for query in queries]


def main_text(inputs: Mapping[str, str]) -> str:
    """What a task is about: its `input`, or the first of its inputs."""
    return inputs["input"] if "input" in inputs else next(iter(inputs.values()))


FAMILY = Copy
