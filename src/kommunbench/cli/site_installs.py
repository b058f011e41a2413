"""`kommunbench site model ...` and `site task ...`: what gets into a site by the site's own hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kommunbench.cli.node import HERE, AsJson, Home
from kommunbench.core.errors import KommunbenchError
from kommunbench.site.home import SiteHome

console = Console(soft_wrap=True, highlight=False)
model = typer.Typer(no_args_is_help=True, help="Models of this site: add, list, remove.")
task = typer.Typer(no_args_is_help=True, help="Tasks of this site: list, see what changed, approve.")


def add_installs(app: typer.Typer) -> None:
    """Add both groups to `kommunbench site`."""
    app.add_typer(model, name="model")
    app.add_typer(task, name="task")


def _home(home: Path) -> SiteHome:
    place = SiteHome(home)
    place.settings()
    return place


@model.command("add")
def add(
    source: Annotated[str, typer.Argument(help="A folder (a USB stick, say) or a hub name in this machine's cache.")],
    name: Annotated[str, typer.Option(help="What runs call it; by default the folder's name.")] = "",
    trainable: Annotated[bool, typer.Option(help="Runs may fine-tune it, if the policy lets them.")] = False,
    home: Home = HERE,
) -> None:
    """Take a model in: safetensors only, copied into the site's folder, with its digest for the policy.

    Example: kommunbench site model add /media/usb/viking-7b --home /srv/kommunbench
    """
    from kommunbench.site.models import add_model

    added = add_model(_home(home), source, name or Path(source).name, trainable)
    console.print(
        f"{added.name}: {added.files} files, {added.bytes / 2**20:.1f} MiB, licence {added.licence}\n"
        f"digest {added.digest}\nto pin it, in site.yaml: models: {{{added.name}: {added.digest}}}",
        markup=False,
    )


@model.command("list")
def list_(home: Home = HERE, as_json: AsJson = False) -> None:
    """Every model that a run could ask this site for.

    Example: kommunbench site model list --home /srv/kommunbench
    """
    from kommunbench.site.models import list_models

    found = list_models(_home(home))
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found], indent=1))
        return
    table = Table("model", "family", "files", "MiB", "licence", "whose", "digest", box=SIMPLE_HEAD, pad_edge=False)
    for each in found:
        whose = "the site's" if each.own else "installed"
        table.add_row(each.name, each.family, str(each.files), f"{each.bytes / 2**20:.1f}", each.licence, whose,
                      each.digest[:12] or "not on this machine")  # fmt: skip
    console.print(table)


@model.command("remove")
def remove(name: str, home: Home = HERE) -> None:
    """Take away a model that the site added, card and files.

    Example: kommunbench site model remove viking-7b --home /srv/kommunbench
    """
    from kommunbench.site.models import remove_model

    freed = remove_model(_home(home), name)
    console.print(f"{name} removed, {freed / 2**20:.1f} MiB freed", markup=False)


@task.command("list")
def list_tasks_(home: Home = HERE, as_json: AsJson = False) -> None:
    """Every task that is installed here, and whether the policy has approved it in its present form.

    Example: kommunbench site task list --home /srv/kommunbench
    """
    from kommunbench.site.tasks import list_tasks

    found = list_tasks(_home(home))
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found], indent=1))
        return
    table = Table("task", "version", "digest", "policy", box=SIMPLE_HEAD, pad_edge=False)
    for each in found:
        table.add_row(each.name, str(each.version), each.digest[:12], each.standing)
    console.print(table)


@task.command("diff")
def diff(
    name: Annotated[str, typer.Argument(help="A task's name, or a .yaml file that was sent.")], home: Home = HERE
) -> None:
    """What is different from the form that was approved; the whole of it where none was.

    Example: kommunbench site task diff lattlast.yaml --home /srv/kommunbench
    """
    from kommunbench.site.tasks import diff_task

    lines = diff_task(_home(home), name)
    typer.echo("\n".join(lines) if lines else "no difference from what was approved")


@task.command("approve")
def approve(
    name: Annotated[str, typer.Argument(help="A task's name, or a .yaml file that was sent.")], home: Home = HERE
) -> None:
    """Say yes to a task in its present form: its digest goes into site.yaml.

    Example: kommunbench site task approve lattlast --home /srv/kommunbench
    """
    from kommunbench.site.tasks import approve_task

    try:
        approved = approve_task(_home(home), name)
    except OSError as error:
        raise KommunbenchError(f"{name}: {error.strerror}") from None
    console.print(f"{approved.name} {approved.version} approved: {approved.digest}", markup=False)
