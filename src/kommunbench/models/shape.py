"""The form that is asked for with one number in every place: the floor for structured answers, right in form alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults

_NUMBER = re.compile(r"(?<=:)\s*antal\b")
_REST = re.compile(r",\s*\.\.\.")


class Shape:
    """Answers with the input `shape`, the option `number` (default 1) for every `antal`, and without `...`."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        self.card = card
        ModelError.raise_if(option_faults(card, {"number": int}))
        self.number = card.options.get("number", 1)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query, in order."""
        return [Completion(self._filled(query.inputs["shape"])) for query in queries]

    def _filled(self, shape: str) -> str:
        return _REST.sub("", _NUMBER.sub(f" {self.number}", shape))


FAMILY = Shape
