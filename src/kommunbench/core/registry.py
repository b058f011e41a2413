"""Names to things: a file's name is its registered name.

`find("metrics", "chrf")` imports `kommunbench/metrics/chrf.py` and returns its `METRIC`; nothing is imported until it
is asked for. Another package adds to a room by an entry point in the group `kommunbench.<room>`.
"""

from __future__ import annotations

import difflib
import importlib
import re
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from kommunbench.core.errors import ConfigError, Fault

EXPORT = {"metrics": "METRIC", "models": "FAMILY", "synthetic": "GENERATOR"}
"""The name that a module of each room gives what it registers."""


@cache
def names(room: str) -> tuple[str, ...]:
    """Every registered name of `room`, sorted. Files are read, not imported: one that exports nothing is left out."""
    package = importlib.import_module(f"kommunbench.{room}")
    export = re.compile(rf"^{EXPORT[room]}\b", re.MULTILINE)
    files = [path for folder in package.__path__ for path in Path(folder).glob("*.py")]
    own = {path.stem for path in files if export.search(path.read_text(encoding="utf-8"))}
    return tuple(sorted(own | {point.name for point in entry_points(group=f"kommunbench.{room}")}))


@cache
def find(room: str, name: str) -> Any:
    """What `name` registers in `room`.

    Raises:
        ConfigError: no such name; the message offers the nearest ones.
    """
    for point in entry_points(group=f"kommunbench.{room}", name=name):
        return point.load()
    if name not in names(room):
        raise ConfigError(Fault(f"no {name!r} in {room}", do=did_you_mean(name, names(room))))
    return getattr(importlib.import_module(f"kommunbench.{room}.{name}"), EXPORT[room])


def did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """A suggestion for a mistyped name, or the list of what there is."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else "there is " + (", ".join(known) or "none yet")
