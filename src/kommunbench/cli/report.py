"""`kommunbench report` and `kommunbench compare`: what runs found, made again from their own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from kommunbench.cli.runs import Results, find_run
from kommunbench.report.build import build_report, report_json
from kommunbench.report.compare import compare_json, compare_table, differences
from kommunbench.report.markdown import markdown, site_page
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
) -> None:
    """Print a run's report again: leaderboard, gains, who is missing and why.

    Example: kommunbench report pilot-20260301-101500 --site lovvik --language sv
    """
    found = build_report(find_run(run, results))
    if site:
        typer.echo(site_page(found, site, language), nl=False)
        return
    if as_json:
        typer.echo(report_json(found), nl=False)
    elif as_markdown:
        typer.echo(markdown(found, language), nl=False)
    else:
        print_leaderboard(found, console, language)


@compare.command()
def print_comparison(
    runs: Annotated[list[str], typer.Argument(help="Names or folders of runs.")],
    results: Results = Path("results"),
    as_json: AsJson = False,
    all_measures: Annotated[bool, typer.Option("--all", help="Every measure, not only the primary ones.")] = False,
    language: Lang = "en",
) -> None:
    """Put runs side by side. They are not paired: only their intervals can be compared, and it says so.

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
        console.print(line, markup=False)
