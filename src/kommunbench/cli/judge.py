"""`kommunbench site judge`: a model at the site judges the answers that it keeps. Nothing of it leaves by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from kommunbench.cli.kept import HERE, Home
from kommunbench.cli.review import Run, TaskName, site_home, systems_to_look_at
from kommunbench.core.answer import Code
from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.spec import CRITERIA, ModelRef

console = Console(soft_wrap=True)


def add_judge(app: typer.Typer) -> None:
    """Add the command to `kommunbench site`."""
    app.command("judge")(judge)


def judge(
    model: Annotated[str, typer.Option(help="The judge: a model that this site has and its policy approves.")],
    home: Home = HERE,
    task: TaskName = "",
    run: Run = "",
    count: Annotated[int, typer.Option(help="How many answers of each system; 0: all.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Have a model at this site give kept answers 1 to 5, by conf/rubric.yaml: the questions that staff are asked.

    Needs `answers: keep` in site.yaml during the run. The table is for the site's eyes, with the judge's agreement with
    staff beside it. Sums leave only when a run asks (`kommunbench runs ratings --judge NAME`) and `ratings: allow` says
    so.

    Example: kommunbench site judge --model nano --task lattlast --home /srv/kommunbench
    """
    from kommunbench.core.folders import overlay
    from kommunbench.models.open import load_card
    from kommunbench.release import read_policy
    from kommunbench.site.answers import KeptAnswers, choose_run
    from kommunbench.site.judge import Judge, judge_cell, judge_ref, read_rubric
    from kommunbench.site.machine import opened_model
    from kommunbench.site.settings import SiteSettings

    site_home(home)
    conf = (home / "conf", *overlay("conf"))
    policy, ref = read_policy(home / "site.yaml"), judge_ref(model, conf)
    named = ModelRef(name=ref.name, digest=ref.digest)
    if policy.with_installed((), {ref.name: ref.digest}).model_code(named) is not Code.OK:
        do = f"models: {{{ref.name}: {ref.digest}}}, or installed"
        raise ModelError(Fault(f"the policy does not approve {model!r}", str(home / "site.yaml"), do))
    kept = KeptAnswers(home)
    run = choose_run(kept, run)
    found, cells = systems_to_look_at(kept.cells(run), task, [])
    made = opened_model(load_card(model, conf), SiteSettings(name="judge", home=home), policy)
    by = Judge(made, read_rubric(conf), ref)
    rows = []
    for cell in cells:
        with console.status(f"{cell.model} ...") as shown:
            numbers = judge_cell(home, run, cell, by, count, _telling(shown, cell.model))
        rows.append(_summary(home, run, found, cell, numbers))
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    heads = (f"{name} (kappa)" for name in CRITERIA)
    table = Table(
        "system", "answers", "unreadable", *heads, "with both", title=f"{found.name}, {run}, by {model}, 1 to 5"
    )
    for row in rows:
        cells_of = (_number(row["mean"][name], row["kappa"][name]) for name in CRITERIA)
        table.add_row(row["system"], str(row["answers"]), str(row["unreadable"]), *cells_of, str(row["both"]))
    console.print(table)
    if not any(row["both"] for row in rows):
        console.print("no human ratings yet: `kommunbench site review` shows what the judge is worth")


def _telling(shown: Status, what: str) -> Callable[[int, int], None]:
    return lambda done, of: shown.update(f"{what}: {done} of {of}")


def _summary(home: Path, run: str, task: Any, cell: Any, numbers: Any) -> dict[str, Any]:
    """What a system was given: means, and kappa with staff's ratings where there are any."""
    from kommunbench.core.registry import find
    from kommunbench.site.errors import name_of
    from kommunbench.site.keep import KeptTallies
    from kommunbench.site.ratings import rate, read_systems

    asked = {name: one for name, one in read_systems(home).items() if (one.run, one.cell) == (run, cell)}
    evaluated = rate(task, cell, asked, KeptTallies(home / "tallies" / run), home, numbers)
    agreement = find("metrics", "judge_agreement")
    both = evaluated.sum("judge_agreement")
    mean = {}
    for name in CRITERIA:
        metric = find("metrics", f"judged_{name}")
        mean[name] = metric.value(evaluated.sum(metric.name), metric.measures[0])
    return {
        "system": name_of(cell),
        "answers": len(numbers),
        "unreadable": sum(None in given.values() for given in numbers.values()),
        "mean": mean,
        "kappa": {name: agreement.value(both, agreement.measure(f"judge_kappa_{name}")) for name in CRITERIA},
        "both": both[0],
    }


def _number(mean: float | None, kappa: float | None) -> str:
    return "–" if mean is None else f"{mean:.2f} ({'–' if kappa is None else f'{kappa:.2f}'})"
