"""How much of the answer is taken over word by word from its source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS, fixed, source

DENSITY_SCALE = 10**10
"""Density is in words and may be large: units of 1e-10 leave room for 9 million answers of density 100."""


class Copied(Metric):
    """Extractive fragment coverage and density (Grusky 2018), mean over examples; and the share of plain copies.

    Fragments are the longest shared runs of lower-cased tokens, found greedily from the left. Coverage is the share of
    the answer's tokens in fragments, density the mean length of the fragment a token is in, in tokens. A plain copy is
    an answer with the source's tokens, all and in order.
    """

    name = "copied"
    source = "Grusky, Naaman, Artzi 2018, Newsroom: coverage and density"
    fields = (
        Field("coverage", high=FIXED, scale=FIXED),
        Field("density", high=MOST_WORDS * DENSITY_SCALE, scale=DENSITY_SCALE),
        Field("plain_copies", high=1),
    )
    measures = (
        Measure("copied_share", ("coverage",), direction="none"),
        Measure("density", ("density",), unit="words", direction="none"),
        Measure("plain_copies", ("plain_copies",), direction="lower", proportion=True),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Coverage, density and whether it is a copy; None where the source has no words."""
        original = swedish.tokens(source(example))
        if not original:
            return None
        answer = swedish.tokens(prediction)
        lengths = fragments(answer, original)
        squares = sum(length * length for length in lengths)
        return (
            fixed(sum(lengths), len(answer)),
            fixed(squares, len(answer), DENSITY_SCALE),
            int(answer == original),
        )


METRIC = Copied()


def fragments(answer: Sequence[str], original: Sequence[str]) -> list[int]:
    """Lengths of the answer's extractive fragments, from left to right (Grusky 2018, figure 2)."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for position, token in enumerate(original):
        places[token].append(position)
    found, start = [], 0
    while start < len(answer):
        longest = free = 0
        for place in places.get(answer[start], ()):
            if place >= free:  # the paper goes on after a match, not inside it
                length = _shared(answer, start, original, place)
                longest, free = max(longest, length), place + length
        if longest:
            found.append(longest)
        start += max(longest, 1)
    return found


def _shared(answer: Sequence[str], start: int, original: Sequence[str], place: int) -> int:
    most = min(len(answer) - start, len(original) - place)
    length = 1
    while length < most and answer[start + length] == original[place + length]:
        length += 1
    return length
