"""Whether dates, negations and what the row says must be kept are still in the answer."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.metrics.texts import MOST_WORDS, NEGATIONS, source


class Meaning(Metric):
    """Signs that the meaning survived, beside `kept` (numbers and names).

    Dates: share of the sources' different dates that the answers have, however written. Negations: share of answers
    that negate something when, and only when, their reference does (any reference will do). Facts: share of the texts
    in `facts["must_keep"]` found in the answer, compared as `core.swedish.normalise` leaves them. Each is undefined
    where no row has what it reads.
    """

    name = "meaning"
    source = "entity recall (Nan 2021) on dates; polarity agreement with the reference"
    fields = (
        *(Field(kind, high=MOST_WORDS) for kind in ("dates", "kept_dates", "facts", "kept_facts")),
        Field("referenced", high=1, support=True),
        Field("same_polarity", high=1),
    )
    measures = (
        Measure("kept_dates", ("kept_dates",), ("dates",)),
        Measure("kept_facts", ("kept_facts",), ("facts",)),
        Measure("negation_agrees", ("same_polarity",), ("referenced",), proportion=True),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Counts of dates, facts and polarity, and how many of each were kept."""
        dates = {number for number in swedish.numbers(source(example)) if number.count("-") >= 2}
        facts = [swedish.normalise(str(fact)) for fact in example.facts.get("must_keep", ())]
        answer = f" {swedish.normalise(prediction)} "
        polarity = [_negates(reference) for reference in example.references]
        return (
            len(dates),
            len(dates & swedish.known_numbers(prediction)),
            len(facts),
            sum(f" {fact} " in answer for fact in facts),
            int(bool(polarity)),
            int(_negates(prediction) in polarity),
        )


METRIC = Meaning()


def _negates(text: str) -> bool:
    return not NEGATIONS.isdisjoint(swedish.tokens(text))
