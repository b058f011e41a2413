"""Visits a shift and a house's own staffing rules, and the staffing that follows as JSON.

Staff for a shift is its visits divided by what one person manages, rounded up, and never under the least number. The
traps: a shift whose least number differs, and an absence that changes nothing in the need.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import phrases


class Manner(NamedTuple):
    """How a house calls its shifts, states its rules, and wants the answer; `path` leads to a shift's number."""

    shifts: tuple[str, str, str]
    rule: str
    shape: str
    path: str


MANNERS = (
    Manner(("dag", "kväll", "natt"), "En medarbetare hinner {each} besök. Minst {least} per pass.",
           '{"dag": antal, "kväll": antal, "natt": antal}', "{shift}"),
    Manner(("förmiddag", "eftermiddag", "kväll"), "Räkna {each} besök per anställd och aldrig under {least} anställda.",
           '{"bemanning": {"förmiddag": antal, ...}}', "bemanning.{shift}"),
    Manner(("fm", "em", "jour"), "Kapacitet {each}. Grundbemanning {least}.",
           '{"fm": {"personal": antal}, ...}', "{shift}.personal"),
    Manner(("tidigt", "sent", "helg"), "Högst {each} besök på var och en, lägst {least} i tjänst.",
           '{"turer": {"tidigt": antal, ...}}', "turer.{shift}"),
    Manner(("A", "B", "C"), "Norm: {each} besök/person. Golv: {least}.",
           '{"A": antal, "B": antal, "C": antal}', "{shift}"),
    Manner(("morgon", "middag", "afton"), "Var och en tar {each} besök. Det ska finnas {least} eller fler.",
           '{"schema": {"morgon": {"antal": antal}, ...}}', "schema.{shift}.antal"),
)  # fmt: skip
_TOPICS = phrases(
    "Bemanna {place} den här dagen: {date}. | Planera {date} i {place}. | Underlag för {place}, {date}. | Gäller "
    "gruppen i "
    "{place} {date}. | Behov {date}, {place}."
)
_COUNTS = phrases(
    "{shift}: {visits} besök | {shift} har {visits} besök | {visits} besök {shift} | {shift} {visits} besök"
)
_EXCEPTIONS = phrases(
    "Undantag: {shift} ska ha minst {more}. | För {shift} gäller minst {more}. | {shift} har golvet {more}."
)
_NOISE = phrases("{who} är ledig. | {who} är på kurs. | {who} börjar i morgon. | {who} har bytt tur.")


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `planning`: {id, split, group, input, shape, references, constraints}."""
    for draft in drafts("planning", organisation, split, seed, recipe):
        need, answer, constraints = _plan(draft)
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "input": need,
            "shape": MANNERS[draft.manner].shape,
            "references": [json.dumps(answer, ensure_ascii=False)],
            "constraints": constraints,
        }


GENERATOR: Generator = _rows


def _plan(draft: Draft) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    """The need in words, the staffing in the house's shape, and what makes an answer right."""
    rng, manner = draft.rng, MANNERS[draft.manner]
    each, least = draft.own("each", range(3, 9)), draft.own("least", range(1, 4))
    visits = {shift: rng.randint(1, 9 * each) for shift in manner.shifts}
    least_of = dict.fromkeys(manner.shifts, least)
    slots = draft.slots(each=str(each), least=str(least))
    count = draft.pick(_COUNTS)
    parts = [draft.pick(_TOPICS), ", ".join(count.format(shift=shift, visits=visits[shift]) for shift in visits) + "."]
    parts.append(manner.rule)
    if draft.is_hard():
        special = rng.choice(manner.shifts)
        least_of[special] = least + rng.randint(1, 3)
        slots.update(shift=special, more=str(least_of[special]))
        parts.append(draft.pick(_EXCEPTIONS))
    parts.append(draft.pick(_NOISE))
    staff = {shift: max(least_of[shift], -(-visits[shift] // each)) for shift in visits}
    answer: dict[str, Any] = {}
    constraints = []
    for shift, number in staff.items():
        path = manner.path.format(shift=shift)
        *outer, last = path.split(".")
        place = answer
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = number
        constraints.append({"path": path, "type": "integer", "equals": number})
    return " ".join(parts).format_map(slots), answer, constraints
