"""`kommunbench site synth`: a stand-in for the site's own data, to be developed against before any data is shared."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from kommunbench.cli.node import HERE, AsJson, Home

console = Console(stderr=True, soft_wrap=True, highlight=False)


def add_stand_in(app: typer.Typer) -> None:
    """Add the command to `kommunbench site`."""
    app.command("synth")(synth)


def synth(
    folder: Annotated[Path, typer.Argument(help="A new folder; FOLDER/share may be handed on, FOLDER/keep not.")],
    task: Annotated[list[str] | None, typer.Option("--task", help="Of this task alone. Can be repeated.")] = None,
    kind: Annotated[
        Literal["municipality", "region"], typer.Option(help="What the invented site is.")
    ] = "municipality",
    seed: Annotated[int, typer.Option(min=0, help="Another seed invents other texts.")] = 1,
    by: Annotated[str, typer.Option(help="Who does it; it goes into the ledger.")] = "",
    language: Annotated[Literal["sv", "en"], typer.Option("--language", help="Language of what is printed.")] = "sv",
    home: Home = HERE,
    as_json: AsJson = False,
) -> None:
    """Invent a data set that is like the site's own, out of statistics that its policy lets out, and nothing else.

    For others to develop against before any data is shared. What leaves is integers (rows, splits, lengths, words,
    sentences, long words, letters, the mix of kinds) under the rules of site.yaml, with a line in the ledger, and text
    that was made of them. The tables compare with the real text: they stay in FOLDER/keep.

    Example: kommunbench site synth ersattning --home /srv/kommunbench --by Berg
    """
    from kommunbench.report.stand_in import stand_in_page
    from kommunbench.site.home import SiteHome
    from kommunbench.site.stand_in import free_folder, make_stand_in, write_stand_in

    free_folder(folder)
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("counting, inventing, comparing", total=None)
        made = make_stand_in(
            SiteHome(home), tuple(task or ()), {"kind": kind, "seed": seed}, by,
            lambda done, of: progress.update(bar, completed=done, total=of),
        )  # fmt: skip
    found: dict[str, Any] = {
        "statistics": made.statistics.model_dump(mode="json"),
        "tasks": {
            each.task.name: {
                "rows": len(made.rows[each.task.name]),
                "fidelity": [one._asdict() for one in each.fidelity],
                "overlaps": [one._asdict() for one in each.overlaps],
                "leakage": asdict(each.leakage),
            }
            for each in made.likeness
        },
        "uninvented": made.uninvented,
    }
    text = json.dumps(found, ensure_ascii=False, indent=1)
    pages = {f"likeness.{name}.md": stand_in_page(made, name) for name in ("sv", "en")}
    write_stand_in(made, folder, {**pages, "likeness.json": text + "\n"})
    typer.echo(text if as_json else pages[f"likeness.{language}.md"], nl=as_json)
    console.print(f"{folder}/share may be handed on; {folder}/keep stays here.", markup=False)
