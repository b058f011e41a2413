"""The same answer always: the floor for choosing among labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults


class Constant:
    """Answers with the option `text`, whatever is asked."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        self.card = card
        faults = option_faults(card, {"text": str})
        if "text" not in card.options:
            faults.append(Fault("text is missing: the answer that it gives", f"models.{card.name}.options"))
        ModelError.raise_if(faults)
        self.text = str(card.options["text"])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query."""
        return [Completion(self.text)] * len(queries)


FAMILY = Constant
