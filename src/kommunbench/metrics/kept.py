"""Numbers and names of the source that the answer keeps."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS, source


class Kept(Metric):
    """Share of the sources' different numbers, and of their names, that the answers still have.

    Compared as in `grounding`. A good rewriting may drop some on purpose, so 1 is not always the goal: hold it beside
    the same share of the references. Undefined where no source has a number (a name).
    """

    name = "kept"
    source = "entity recall against the source (Nan 2021), by rules instead of a tagger"
    fields = tuple(Field(kind, high=MOST_WORDS) for kind in ("numbers", "kept_numbers", "names", "kept_names"))
    measures = (
        Measure("kept_numbers", ("kept_numbers",), ("numbers",)),
        Measure("kept_names", ("kept_names",), ("names",)),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Counts of different numbers and names of the source, and how many of each the answer has."""
        original = source(example)
        numbers, names = set(swedish.numbers(original)), set(swedish.names(original))
        return (
            len(numbers),
            len(numbers & swedish.known_numbers(prediction)) if numbers else 0,
            len(names),
            len(names & swedish.known_names(prediction)) if names else 0,
        )


METRIC = Kept()
