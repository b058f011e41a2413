"""Cut a task's rows out of documents whose structure allows it.

    summarization   a tjänsteutlåtande: what stands under Sammanfattning is the reference, the rest is the input
    guideline_qa    a riktlinje: its numbered paragraphs are the context; question and answer are for staff to fill in

Any other task takes a whole document as its first input. What has no reference goes into the worklist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from kommunbench.core.errors import Fault
from kommunbench.core.task import Task
from kommunbench.site.documents import Found, Paragraph

SUMMARY = re.compile(r"^(\d+(\.\d+)*\s+)?sammanfattning( av ärendet)?:?$", re.IGNORECASE)
KNOWN_HEADINGS = re.compile(
    r"^(\d+(\.\d+)*\.?\s+)?(förslag till beslut|bakgrund|ärendet|beskrivning av ärendet|bedömning|samverkan|bilagor|"
    r"skickas till|beslutsunderlag|ekonomiska konsekvenser|barnperspektiv\w*|underskrifter|expedieras till)"
    r"[^.]{0,60}:?$",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"^(§\s*\d+|\d+\s*§|\d+(\.\d+)*[.)]?\s)")
LONGEST_HEADING = 80


def cut(found: Found, task: Task) -> list[tuple[str, dict[str, Any]]]:
    """Rows of `task` out of a document, each with its place; faults are added to `found`."""
    cutter: Callable[[Found, Task], list[tuple[str, dict[str, Any]]]] = _CUTTERS.get(task.name, _whole)
    return cutter(found, task)


def _whole(found: Found, task: Task) -> list[tuple[str, dict[str, Any]]]:
    text = _joined(found.paragraphs)
    return [(str(found.path), {task.inputs[0]: text})] if text else []


def _summary_pair(found: Found, task: Task) -> list[tuple[str, dict[str, Any]]]:
    start = next((at for at, each in enumerate(found.paragraphs) if SUMMARY.match(each.text)), None)
    if start is None:
        do = "the row has no reference; the worklist asks for one"
        found.faults.append(Fault("no heading Sammanfattning", str(found.path), do))
        return _whole(found, task)
    end = next((at for at in range(start + 1, len(found.paragraphs)) if _is_heading(found.paragraphs[at])), None)
    end = len(found.paragraphs) if end is None else end
    summary, rest = found.paragraphs[start + 1 : end], [*found.paragraphs[:start], *found.paragraphs[end:]]
    if not summary or not rest:
        found.faults.append(Fault("nothing under Sammanfattning, or nothing but it", found.paragraphs[start].where))
        return _whole(found, task)
    where = found.paragraphs[start].where
    return [(where, {task.inputs[0]: _joined(rest), "references": [" ".join(each.text for each in summary)]})]


def _guideline(found: Found, task: Task) -> list[tuple[str, dict[str, Any]]]:
    numbered = [each for each in found.paragraphs if NUMBERED.match(each.text)]
    if not numbered:
        found.faults.append(Fault("no numbered paragraphs", str(found.path), "1 §, § 1, 1. or 1.2 at their start"))
        return []
    first = found.paragraphs.index(numbered[0])
    context = _joined(found.paragraphs[first:])
    return [(each.where, {task.inputs[0]: context}) for each in numbered]


def _is_heading(paragraph: Paragraph) -> bool:
    short = len(paragraph.text) <= LONGEST_HEADING
    return paragraph.heading or (short and bool(KNOWN_HEADINGS.match(paragraph.text)))


def _joined(paragraphs: Sequence[Paragraph]) -> str:
    return "\n".join(each.text for each in paragraphs)


_CUTTERS: dict[str, Callable[[Found, Task], list[tuple[str, dict[str, Any]]]]] = {
    "summarization": _summary_pair,
    "guideline_qa": _guideline,
}
