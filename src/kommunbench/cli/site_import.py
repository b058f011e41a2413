"""`kommunbench site import`: staff's own files into the site's data, with a worklist for what is missing."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kommunbench.cli.node import HERE, AsJson, Home
from kommunbench.core.errors import ConfigError, DataError, Fault
from kommunbench.core.folders import overlay
from kommunbench.core.task import load_task
from kommunbench.site.home import SiteHome

console = Console(soft_wrap=True, highlight=False)
SHOWN = 20


def add_import(app: typer.Typer) -> None:
    """Add the command to `kommunbench site`."""
    app.command("import")(import_)


def import_(
    files: Annotated[list[Path], typer.Argument(help="JSONL, CSV, XLSX, Parquet, DOCX or PDF.")],
    task: Annotated[str, typer.Option("--task", help="The task whose rows they are.")],
    map_: Annotated[list[str] | None, typer.Option("--map", help="column=field. Can be repeated.")] = None,
    worklist: Annotated[Path | None, typer.Option(help="Where to write the XLSX for staff to fill in.")] = None,
    home: Home = HERE,
    as_json: AsJson = False,
) -> None:
    """Bring staff's own files into data/<task>.jsonl; what lacks a reference goes into a worklist as well.

    A table's columns are the task's fields (--map renames them). Out of a tjänsteutlåtande (DOCX, PDF) the part under
    Sammanfattning becomes the reference; a riktlinje's numbered paragraphs become the context of questions that staff
    write. Fill the worklist in and import it in the same way. Rows without a reference count in reference-free metrics
    alone. What was skipped is told by file, page or row, and never quoted.

    Example: kommunbench site import underlag/*.docx --task summarization --worklist fyll-i.xlsx
    """
    from kommunbench.site.importing import import_files, write_worklist

    place = SiteHome(home)
    folder = place.path / place.settings().data
    found = load_task(task, (place.tasks, *overlay("tasks")))
    pairs = [word.partition("=") for word in map_ or []]
    ConfigError.raise_if(Fault("not column=field", f"--map {column}") for column, equals, _ in pairs if not equals)
    target = folder / f"{task}.jsonl"
    for suffix in (".csv", ".parquet"):
        if (other := target.with_suffix(suffix)).is_file():
            raise DataError(Fault("the task has a file already, of another kind", str(other), f"import {other} too"))
    done = import_files(files, found, {column: field for column, _, field in pairs}, target)
    if worklist and done.worklist:
        write_worklist(done.worklist, found, worklist)
    if as_json:
        told = {name: value for name, value in asdict(done).items() if name != "worklist"}
        typer.echo(json.dumps(told | {"to_fill_in": len(done.worklist), "file": str(target)}, ensure_ascii=False))
    else:
        for path, how in done.how.items():
            console.print(f"{path}: {how}", markup=False)
        for fault in done.faults[:SHOWN]:
            console.print(f"skipped  {fault}", markup=False)
        if len(done.faults) > SHOWN:
            console.print(f"skipped  {len(done.faults) - SHOWN} more; --json lists them all")
        console.print(
            f"{target}: {done.added} rows added, {done.completed} got a reference, {done.changed} got another one, "
            f"{done.known} were there already; "
            f"{done.unreferenced} have no reference and count in reference-free metrics alone",
            markup=False,
        )
        if done.worklist:
            where = f"are in {worklist}" if worklist else "can be filled in: add --worklist FILE.xlsx"
            console.print(f"{len(done.worklist)} rows {where}", markup=False)
    if not (done.added or done.known or done.completed or done.changed or done.worklist):
        fields = ", ".join((*found.inputs, "references"))
        do = f"name the file's own columns: --map COLUMN={found.inputs[0]}; fields are {fields}"
        raise DataError(Fault("nothing could be imported", str(files[0]), do))
