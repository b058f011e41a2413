"""A row as a site writes it -> a row that fits the task, or every fault it has. No fault quotes what the row says.

A row has the task's inputs at top level, each a text; `references`, a list of texts (one text also does, and so does
`reference`); and, if it likes, `id`, `split` (train, validation or test; `dev` and `val` mean validation), `group` and
`facts`, a mapping, or the task's facts by name at top level. Other fields (source, licence, meta) are ignored. A file
gives every row an id or none: without ids a row is called after its line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kommunbench.core.errors import Fault
from kommunbench.core.example import Split
from kommunbench.core.task import Task
from kommunbench.site.files import RawFile

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
MAX_CHARACTERS = 1_000_000
"""Longest text of a row: some 300 printed pages. Longer ones are joined files by mistake, or another task."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row that fits the task. `split` is None and `group` is empty where the row does not say."""

    line: int
    id: str
    inputs: Mapping[str, str]
    references: tuple[str, ...] = ()
    split: Split | None = None
    group: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Row(line={self.line})"


def check_rows(raw: RawFile, task: Task) -> tuple[list[Row], list[Fault]]:
    """The rows of `raw` that fit `task`, and every fault of the others."""
    rows: list[Row] = []
    faults: list[Fault] = []
    named = any("id" in fields for _, fields in raw.rows)
    lines: dict[str, int] = {}
    for line, fields in raw.rows:
        where = f"{raw.path}:{line}"
        row, found = check_row(fields, task, line, where)
        if not named:
            row = replace(row, id=f"line-{line}")
        elif "id" not in fields:
            found.append(Fault("id is missing", where, "give every row of a file an id, or none"))
        elif row.id and (first := lines.setdefault(row.id, line)) != line:
            found.append(Fault(f"the id of line {first} again", where, "an id is unique within its file"))
        if found:
            faults.extend(found)
        else:
            rows.append(row)
    return rows, faults


def check_row(fields: Mapping[str, Any], task: Task, line: int = 0, where: str = "") -> tuple[Row, list[Fault]]:
    """`fields` as a row of `task`, and every fault they have; the row is to be used only where there is none."""
    check = _Check(fields, where)
    row = Row(
        line=line,
        id=check.label("id"),
        inputs={name: check.text(name, f"see: kommunbench tasks show {task.name}") for name in task.inputs},
        references=check.references(),
        split=check.split(),
        group=check.label("group"),
        facts=check.facts(task),
    )
    return row, check.faults


class _Check:
    """Reads fields one by one and collects what is wrong with them."""

    def __init__(self, fields: Mapping[str, Any], where: str) -> None:
        self.fields = fields
        self.where = where
        self.faults: list[Fault] = []

    def fault(self, what: str, do: str = "") -> None:
        self.faults.append(Fault(what, self.where, do))

    def text(self, name: str, do: str) -> str:
        if name not in self.fields:
            self.fault(f"{name} is missing", do)
            return ""
        return self.sound(name, self.fields[name])

    def sound(self, name: str, value: Any) -> str:
        """`value` if it is a text that can be used; `name` is what a fault calls it."""
        if not isinstance(value, str):
            self.fault(f"{name} is not a text", "write it as a string")
            return ""
        if not value.strip():
            self.fault(f"{name} is empty")
        elif len(value) > MAX_CHARACTERS:
            self.fault(f"{name} has {len(value)} characters", f"at most {MAX_CHARACTERS}")
        elif not _encodes(value):
            self.fault(f"{name} has half a character (a lone surrogate)", "write it as UTF-8 without \\u escapes")
        return value

    def label(self, name: str) -> str:
        """An id or a group: a text or a whole number."""
        value = self.fields.get(name, "")
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.sound(name, value).strip() if name in self.fields else ""

    def references(self) -> tuple[str, ...]:
        single, several = self.fields.get("reference"), self.fields.get("references")
        if single is not None and several is not None:
            self.fault("both reference and references", "keep references")
            return ()
        value = several if single is None else single
        if value is None or (isinstance(value, str) and not value.strip()):
            return ()
        if isinstance(value, str):
            return (self.sound("references", value),)
        if not isinstance(value, list):
            self.fault("references is not a list of texts", "write it as a list of strings")
            return ()
        return tuple(self.sound(f"reference {number}", text) for number, text in enumerate(value, start=1))

    def split(self) -> Split | None:
        word = self.fields.get("split")
        if word is None or word == "":
            return None
        known = SPLIT_WORDS.get(word.strip().lower()) if isinstance(word, str) else None
        if known is None:
            self.fault("split is an unknown word", "train, validation or test; or leave it out")
        return known

    def facts(self, task: Task) -> dict[str, Any]:
        facts = self.fields.get("facts", {})
        if not isinstance(facts, Mapping):
            self.fault("facts is not a mapping", "write it as an object with a field for each fact")
            return {}
        merged = {**facts, **{name: self.fields[name] for name in task.facts if name in self.fields}}
        merged = {name: value for name, value in merged.items() if value is not None}
        if task.labels:
            merged["labels"] = list(task.labels)  # the task's and nobody else's: counts by place are added over sites
        try:
            json.dumps(merged, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError):
            self.fault("facts holds what JSON cannot", "use texts, numbers, true or false, lists and objects")
        return merged


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
