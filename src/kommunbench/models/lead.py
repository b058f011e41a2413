"""The first sentences of the text: the floor for summarisation, hard to beat on news and minutes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.copy import main_text
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults

_END = re.compile(r"(?<=[.!?])\s+(?=[\"”»–-]?\s?[A-ZÅÄÖ0-9])")
_ABBREVIATION = re.compile(r"\b(bl\.a|t\.ex|m\.m|f\.d|s\.k|fr\.o\.m|t\.o\.m|ca|dnr|kl|nr|st|tel)\.$", re.IGNORECASE)


class Lead:
    """Answers with the first `sentences` (an option, 1 or more, default 2) of the input `input`, or of the first."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        self.card = card
        faults = option_faults(card, {"sentences": int})
        self.count = card.options.get("sentences", 2)
        if isinstance(self.count, int) and self.count < 1:
            faults.append(Fault("sentences is a whole number from 1", f"models.{card.name}.options"))
        ModelError.raise_if(faults)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query, in order."""
        return [Completion(" ".join(split_sentences(main_text(query.inputs))[: int(self.count)])) for query in queries]


def split_sentences(text: str) -> list[str]:
    """Sentences in order, trimmed: broken at line ends, and at . ! ? before a capital or digit, save abbreviations."""
    found: list[str] = []
    for line in text.splitlines():
        open_end = False
        for piece in _END.split(line.strip()):
            if open_end:
                found[-1] += " " + piece
            elif piece:
                found.append(piece)
            open_end = bool(_ABBREVIATION.search(piece))
    return found


FAMILY = Lead
