"""`kommunbench site ...`: what municipal IT runs at its own site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kommunbench.cli.doctor import add_doctor
from kommunbench.cli.door import add_door
from kommunbench.cli.evidence import site_evidence
from kommunbench.cli.identity import add_identity
from kommunbench.cli.judge import add_judge
from kommunbench.cli.kept import add_kept
from kommunbench.cli.node import add_node
from kommunbench.cli.review import add_review
from kommunbench.cli.site_import import add_import
from kommunbench.cli.site_installs import add_installs
from kommunbench.cli.site_stand_in import add_stand_in
from kommunbench.core.errors import DataError, Fault, KommunbenchError
from kommunbench.core.registry import did_you_mean
from kommunbench.core.task import load_task, task_names
from kommunbench.site.data import TaskData, read_examples
from kommunbench.site.files import SUFFIXES

app = typer.Typer(no_args_is_help=True, help="At a site: is its data right, what has left, what waits for a yes.")
console = Console(soft_wrap=True)


@app.callback()
def site() -> None:
    """At a site: is its data right, what has left, what waits for a yes."""


add_node(app)
add_doctor(app)
add_import(app)
add_stand_in(app)
add_installs(app)
add_door(app)
add_kept(app)
app.command("evidence")(site_evidence)
add_review(app)
add_judge(app)
add_identity(app)


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file of a folder and what reading it as its task gave; no data where the task is unknown."""

    site: str
    path: Path
    faults: tuple[Fault, ...]
    data: TaskData | None = None


@app.command("check")
def check(
    folder: Annotated[
        Path, typer.Argument(help="DIR/<task>.jsonl of one site, or DIR/<site>/<task>.jsonl of several.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Read a site's files and tell everything that is wrong with them, all at once. Exit code 3 when anything is.

    The table counts rows, rows a split (by a keyed hash where they do not say), rows with references, lines skipped.
    A fault names the file and the line, never the text. Nothing is changed and nothing leaves.

    Example: kommunbench site check data/lovvik
    """
    files = list(check_folder(folder))
    if as_json:
        found = {"folder": str(folder), "files": [_as_json(file) for file in files]}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    elif files:
        console.print(_table(files, folder))
    faults = [fault for file in files for fault in file.faults]
    if not files:
        what = "no <task>.jsonl, .csv or .parquet here" if folder.is_dir() else "no such folder"
        faults.append(Fault(what, str(folder), "tasks are: " + ", ".join(task_names())))
    DataError.raise_if(faults)


def check_folder(folder: Path) -> Iterator[CheckedFile]:
    """Every data file in `folder` (a site) and in the folders below it (sites of a federation), by name."""
    for place in (folder, *sorted(path for path in folder.glob("[!.]*") if path.is_dir())):
        paths = sorted(path for path in place.glob("*") if path.is_file() and path.suffix in (*SUFFIXES, ".json"))
        tasks = [path.stem for path in paths]
        for path in paths:
            again = Fault("one task in several files", str(path), "keep one of them")
            yield check_file(path, place.resolve().name, (again,) if tasks.count(path.stem) > 1 else ())


def check_file(path: Path, site: str, faults: tuple[Fault, ...] = ()) -> CheckedFile:
    """Read one file as the task it is named after; `faults` are those known already."""
    if path.suffix == ".json":
        found = Fault("not read: a site's file is .jsonl, .csv or .parquet", str(path), "one object a line, as .jsonl")
        return CheckedFile(site, path, (*faults, found))
    if path.stem not in task_names():
        found = Fault(f"no task {path.stem!r}", str(path), did_you_mean(path.stem, task_names()))
        return CheckedFile(site, path, (*faults, found))
    try:
        task = load_task(path.stem)
    except KommunbenchError as error:
        return CheckedFile(site, path, (*faults, *error.faults))
    data = read_examples(path, task, site)
    return CheckedFile(site, path, (*faults, *data.faults), data)


def _table(files: list[CheckedFile], folder: Path) -> Table:
    table = Table(title="Data", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold", min_width=28)
    for column in ("rows", "train", "valid.", "test", "refs", "skipped", "faults"):
        table.add_column(column, justify="right")
    for file in files:
        counts: list[object] = ["", "", "", "", "", "all"]
        if file.data:
            registered = file.data.registration()
            counts = [registered["rows"], *registered["splits"].values(), registered["references"], file.data.skipped]
        style = "red" if file.faults else None
        name = escape(str(file.path.relative_to(folder)))
        table.add_row(name, *map(str, counts), str(len(file.faults)), style=style)
    return table


def _as_json(file: CheckedFile) -> dict[str, Any]:
    faults = [{"what": fault.what, "where": fault.where, "do": fault.do} for fault in file.faults]
    read: dict[str, Any] = {}
    if file.data:
        read = {**file.data.registration(), "skipped": file.data.skipped, "refused": file.data.refused}
    return {"site": file.site, "file": str(file.path), **read, "faults": faults}
