"""`site task`: which tasks the site has, what changed since it said yes to one, and saying yes.

Approval is of a digest (prompts, fields, metrics) and stands in site.yaml. The file that was approved is kept, so that
the next version can be shown as a difference. A task from outside is read, shown, and copied in by the site's own hand.
"""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kommunbench.core.errors import Fault, TaskError
from kommunbench.core.folders import overlay
from kommunbench.core.registry import did_you_mean
from kommunbench.core.task import Task, read_task, task_names
from kommunbench.release import read_policy
from kommunbench.site.home import SiteHome
from kommunbench.site.setup import write_policy


class Standing(NamedTuple):
    """One task at the site: approved as it is, approved in an earlier form (`changed`), or not approved."""

    name: str
    version: int
    digest: str
    standing: str


def list_tasks(home: SiteHome) -> list[Standing]:
    """Every task that is installed here, and where the policy stands on it. Raises PolicyError, TaskError."""
    approved = read_policy(home.policy).tasks
    found = []
    for name in task_names(_folders(home)):
        task = read_task(task_path(home, name))
        entry = approved if isinstance(approved, str) else approved.get(name, "")
        standing = {"": "not approved", "installed": "approved", task.digest: "approved"}.get(entry, "changed")
        found.append(Standing(name, task.version, task.digest, standing))
    return found


def task_path(home: SiteHome, name: str) -> Path:
    """The file of the task of that name, the site's own before the installed one. Raises TaskError."""
    for folder in _folders(home):
        if (path := folder / f"{name}.yaml").is_file():
            return path
    raise TaskError(Fault(f"no task {name!r}", do=did_you_mean(name, task_names(_folders(home)))))


def diff_task(home: SiteHome, task: str) -> list[str]:
    """What is different from the file that was approved, line by line; all of it where none was.

    Args:
        task: a task's name, or a file that was sent.
    """
    path = _named(home, task)
    read_task(path)
    kept = home.approved / path.name
    before = kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else []
    after = path.read_text(encoding="utf-8").splitlines()
    return list(difflib.unified_diff(before, after, "approved", str(path), lineterm=""))


def approve_task(home: SiteHome, task: str) -> Task:
    """Say yes to a task in its very form: its digest goes into site.yaml, its file is kept. Other lines stay.

    Where the policy said `installed`, the tasks that it stood for are pinned to their digests of today as well.

    Raises:
        TaskError, PolicyError: not a task; not a policy.
    """
    path = _named(home, task)
    found = read_task(path)
    approved = read_policy(home.policy).tasks
    pinned = dict(approved) if isinstance(approved, dict) else {each.name: each.digest for each in list_tasks(home)}
    home.approved.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.parent not in _folders(home):
        shutil.copyfile(path, home.tasks / path.name)
    shutil.copyfile(path, home.approved / path.name)
    line: dict[str, Any] = {**pinned, found.name: found.digest}
    value = yaml.safe_dump(line, default_flow_style=True, width=100_000).strip()
    write_policy(home.policy, home.policy.read_text(encoding="utf-8"), {"tasks": value})
    return found


def _named(home: SiteHome, task: str) -> Path:
    return Path(task) if task.endswith(".yaml") else task_path(home, task)


def _folders(home: SiteHome) -> tuple[Path, ...]:
    return (home.tasks, *overlay("tasks"))
