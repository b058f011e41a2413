"""`kommunbench site review|ratings|errors`: people at the site look at answers. Nothing that they see leaves it."""

from __future__ import annotations

import json
import os
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from kommunbench.cli.kept import HERE, Home
from kommunbench.core.errors import ConfigError, DataError, Fault
from kommunbench.core.registry import did_you_mean
from kommunbench.core.spec import CRITERIA
from kommunbench.core.task import Task, load_task

if TYPE_CHECKING:
    from kommunbench.core.spec import Cell
    from kommunbench.site.ratings import Rating

console = Console(soft_wrap=True)
Run = Annotated[str, typer.Option(help="Which run's answers; without it, the latest.")]
TaskName = Annotated[str, typer.Option("--task", help="Which task; without it, the first that has answers.")]


def add_review(app: typer.Typer) -> None:
    """Add the commands to `kommunbench site`."""
    for command in (review, ratings, errors):
        app.command(command.__name__)(command)


def review(
    rater: Annotated[str, typer.Option(help="Who rates; it stays here. Each rater has a queue of their own.")],
    home: Home = HERE,
    task: TaskName = "",
    run: Run = "",
    model: Annotated[list[str] | None, typer.Option(help="Only answers of this model; may be given again.")] = None,
    count: Annotated[int, typer.Option(help="How many examples, the same for each system.", min=1)] = 20,
    host: Annotated[str, typer.Option(help="Address to listen on. Beyond this machine a password is needed.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port; 0 takes the first free one from 5000.", min=0, max=65535)] = 0,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Let staff rate answers, 1 to 5, in a page of the site's own MLflow; Ctrl-C ends it and collects the ratings.

    The rater sees question and answer, in an order of their own, never which model it was. Needs `answers: keep` in
    site.yaml during the run. Sums leave only when a run asks (`kommunbench runs ratings`) and `ratings: allow` says so.

    Example: kommunbench site review --rater anna --task lattlast --home /srv/kommunbench
    """
    from kommunbench.cli.dashboard import free_port, serving, wait_until_ready
    from kommunbench.site.answers import KeptAnswers, choose_run
    from kommunbench.site.review import open_review, review_folder
    from kommunbench.tracking.first_page import FirstPage
    from kommunbench.tracking.server import prepare_server

    kept = KeptAnswers(site_home(home))
    run = choose_run(kept, run)
    found, cells = systems_to_look_at(kept.cells(run), task, model or [])
    with _store(home) as client:
        page = open_review(client, home, run, found, _name(rater), cells, count)
    folder = review_folder(home)
    port = free_port(host, port)
    server = prepare_server(folder, host, port, FirstPage(page))
    log = folder / "server.log"
    print("Startar granskningen ...", flush=True)
    with suppress(KeyboardInterrupt), serving(server, log) as process:
        wait_until_ready(process, host, port, log)
        print(f"Granskningen finns på http://{host}:{port}/", flush=True)
        print("Välj Start review, svara på de fyra frågorna, välj Submit. Ctrl-C här avslutar och sparar betygen.")
        print("Allt stannar hos er.", flush=True)
        if open_browser:
            webbrowser.open(f"http://{host}:{port}/")
        process.wait()
    print()
    ratings(home)


def ratings(
    home: Home = HERE, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """Collect what raters have said into HOME/ratings/<task>.jsonl, and show means and agreement. For the site's eyes.

    Example: kommunbench site ratings --home /srv/kommunbench
    """
    from kommunbench.site.ratings import read_systems
    from kommunbench.site.review import collect_ratings

    with _store(home) as client:
        collected = collect_ratings(client, site_home(home))
    systems = read_systems(home)
    rows = [
        {"task": task, "system": alias, "run": systems[alias].run if alias in systems else "", **_summary(found)}
        for task, all_of_task in collected.items()
        for alias in dict.fromkeys(rating.system for rating in all_of_task)
        if (found := [rating for rating in all_of_task if rating.system == alias])
    ]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table("task", "system", "answers", "raters", *CRITERIA, title="Ratings, 1 to 5")
    for row in rows:
        means = [f"{row[name]:.2f}" if row[name] is not None else "–" for name in CRITERIA]
        table.add_row(row["task"], row["system"], str(row["answers"]), str(row["raters"]), *means)
    console.print(table if rows else "nobody has rated anything yet")
    if rows:
        console.print(
            f"Written to {home / 'ratings'}, readable by its owner alone. What S1, S2 are: systems.json there."
        )


def errors(
    home: Home = HERE,
    task: TaskName = "",
    run: Run = "",
    most: Annotated[int, typer.Option(help="At most so many examples in each list.", min=1)] = 10,
    language: Annotated[Literal["sv", "en"], typer.Option(help="Language of the page.")] = "sv",
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """The worst answers, those without a score, and those that models disagree on, as a page that stays at the site.

    Only counts are printed. The page quotes the site's own text: HOME/errors/<run>-<task>.md, for its owner alone.

    Example: kommunbench site errors --task lattlast --language en --home /srv/kommunbench
    """
    from kommunbench.site.answers import KeptAnswers, choose_run
    from kommunbench.site.errors import find_errors
    from kommunbench.site.errors_page import write_errors

    kept = KeptAnswers(site_home(home))
    run = choose_run(kept, run)
    found, _ = systems_to_look_at(kept.cells(run), task, [])
    findings = find_errors(home, run, found, most)
    path = write_errors(home, findings, language)
    if as_json:
        counts = {system: {"answers": n, "unscored": none} for system, (n, none) in findings.counts.items()}
        typer.echo(json.dumps({"page": str(path), "task": found.name, "run": run, "systems": counts}, indent=1))
        return
    table = Table("system", "answers", "unscored", title=f"{found.name}, {run}")
    for system, (n, none) in findings.counts.items():
        table.add_row(system, str(n), str(none))
    console.print(table)
    console.print(f"The page is {path}. It quotes the site's own text: it stays here.")


@contextmanager
def _store(home: Path) -> Iterator[Any]:
    """The site's own store, whatever the environment says of another; its files are for their owner alone."""
    from kommunbench.site.review import review_folder
    from kommunbench.tracking import TrackingSettings
    from kommunbench.tracking.store import open_store

    os.umask(0o077)
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "false"
    with open_store(TrackingSettings().store(review_folder(site_home(home)))) as client:
        yield client


def site_home(home: Path) -> Path:
    """The folder, which is a site's own. Raises ConfigError."""
    if not (home / "site.yaml").is_file():
        do = "in a simulation it is results/<run>/sites/<site>"
        raise ConfigError(Fault("not a site's own folder: it has no site.yaml", f"--home {home}", do))
    return home


def _name(rater: str) -> str:
    if not rater.replace("-", "").isalnum():
        raise ConfigError(Fault("a rater's name is letters, digits and hyphens", "--rater"))
    return rater


def systems_to_look_at(cells: list[Cell], task: str, models: list[str]) -> tuple[Task, list[Cell]]:
    """The task, and the systems whose answers to it are wanted."""
    tasks = tuple(dict.fromkeys(cell.task for cell in cells))
    if task and task not in tasks:
        raise DataError(Fault(f"no answers to {task!r} were kept", "--task", did_you_mean(task, tasks)))
    wanted = [cell for cell in cells if cell.task == (task or tasks[0])]
    known = tuple(dict.fromkeys(cell.model for cell in wanted))
    DataError.raise_if(
        Fault(f"no answers of {name!r} were kept", "--model", did_you_mean(name, known))
        for name in models
        if name not in known
    )
    return load_task(wanted[0].task), [cell for cell in wanted if not models or cell.model in models]


def _summary(found: list[Rating]) -> dict[str, Any]:
    values = {name: [rating.value for rating in found if rating.criterion == name] for name in CRITERIA}
    return {
        "answers": len({rating.example for rating in found}),
        "raters": len({rating.rater for rating in found}),
        **{name: mean(numbers) if numbers else None for name, numbers in values.items()},
    }
