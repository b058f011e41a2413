"""`kommunbench tasks list|show|check`: what a task is, and whether its file is right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kommunbench.core.errors import Fault, KommunbenchError, TaskError
from kommunbench.core.example import Example
from kommunbench.core.folders import overlay
from kommunbench.core.metric import Metric
from kommunbench.core.registry import find
from kommunbench.core.task import Task, load_task, read_task, task_names
from kommunbench.core.task_digests import RECORD, check_digest, read_digests, record_digests
from kommunbench.site.rows import check_row

app = typer.Typer(no_args_is_help=True, help="What is asked, and how an answer is measured.")
console = Console(soft_wrap=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command("list")
def list_tasks(as_json: AsJson = False) -> None:
    """Every task that can be run, with the measure that ranks models.

    Example: kommunbench tasks list
    """
    tasks, faults = _read(_paths())
    if as_json:
        typer.echo(json.dumps([_summary(task) for task in tasks], ensure_ascii=False, indent=1))
    else:
        table = Table(title="Tasks")
        for column in ("name", "version", "title", "primary", "licence", "digest"):
            table.add_column(column, overflow="fold", no_wrap=column in ("name", "primary", "digest"))
        for task in tasks:
            table.add_row(
                task.name, str(task.version), escape(task.title.sv), task.primary, task.licence, task.digest[:12]
            )
        console.print(table)
    TaskError.raise_if(faults)


@app.command("show")
def show_task(name: str, as_json: AsJson = False) -> None:
    """What a task is: its fields, prompts and metrics, and a row as in a site's file.

    Example: kommunbench tasks show guideline_qa
    """
    task = load_task(name)
    measures = [measure for metric in task.find_metrics() for measure in _measures(task, metric)]
    if as_json:
        shown = {**task.model_dump(mode="json"), "digest": task.digest, "measures": measures}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    console.print(f"[bold]{task.name}[/] {task.version}: {escape(task.title.sv)} ({escape(task.title.en)})")
    console.print(escape(f"{task.description.sv}\n{task.description.en}\n"))
    for label, value in (
        ("inputs", ", ".join(task.inputs)),
        ("facts", ", ".join(task.facts) or "none"),
        ("answer", f"at most {task.max_new_tokens} tokens, cut before any of {list(task.stop)}"),
        ("licence", f"{task.licence}, source {task.source}"),
        ("digest", task.digest),
    ):
        console.print(f"[bold]{label}[/] {escape(value)}")
    for variant, prompt in task.prompts.items():
        console.print(f"\n[bold]prompt {variant}[/]\n{escape(prompt)}", highlight=False)
    table = Table("measure", "metric", "unit", "better", "source", title="\nMeasures (* ranks models)")
    for row in measures:
        star = " *" if row["primary"] else ""
        table.add_row(row["measure"] + star, row["metric"], row["unit"], row["direction"], escape(row["source"]))
    console.print(table)
    console.print(f"[bold]a row of {task.name}.jsonl[/] (synthetic)")
    typer.echo(json.dumps(task.examples[0], ensure_ascii=False))


@app.command("check")
def check_tasks(
    files: Annotated[list[Path] | None, typer.Argument(help="Task files; by default every task there is.")] = None,
    write: Annotated[
        bool, typer.Option("--write", help=f"Record new versions in {RECORD} beside the files; old ones stay.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read task files and tell everything that is wrong with them, all at once. Exit code 4 when anything is.

    Where a folder keeps a record of its tasks' digests, a change without a new version is a fault.

    Example: kommunbench tasks check tasks/lattlast.yaml
    """
    paths = files or _paths()
    tasks, faults = _read(paths)
    found = {task.name: list(check_task(task)) for task in tasks}
    for folder in dict.fromkeys(path.parent for path in paths):
        mine = [task for task in tasks if folder / f"{task.name}.yaml" in paths]
        if write:
            record_digests([task for task in mine if not found[task.name]], folder)
        known = read_digests(folder)
        for task in mine if known is not None else ():
            found[task.name] += check_digest(task, known or {})
    faults += [fault for own in found.values() for fault in own]
    if as_json:
        told = [{"what": fault.what, "where": fault.where, "do": fault.do} for fault in faults]
        typer.echo(json.dumps({"checked": [str(path) for path in paths], "faults": told}, indent=1))
    else:
        for task in tasks:
            wrong = sum(fault.where == _place(task) for fault in faults)
            console.print(f"{task.name}: " + (f"{wrong} faults" if wrong else "fits, with its examples and metrics"))
    TaskError.raise_if(faults)


def check_task(task: Task) -> Iterator[Fault]:
    """What is wrong with a task beyond its file's form.

    Its metrics exist, `primary` is one of their measures, its example rows fit it, and each metric scores the first
    reference of at least one of them (unless every example lacks a fact that the task names).
    """
    metrics: list[Metric] = []
    for name in task.metrics:
        try:
            metrics.append(find("metrics", name))
        except KommunbenchError as error:
            yield from (Fault(fault.what, _place(task), fault.do) for fault in error.faults)
    if len(metrics) == len(task.metrics):
        try:
            task.primary_measure()
        except TaskError as error:
            yield from error.faults
    examples: list[Example] = []
    for number, fields in enumerate(task.examples, start=1):
        row, faults = check_row(fields, task, number)
        yield from (Fault(f"example {number}: {fault.what}", _place(task), fault.do) for fault in faults)
        if not faults:
            examples.append(Example(row.id or f"ex-{number}", row.inputs, row.references, facts=row.facts))
    scorable = [example for example in examples if example.references and set(task.facts) <= set(example.facts)]
    for metric in (metric for metric in metrics if metric.needs is None):  # what a model reads first is at the sites
        if scorable and not any(metric.score(example.references[0], example)[0] for example in scorable):
            yield Fault(f"metric {metric.name} scores none of the examples", _place(task), "give one what it reads")


def _place(task: Task) -> str:
    """As `core.task` names the place of a fault in a task's meaning."""
    return f"tasks/{task.name}.yaml"


def _paths() -> list[Path]:
    """The file of every task, the user's before the built-in one."""
    folders = overlay("tasks")
    return [
        next(path for folder in folders if (path := folder / f"{name}.yaml").is_file()) for name in task_names(folders)
    ]


def _read(paths: list[Path]) -> tuple[list[Task], list[Fault]]:
    """The tasks that can be read, and every fault of the others."""
    tasks: list[Task] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            tasks.append(read_task(path))
        except TaskError as error:
            faults.extend(error.faults)
        except OSError as error:
            faults.append(Fault(f"cannot be opened: {error.strerror}", str(path), "see: kommunbench tasks list"))
    return tasks, faults


def _summary(task: Task) -> dict[str, Any]:
    fields = {"name", "version", "title", "primary", "licence", "metrics"}
    return {**task.model_dump(mode="json", include=fields), "digest": task.digest}


def _measures(task: Task, metric: Metric) -> Iterator[dict[str, Any]]:
    for measure in metric.measures:
        yield {
            "measure": measure.name,
            "metric": metric.name,
            "unit": measure.unit,
            "direction": measure.direction,
            "primary": measure.name == task.primary,
            "source": metric.source,
        }
