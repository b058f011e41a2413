"""Whether the answer keeps a given template: sections, their order, fields filled, no gaps left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric

MOST_PARTS = 10**4
_MARKS = re.compile(r"^[\s#*_>\-–•]*(?:\d+(?:\.\d+)*[.)]?\s+)?|[\s#*_:.]*$")
_PLACEHOLDER = re.compile(r"\[[^\]\n]{1,60}\](?!\()|\{[^}\n]{1,60}\}|<[^>\n]{1,60}>|_{3,}|\bX{2,}\b|\.{4,}|…{2,}")


class Template(Metric):
    """Sections and fields that a row asks for, found in the answer.

    `facts["sections"]` lists the headings in order, each a text or a list of texts that will do; a heading stands alone
    on its line, with or without number, marks or colon. `facts["fields"]` maps a field to its value (or values that
    will do), found anywhere in the answer as `core.swedish.normalise` leaves it, or as the same number or date.
    A placeholder is what a template leaves to fill: [datum], {namn}, <ort>, ____, XX. Unscored where the row asks for
    neither sections nor fields.
    """

    name = "template"
    source = "kommunbench: conformance with a given template, by rules"
    fields = (
        *(Field(kind, high=MOST_PARTS) for kind in ("sections", "present", "fields", "filled")),
        Field("sectioned", high=1, support=True),
        Field("in_order", high=1),
        Field("unfinished", high=1),
    )
    measures = (
        Measure("sections_present", ("present",), ("sections",)),
        Measure("sections_in_order", ("in_order",), ("sectioned",), proportion=True),
        Measure("fields_filled", ("filled",), ("fields",)),
        Measure("placeholders_left", ("unfinished",), direction="lower", proportion=True),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Counts of sections and fields; None where the row asks for none."""
        sections = [_accepted(one) for one in example.facts.get("sections", ())]
        wanted = [_accepted(one) for one in dict(example.facts.get("fields", {})).values()]
        if not sections and not wanted:
            return None
        lines = [swedish.normalise(_MARKS.sub("", line)) for line in prediction.splitlines()]
        places = [next((place for place, line in enumerate(lines) if line in accepted), -1) for accepted in sections]
        complete = bool(sections) and min(places) >= 0
        text, numbers = f" {swedish.normalise(prediction)} ", swedish.known_numbers(prediction)
        return (
            len(sections),
            sum(place >= 0 for place in places),
            len(wanted),
            sum(any(_found(value, text, numbers) for value in accepted) for accepted in wanted),
            int(bool(sections)),
            int(complete and all(first < second for first, second in pairwise(places))),
            int(bool(_PLACEHOLDER.search(prediction))),
        )


METRIC = Template()


def _accepted(value: Any) -> list[str]:
    return [swedish.normalise(str(one)) for one in (value if isinstance(value, (list, tuple)) else (value,))]


def _found(value: str, text: str, numbers: frozenset[str]) -> bool:
    if f" {value} " in text:
        return True
    # '1 mars 2026' may be written 2026-03-01: true only where the value is one number or date and nothing else.
    alone = swedish.numbers(value)
    words = re.sub(r"[\W\d_]", "", value)
    return len(alone) == 1 and alone[0] in numbers and (not words or alone[0].count("-") >= 2)
