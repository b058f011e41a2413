"""`site import`: what staff have -> the site's own `<task>.jsonl`, and a worklist of what people must fill in.

Rows that fit the task go into data/<task>.jsonl; ids are made of their content, so that the same file imported twice
changes nothing. Rows without a reference go there too and count in reference-free metrics alone; they also go into
an XLSX worklist with empty cells for staff, which is imported like any other table when it comes back. Rows that lack
an input go into the worklist alone. Nothing that was skipped is quoted: file, page or row, and why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kommunbench.core.digests import digest
from kommunbench.core.errors import ConfigError, Fault
from kommunbench.core.registry import did_you_mean
from kommunbench.core.task import Task
from kommunbench.site.documents import DOCUMENTS, Found, as_json_line, read_document
from kommunbench.site.pairs import cut
from kommunbench.site.private import write_private
from kommunbench.site.rows import check_row

REFERENCE = "reference"
OWN = ("id", "references", REFERENCE, "split", "group")


NOTES = (
    "Fyll i de gula cellerna. Ändra inget annat: id och text visar vilken rad det är.",
    "Lämna tomt där inget svar går att ge: raden räknas då bara där facit inte behövs. Fler rader kan fyllas i senare.",
    'Finns flera lika bra svar: skriv dem så här i en cell: ["det ena", "det andra"]',
    "Filen har er text: den stannar hos er. När den är ifylld läser den som sköter platsen in den igen:",
    "Fill in the yellow cells and change nothing else; leave empty what has no answer. It has your text: it stays.",
)
"""What the worklist's second sheet says to staff; only its first is read when it comes back."""


@dataclass(slots=True)
class Imported:
    """What an import did.

    Args:
        how: how each file was read, by its path.
        added, known: rows that are new in the site's file, and rows that it had already.
        completed: rows that had no reference before and have one now.
        changed: rows whose reference was another before.
        unreferenced: rows in the file that have no reference.
        worklist: rows for staff to fill in.
        faults: what was skipped and why.
    """

    how: dict[str, str] = field(default_factory=dict)
    added: int = 0
    known: int = 0
    completed: int = 0
    changed: int = 0
    unreferenced: int = 0
    worklist: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Imported(added={self.added}, faults={len(self.faults)})"


def import_files(paths: Iterable[Path], task: Task, mapping: Mapping[str, str], target: Path) -> Imported:
    """Read `paths`, add what fits `task` to `target`, and tell the rest.

    Args:
        mapping: a column's name -> a field of the task.

    Raises:
        ConfigError: `mapping` names a field that the task does not have.
    """
    fields = (*task.inputs, *task.facts, *OWN)
    ConfigError.raise_if(
        Fault(f"no field {name!r} in {task.name}", f"--map {column}={name}", did_you_mean(name, fields))
        for column, name in mapping.items()
        if name not in fields
    )
    done = Imported()
    rows = _existing(target)
    for path in paths:
        found = read_document(path)
        _take(found, task, mapping, rows, done)
        done.how[str(path)] = found.how or "not read"
        done.faults.extend(found.faults)
    done.unreferenced = sum(not row.get("references") for row in rows.values())
    if done.added or done.completed or done.changed:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(target, "".join(map(as_json_line, rows.values())), durable=True)
    return done


def _take(found: Found, task: Task, mapping: Mapping[str, str], rows: dict[str, Any], done: Imported) -> None:
    is_document = found.path.suffix in DOCUMENTS and found.how  # what could not be read lacks no heading
    cells = cut(found, task) if is_document else found.rows
    for where, each in cells:
        row = _as_row(each, task, mapping)
        lacking = [name for name in task.inputs if not row.get(name)]
        if lacking and len(lacking) < len(task.inputs):
            done.worklist.append(row)
            found.faults.append(Fault(f"{', '.join(lacking)} is missing", where, "fill it in in the worklist"))
            continue
        _, faults = check_row(row, task, where=where)
        if faults:
            found.faults.extend(faults)
            continue
        row["id"] = str(row.get("id") or f"i-{digest([row[name] for name in task.inputs])[:16]}")
        before = rows.get(row["id"])
        if before and any(_words(row[name]) != _words(before.get(name)) for name in task.inputs):
            do = "put the text back as it was, or leave the id out for a new row"
            found.faults.append(Fault(f"the row {row['id']} that is there has another text", where, do))
            continue
        row = rows[row["id"]] = _merged(before, row, done)
        if not row.get("references"):
            done.worklist.append(row)


def _merged(before: dict[str, Any] | None, row: dict[str, Any], done: Imported) -> dict[str, Any]:
    """The row that is kept of one that was there and one that came with the same id and text; counted in `done`."""
    if before is None:
        done.added += 1
        return row
    old, new = before.get("references"), row.get("references")
    if not new or new == old:
        done.known += 1
        return before
    done.changed += bool(old)
    done.completed += not old
    return before | {"references": new}


def _words(value: object) -> object:
    """A text's words: spreadsheets change spaces and the ends of lines."""
    return value.split() if isinstance(value, str) else value


def _as_row(cells: Mapping[str, Any], task: Task, mapping: Mapping[str, str]) -> dict[str, Any]:
    """The cells that the task knows, under its names."""
    named = {mapping.get(column, column): value for column, value in cells.items()}
    row = {name: named[name] for name in (*task.inputs, *task.facts, *OWN) if name in named}
    references = row.pop(REFERENCE, None) or row.pop("references", None)
    row.pop("references", None)
    if isinstance(references, str):
        references = _listed(references)
    return row | ({"references": references} if references else {})


def _listed(cell: str) -> list[Any]:
    """A cell is one reference, or a JSON list of several."""
    if cell.lstrip().startswith("["):
        try:
            found = json.loads(cell)
        except ValueError:
            found = None
        if isinstance(found, list):
            return found
    return [cell] if cell.strip() else []


def _existing(target: Path) -> dict[str, dict[str, Any]]:
    """The rows that the site's file has already, by id; lines that are no rows stay out of the new file's way."""
    if not target.is_file():
        return {}
    lines = target.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return {str(row.get("id") or f"line-{number}"): row for number, row in enumerate(rows, start=1)}


def write_worklist(rows: list[dict[str, Any]], task: Task, path: Path) -> None:
    """An XLSX sheet with a row each: the inputs to read, empty cells to fill in. It has the site's text: 0600."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, PatternFill

    book = Workbook()
    sheet = book.active
    sheet.title = task.name
    columns = ["id", *task.inputs, REFERENCE]
    sheet.append(columns)
    for row in rows:
        sheet.append([str(row.get(name, "")) for name in columns])
    for at, column in enumerate(sheet.columns):
        letter = column[0].column_letter
        sheet.column_dimensions[letter].width = 14 if at == 0 else 60
        for cell in column[1:]:
            cell.data_type = "s"  # a text that begins with = is no formula
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if not cell.value:
                cell.fill = PatternFill("solid", fgColor="FFF2CC")
    sheet.freeze_panes = "B2"
    notes = book.create_sheet("Gör så här")
    notes.column_dimensions["A"].width = 120
    for line in (*NOTES, f"kommunbench site import {path.name} --task {task.name}"):
        notes.append([line])
    path.touch(mode=0o600)
    book.save(path)
