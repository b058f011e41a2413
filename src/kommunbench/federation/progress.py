"""A run's events, one JSON line each in results/<run>/events.jsonl: what a watcher shows, whatever the engine.

Names, counts and times only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVENTS = "events.jsonl"


class Events:
    """Appends events to a run's folder."""

    def __init__(self, run: Path) -> None:
        self._path = run / EVENTS

    def say(self, kind: str, **details: Any) -> None:
        """Append one event: `start`, `moment`, `step` (secagg), `reply`, `closed`, `report`, `end` or `stopped`."""
        with self._path.open("a", encoding="utf-8") as handle:
            handle.write(
                json.dumps({"time": round(time.time(), 3), "kind": kind, **details}, ensure_ascii=False) + "\n"
            )


def read_events(run: Path, skip: int = 0) -> Iterator[dict[str, Any]]:
    """Events of a run, without the first `skip`; a line still being written is left for the next call."""
    path = run / EVENTS
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle):
            if number >= skip and line.endswith("\n"):
                yield json.loads(line)
