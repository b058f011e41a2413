"""`kommunbench runs`: runs that exist. (Hydra owns the words after `kommunbench run`, so they are named here.)"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Column, Table

from kommunbench.cli.find import Results, all_runs, find_run
from kommunbench.cli.hold import holder
from kommunbench.core.errors import DataError, Fault, FederationError
from kommunbench.core.folders import overlay
from kommunbench.federation.progress import read_events
from kommunbench.report.record import RunFolder

app = typer.Typer(no_args_is_help=True, help="Runs that exist: list them, watch one, stop one, go on with one.")
console = Console()
WIDE, NARROW = 120, ("run", "state", "started", "tasks")
"""Characters from which the whole list fits, and what there is room for below that: a run's name is typed again."""
CANCEL_S = 60.0
"""How long a run that is cancelled may take to write its report."""


def state(folder: RunFolder) -> str:
    """`done`, `stopped`, or where the run is."""
    kind, moment = "", ""
    for event in read_events(folder.path):
        kind = event["kind"]
        moment = event.get("name", moment) if kind == "moment" else moment
    stopped = f"stopped at {moment}" if moment else "stopped"
    under_way = f"at {moment}" if holder(folder.path) else stopped
    return {"end": "done", "stopped": stopped, "": "not started"}.get(kind, under_way)


@app.command("list")
def listall_runs(
    results: Results = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Every run in the results folder and how far it is.

    Example: kommunbench runs list
    """
    rows: list[dict[str, Any]] = []
    for folder in all_runs(results):
        info = folder.info()
        rows.append(
            {
                "run": folder.name,
                "state": state(folder),
                "federation": info.federation,
                "started_at": info.started_at,
                "tasks": [task.name for task in info.spec.tasks],
                "models": [model.name for model in info.spec.models],
                "strategy": info.strategy,
                "sites": len(info.roster),
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    heads = ("run", "state", "federation", "started", "tasks", "models", "strategy", "sites")
    shown = [at for at, head in enumerate(heads) if console.width >= WIDE or head in NARROW]
    table = Table(*(Column(heads[at], no_wrap=heads[at] in ("run", "started"), overflow="fold") for at in shown))
    for row in rows:
        row["started_at"] = row["started_at"][:16].replace("T", " ")
        cells = [", ".join(value) if isinstance(value, list) else str(value) for value in row.values()]
        table.add_row(*(cells[at] for at in shown))
    console.print(table if rows else f"no runs in {results}; start one with: kommunbench run")


@app.command("watch")
def watch_run(
    run: Annotated[str, typer.Argument(help="Name or folder.")],
    results: Results = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="Print all events, a JSON a line.")] = False,
) -> None:
    """Show how a run is going until it ends; Ctrl-C stops the watching, not the run.

    Exit code 0 where the run is done, 7 where it was stopped or its process is gone before that.

    Example: kommunbench runs watch pilot-20260301-101500 --json
    """
    from kommunbench.cli.progress import follow, watch

    folder = find_run(run, results)
    if as_json:
        for event in follow(folder.path):
            print(json.dumps(event, ensure_ascii=False), flush=True)
    else:
        watch(folder.path, console, threading.Event(), elsewhere=True)
    if (reached := state(folder)) != "done":
        raise FederationError(Fault(reached, folder.name, f"go on with: kommunbench runs resume {folder.path}"))
    if not as_json:
        console.print(f"{folder.name}: {reached}")


@app.command("ratings")
def ask_ratings(
    run: Annotated[str, typer.Argument(help="Name or folder.")],
    results: Results = Path("results"),
    judge: Annotated[str, typer.Option(help="Also what this model said, at sites that had it judge answers.")] = "",
) -> None:
    """Ask the sites of a finished run what their staff said of its answers, and make the report again.

    Only sums come, from sites whose policy says `ratings: allow`, with the same rules on few examples as everything
    else. It can be asked again when more has been rated.

    A judge is named by the digests of its model and of conf/rubric.yaml; sites with other ones have nothing to say. Its
    agreement with staff always stands beside it.

    Example: kommunbench runs ratings pilot-20260301-101500 --judge nano
    """
    from kommunbench.site.judge import judge_ref

    folder = find_run(run, results)
    named = judge_ref(judge, overlay("conf")) if judge else None
    before = next((asked for asked in folder.judges() if asked != named), None) if named else None
    if before is not None:
        do = f"the same answers by two judges cannot be told apart in one report; --judge {before.name}, as it was then"
        raise DataError(Fault(f"{folder.name} has numbers of another judge or rubric", "--judge", do))
    _conduct(folder, {"ask": "ratings", "judge": named})


@app.command("cancel")
def cancel_run(run: Annotated[str, typer.Argument(help="Name or folder.")], results: Results = Path("results")) -> None:
    """Stop a run, wherever it was started. Its report is made of what came in; `runs resume` goes on.

    Example: kommunbench runs cancel pilot-20260301-101500
    """
    folder = find_run(run, results)
    pid = holder(folder.path)
    if pid is None:
        console.print(f"{folder.name} is not being run: {state(folder)}")
        return
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + CANCEL_S
    while holder(folder.path) == pid and time.monotonic() < end:
        time.sleep(0.2)
    if holder(folder.path) == pid:
        raise FederationError(Fault(f"process {pid} has not ended yet", folder.name, "look again with `runs list`"))
    console.print(f"{folder.name}: {state(folder)}. Go on with: kommunbench runs resume {folder.path}")


@app.command("resume")
def resume_run(run: Annotated[str, typer.Argument(help="Name or folder.")], results: Results = Path("results")) -> None:
    """Go on with a run that was stopped, or ask the sites that are still missing. What was answered is kept.

    Example: kommunbench runs resume pilot-20260301-101500
    """
    _conduct(find_run(run, results), {})


def _conduct(folder: RunFolder, ask: dict[str, Any]) -> None:
    from kommunbench.cli.run import conduct
    from kommunbench.config.settings import read_settings
    from kommunbench.federation.plan import Plan

    plan = Plan.model_validate_json((folder.path / "plan.json").read_text(encoding="utf-8"))
    settings = read_settings(yaml.safe_load((folder.path / "config.yaml").read_text(encoding="utf-8")))
    place = {"results": folder.path.parent, "name": folder.name}
    conduct(settings.model_copy(update=place), plan.model_copy(update={"folder": str(folder.path), **ask}))
