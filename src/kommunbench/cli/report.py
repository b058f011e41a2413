"""`kommunbench report` and `kommunbench compare`: what runs found, made again from their own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from kommunbench.cli.find import Results, find_run
from kommunbench.core.errors import ConfigError, Fault
from kommunbench.release import read_weights
from kommunbench.report.build import build_report, report_json
from kommunbench.report.compare import compare_json, compare_table, differences
from kommunbench.report.markdown import markdown, site_page
from kommunbench.report.own_weights import SiteCards, check_weights, site_cards
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import Report
from kommunbench.report.terminal import print_leaderboard

report = typer.Typer()
compare = typer.Typer()
console = Console()
Lang = Annotated[Literal["en", "sv"], typer.Option("--language", help="Language of what is printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; its schema is in results/README.md.")]


@report.command()
def print_report(
    run: Annotated[str, typer.Argument(help="Name or folder of a run.")],
    results: Results = Path("results"),
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the whole report as Markdown.")] = False,
    language: Lang = "en",
    site: Annotated[str, typer.Option("--site", help="Only what one site needs: should it adopt the model?")] = "",
    weights: Annotated[
        Path | None, typer.Option("--weights", help="With --site: the site.yaml with its own weights for better.")
    ] = None,
) -> None:
    """Print a run's report again: leaderboard, gains, who is missing and why.

    With --site, what one site needs: the advice, what it took, and who leads there under each scorecard and under the
    site's own weights. Nothing of site.yaml is sent anywhere.

    Example: kommunbench report pilot-20260301-101500 --site lovvik --weights site.yaml --language sv
    """
    folder = find_run(run, results)
    found = build_report(folder)
    if site:
        cards = _site_cards(folder, found, site, weights)
        page = site_page(found, site, language, cards)
        typer.echo(json.dumps(_cards_json(site, cards), ensure_ascii=False, indent=1) if as_json else page, nl=as_json)
        return
    ConfigError.raise_if([Fault("weights are one site's", "--weights", "add --site NAME")] if weights else [])
    if as_json:
        typer.echo(report_json(found), nl=False)
    elif as_markdown:
        typer.echo(markdown(found, language), nl=False)
    else:
        print_leaderboard(found, console, language)


def _site_cards(folder: RunFolder, found: Report, site: str, weights: Path | None) -> SiteCards:
    """The site's leaderboards under the run's cards and its own weights."""
    own = read_weights(weights) if weights else {}
    info = folder.info()
    check_weights(own, {task.name: task for task in info.tasks}, str(weights))
    return site_cards(found, info.scorecards, site, own)


def _cards_json(site: str, cards: SiteCards) -> dict[str, Any]:
    here, everywhere = ([card.model_dump(mode="json") for card in each] for each in (cards.here, cards.everywhere))
    return {"site": site, "scorecards": here, "over_all_sites": everywhere}


@compare.command()
def print_comparison(
    runs: Annotated[list[str], typer.Argument(help="Names or folders of runs.")],
    results: Results = Path("results"),
    as_json: AsJson = False,
    all_measures: Annotated[bool, typer.Option("--all", help="Every measure, not only the primary ones.")] = False,
    language: Lang = "en",
) -> None:
    """Put runs side by side. They are not paired: only their intervals can be compared, and it says so.

    For a paired comparison, example by example, let the later run know of the earlier: `kommunbench run earlier=[RUN]`.

    Example: kommunbench compare pilot-20260301-101500 pilot-20260302-091500
    """
    reports = [build_report(find_run(run, results)) for run in runs]
    if as_json:
        typer.echo(compare_json(reports, primary_only=not all_measures))
        return
    from rich.table import Table as Drawn

    table = compare_table(reports, language, primary_only=not all_measures)
    drawn = Drawn(title=table.caption)
    for column, side in zip(table.header, table.align, strict=True):
        drawn.add_column(column, justify="right" if side == "r" else "left")
    for row in table.rows:
        drawn.add_row(*row)
    console.print(drawn)
    for line in differences(reports):
        console.print(f"Note: {line}", markup=False)
    console.print("Unpaired. Example by example: kommunbench run earlier=[RUN]", markup=False, highlight=False)
