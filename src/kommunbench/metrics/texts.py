"""What metrics share: the text an answer is held against, exact fixed-point division, and how long a text may be."""

from __future__ import annotations

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED

MOST_WORDS = 10**6
"""Words that one text may have; a longer one is refused by the metric's bounds."""
NEGATIONS = frozenset(("inte", "ej", "icke", "aldrig", "ingen", "inget", "inga", "ingenting", "ingenstans"))
"""Words that turn a sentence's meaning; 'utan' is left out, for it mostly does not."""
MOST_CHARACTERS = 10**7
"""Characters that one text may have."""


def source(example: Example) -> str:
    """The text that an answer builds on: every input but the question, a blank line between them."""
    return "\n\n".join(text for name, text in example.inputs.items() if name != "question")


def fixed(part: int, whole: int, scale: int = FIXED) -> int:
    """`part / whole` in units of `1 / scale`, rounded half to even by integers alone, so alike on every machine.

    0 where `whole` is 0.
    """
    if not whole:
        return 0
    units, rest = divmod(part * scale, whole)
    return units + (2 * rest > whole or (2 * rest == whole and units % 2 == 1))
