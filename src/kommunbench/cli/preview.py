"""What a run would ask of whom: `kommunbench run dry_run=true`."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kommunbench.core.errors import KommunbenchError
from kommunbench.federation.plan import Plan, schedule

SHOWN = 16
"""Digits of a digest that are shown; spec.json has them all."""


def print_plan(plan: Plan, console: Console) -> None:
    """The tasks and models with their digests, the roster and who of it is online, the messages to come."""
    info, spec = plan.info, plan.info.spec
    moments = list(schedule(spec, plan.evaluate_every))
    console.print(f"{spec.run} on {info.federation}: nothing was asked of anybody. Specification {spec.digest[:SHOWN]}")
    console.print(_digests("task", [(task.name, task.digest, f"{len(task.metrics)} metrics") for task in spec.tasks]))
    models = [
        (model.name, model.digest, "trained" if model.name == spec.trained_model else "as it is")
        for model in spec.models
    ]
    console.print(_digests("model", models))
    roster = Table("site", "title", "trains", "now", box=SIMPLE_HEAD, pad_edge=False)
    standing = _standing(plan)
    for site in info.roster:
        trains = "yes" if site.trains and spec.train else "no"
        roster.add_row(site.name, escape(site.title), trains, standing.get(site.name, ""))
    console.print(roster)
    asked = sum(1 for moment in moments if moment.cells or moment.following or moment.alone) + 1
    console.print(
        f"At most {asked} messages to each of {len(info.roster)} sites; quorum {plan.quorum}, "
        f"{plan.deadline_s:.0f} s for an answer, {plan.grace_s:.0f} s offline within it."
    )
    if plan.coordinator:
        console.print("A site answers for what it holds with these very digests, and says by a code what it does not.")


def _digests(what: str, rows: list[tuple[str, str, str]]) -> Table:
    table = Table(what, "digest", "", box=SIMPLE_HEAD, pad_edge=False)
    for name, digest, note in rows:
        table.add_row(name, digest[:SHOWN], note)
    return table


def _standing(plan: Plan) -> dict[str, str]:
    """Whether each site's node is online now, for a federation of real sites."""
    if not plan.coordinator:
        return {}
    from pathlib import Path

    from kommunbench.federation.deployment.folder import CoordinatorFolder
    from kommunbench.federation.deployment.roster import Roster
    from kommunbench.federation.deployment.superlink import SuperLink, site_nodes

    folder = CoordinatorFolder(Path(plan.coordinator))
    try:
        found = site_nodes(SuperLink(folder).nodes(), Roster(folder.roster_path))
    except KommunbenchError:
        return dict.fromkeys((site.name for site in plan.info.roster), "the SuperLink is down")
    return {name: node.status for name, node in found.items()}
