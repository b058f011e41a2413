"""What each version of a task was: `digests.json` beside the task files, {name: {version: digest}}.

A version means one thing for ever: numbers of version 1 are only comparable while version 1 asks and counts the same. A
digest once recorded is never replaced; whoever changes what is asked or counted raises the version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import RootModel, ValidationError

from kommunbench.core.errors import Fault, TaskError
from kommunbench.core.task import Task

RECORD = "digests.json"
Digests = dict[str, dict[int, str]]


class _Record(RootModel[Digests]):
    """The file's form."""


def read_digests(folder: Path) -> Digests | None:
    """The record in a folder of tasks; None where it keeps none.

    Raises:
        TaskError: the file is not such a record.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return _Record.model_validate_json(path.read_bytes()).root
    except ValidationError:
        raise TaskError(Fault("not a record of digests: {name: {version: digest}}", str(path))) from None


def check_digest(task: Task, known: Digests) -> Iterator[Fault]:
    """A version that is not recorded, or that means something else by now; a step back behind a newer one."""
    where, versions = f"tasks/{task.name}.yaml", known.get(task.name, {})
    newest = max(versions, default=0)
    recorded = versions.get(task.version)
    if recorded is None and task.version < newest:
        yield Fault(f"version {task.version} comes before {newest}, which is recorded", where, _raise_to(newest + 1))
    elif recorded is None:
        yield Fault(f"version {task.version} is not recorded", where, "kommunbench tasks check --write")
    elif recorded != task.digest:
        what = f"inputs, facts, prompts, metrics or primary are no longer those of version {task.version}"
        yield Fault(what, where, _raise_to(newest + 1))


def record_digests(tasks: Iterable[Task], folder: Path) -> tuple[Task, ...]:
    """Record the versions of `tasks` that are new, and return them. What is recorded already is never replaced.

    Raises:
        TaskError: the folder's record cannot be read.
    """
    known = read_digests(folder) or {}
    new = tuple(
        task
        for task in tasks
        if task.version not in known.get(task.name, {}) and task.version > max(known.get(task.name, {}), default=0)
    )
    for task in new:
        known.setdefault(task.name, {})[task.version] = task.digest
    if new:
        ordered = {name: dict(sorted(known[name].items())) for name in sorted(known)}
        (folder / RECORD).write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    return new


def _raise_to(version: int) -> str:
    return f"raise version to {version}, then: kommunbench tasks check --write"
