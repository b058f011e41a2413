"""Whether the answer is JSON, and keeps the constraints that its row states."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric

MOST_CONSTRAINTS = 10**4
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n\s*```\s*", re.DOTALL)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "number": (int, float),
    "string": str,
    "list": list,
    "object": dict,
    "boolean": bool,
}


class JsonAnswer(Metric):
    """Share of answers that are JSON and nothing else (a code fence round it is allowed), and of constraints kept.

    `facts["constraints"]` is a list of objects. `path` says where to look: keys and list places with dots between, `*`
    for each element ('pass.*.antal'). Every value found there must satisfy all of `type` (integer, number, string,
    list, object, boolean), `equals`, `one_of`, `at_least`, `at_most`, `count` (elements of a list); with `"of": "sum"`
    the sum of the values, and with `"of": "number"` how many there are, must. A path that leads nowhere breaks its
    constraint, and so does an answer that is not JSON. Rows without the fact are unscored.
    """

    name = "json_answer"
    source = "kommunbench: structured answers checked against stated constraints"
    fields = (
        Field("valid", high=1),
        Field("constraints", high=MOST_CONSTRAINTS),
        Field("kept", high=MOST_CONSTRAINTS),
        Field("all_kept", high=1),
    )
    measures = (
        Measure("json_valid", ("valid",), proportion=True),
        Measure("constraints_kept", ("kept",), ("constraints",)),
        Measure("all_constraints_kept", ("all_kept",), proportion=True),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Valid or not, and constraints stated and kept; None where the row states none."""
        constraints = example.facts.get("constraints")
        if constraints is None:
            return None
        try:
            answer = _parse(prediction)
        except (ValueError, RecursionError):
            return 0, len(constraints), 0, 0
        kept = sum(_keeps(answer, constraint) for constraint in constraints)
        return 1, len(constraints), kept, int(kept == len(constraints))


METRIC = JsonAnswer()


def _parse(text: str) -> Any:
    fenced = _FENCE.fullmatch(text)
    return json.loads(fenced[1] if fenced else text, parse_constant=_refuse)


def _refuse(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _keeps(answer: Any, constraint: Mapping[str, Any]) -> bool:
    values = _at(answer, [part for part in str(constraint.get("path", "")).split(".") if part])
    if constraint.get("of") == "number":
        values = [len(values)]
    elif not values:
        return False
    elif constraint.get("of") == "sum":
        if not all(map(_is_number, values)):
            return False
        values = [sum(values)]
    return all(_satisfies(value, constraint) for value in values)


def _at(value: Any, path: Sequence[str]) -> list[Any]:
    if not path:
        return [value]
    first, rest = path[0], path[1:]
    inner: list[Any] = []
    if first == "*":
        inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    elif isinstance(value, dict) and first in value:
        inner = [value[first]]
    elif isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        inner = [value[int(first)]]
    return [found for one in inner for found in _at(one, rest)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _satisfies(value: Any, wanted: Mapping[str, Any]) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "type": lambda kind: isinstance(value, _TYPES.get(kind, ())) and isinstance(value, bool) <= (kind == "boolean"),
        "equals": lambda other: bool(value == other),
        "one_of": lambda others: value in others,
        "at_least": lambda least: _is_number(value) and value >= least,
        "at_most": lambda most: _is_number(value) and value <= most,
        "count": lambda number: isinstance(value, (list, dict)) and len(value) == number,
    }
    return all(check(wanted[name]) for name, check in checks.items() if name in wanted)
