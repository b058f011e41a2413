"""Numbers and names of the answer that its source does not have."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS, source


class Grounding(Metric):
    """Share of the answers' different numbers, and of their names, that are not in the source.

    Numbers and dates are compared in one spelling (`core.swedish.numbers`), names without case and genitive; a name
    may stand anywhere in the source. A right number in the wrong place passes, and so does an invented name that begins
    a sentence: this finds the plain inventions only. Undefined where no answer has a number (a name).
    """

    name = "grounding"
    source = "entity precision against the source (Nan 2021), by rules instead of a tagger"
    fields = tuple(Field(kind, high=MOST_WORDS) for kind in ("numbers", "not_in_source", "names", "unknown_names"))
    measures = (
        Measure("unsupported_numbers", ("not_in_source",), ("numbers",), direction="lower"),
        Measure("unsupported_names", ("unknown_names",), ("names",), direction="lower"),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Counts of different numbers and names, and how many of each the source lacks."""
        original = source(example)
        numbers, names = set(swedish.numbers(prediction)), set(swedish.names(prediction))
        return (
            len(numbers),
            len(numbers - swedish.known_numbers(original)) if numbers else 0,
            len(names),
            len(names - swedish.known_names(original)) if names else 0,
        )


METRIC = Grounding()
