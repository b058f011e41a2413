"""Which data set a number was made of: its registration, and what became of it since.

A registration is a digest over a task's name and every example, keyed by the site's own key: whoever has a guess at a
short text cannot try it against the digest, as they could with a plain hash. The same rows are the same registration,
in any order and whatever their split; one row changed, added or withdrawn makes a new one. The record of each, one
JSON file in the site's folder, has counts and a keyed mark for each example, and no text.

    <home>/registrations/<registration>.json
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kommunbench.core.digests import canonical
from kommunbench.release import Identity
from kommunbench.site.data import TaskData
from kommunbench.site.private import write_private

FOLDER = "registrations"
PURPOSE = "data registration"
MARK_DIGITS = 32
"""Hexadecimal digits of one example's mark: 128 bits, so that two examples never share one."""


class Registration(BaseModel):
    """One data set as it once was.

    Args:
        made: UTC, ISO 8601: when it was first used.
        splits, references: counts, as in `TaskData.registration`.
        marks: one for each example, keyed by the site; they tell what was withdrawn without keeping it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    registration: str
    task: str
    made: str
    rows: int
    splits: dict[str, int]
    references: int
    marks: tuple[str, ...]


class Registrations:
    """The registrations of one site."""

    def __init__(self, home: Path, identity: Identity) -> None:
        self.folder = home / FOLDER
        self._key = identity.derive(PURPOSE)

    def note(self, data: TaskData) -> str:
        """The registration of `data`, whose record is written if it is new. Raises OSError."""
        found = self.of(data)
        path = self.folder / f"{found.registration}.json"
        if not path.is_file():
            write_private(path, found.model_dump_json())
        return found.registration

    def of(self, data: TaskData) -> Registration:
        """What `data` would be registered as; nothing is written."""
        about = data.registration()
        rows = [{name: row[name] for name in row if name != "split"} for row in data.dataset]
        marks = sorted(self._keyed([data.task, row])[:MARK_DIGITS] for row in rows)
        return Registration(
            registration=self._keyed([data.task, marks]),
            task=data.task,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=about["rows"],
            splits=about["splits"],
            references=about["references"],
            marks=tuple(marks),
        )

    def all(self) -> list[Registration]:
        """Every record, oldest first. Files that are not ours are passed over."""
        found = []
        for path in self.folder.glob("*.json"):
            try:
                record = Registration.model_validate_json(path.read_bytes())
            except ValidationError:
                continue
            if path.stem == record.registration:
                found.append(record)
        return sorted(found, key=lambda record: (record.made, record.registration))

    def _keyed(self, value: Any) -> str:
        return hmac.digest(self._key, canonical(value), "sha256").hex()


def noted_for(entries: Iterable[Mapping[str, Any]], spec: str) -> dict[str, str]:
    """The registrations that the ledger last named for the run with digest `spec`."""
    named = [entry["data"] for entry in entries if entry.get("spec") == spec and entry.get("data")]
    return dict(named[-1]) if named else {}
