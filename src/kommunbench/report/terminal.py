"""The leaderboard in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kommunbench.report.notes import PRIVACY
from kommunbench.report.rows import Leaderboard, Report, SiteRow
from kommunbench.report.sections import gains_of
from kommunbench.report.tables import about, places, primary_label, task_of, why
from kommunbench.report.wording import (
    NOTHING,
    Language,
    count,
    interval,
    lacking,
    number,
    pick,
    say,
    site_title,
    system,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BAR = 12
"""Width of the bar beside a share, in characters."""
WIDE = 96
"""Columns from which there is room for bars."""


def print_leaderboard(report: Report, console: Console, language: Language = "en") -> None:
    """Print a table a task, what training changed, and who is missing; fits 80 columns."""
    from rich.panel import Panel

    if report.note:
        console.print(Panel(pick(language, report.note), style="yellow", expand=False))
    for board in report.leaderboards:
        console.print(_table(board, report, language, console.width >= WIDE))
        for line in (*_basis(board, report, language), *_gains(board, report, language)):
            console.print(line, highlight=False)
        console.print()
    for line in _absences(report, language):
        console.print(line, highlight=False)
    console.print(_privacy(report, language), highlight=False)


def _privacy(report: Report, language: Language) -> str:
    """Which mode of privacy the run was in: the first sentences of its note."""
    return pick(language, PRIVACY[report.privacy]).replace("**", "[bold]", 1).replace("**", "[/bold]", 1)


def _table(board: Leaderboard, report: Report, language: Language, wide: bool) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    task = task_of(report, board.task)
    title = f"{pick(language, task.title)}  [dim]{primary_label(task)}[/dim]"
    if len({other.seed for other in report.leaderboards}) > 1:
        title += say(language, f"  [dim]frö {board.seed}[/dim]", f"  [dim]seed {board.seed}[/dim]")
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", min_width=3, no_wrap=True)
    table.add_column("System", overflow="fold")
    if wide:
        table.add_column("", min_width=BAR, no_wrap=True)
    table.add_column(say(language, "Värde", "Value"), justify="right", min_width=5, no_wrap=True)
    table.add_column(say(language, "95 %, dessa", "95 %, these"), justify="right", min_width=11, no_wrap=True)
    table.add_column(say(language, "Sämst", "Worst"), overflow="fold")
    for standing, place in zip(board.standings, places(board), strict=True):
        row = report.by_key[standing.row.key]
        worst = number(row.worst_value, row.unit, language)
        cells = [
            place,
            system(row, report, language),
            number(row.value, row.unit, language),
            interval(row.low, row.high, row.unit, language),
            f"{worst} {escape(site_title(row.worst_site, report))}" if row.worst_site else NOTHING,
        ]
        if wide:
            cells.insert(2, _bar(row.value) if row.unit == "share" else "")
        table.add_row(*cells, style="bold green" if standing.tie_group == 1 else "")
    return table


def _basis(board: Leaderboard, report: Report, language: Language) -> Iterator[str]:
    """What the values rest on: one line where that is the same for every system, else a line each."""
    words: dict[str, list[str]] = {}
    for standing in board.standings:
        row = report.by_key[standing.row.key]
        text = say(
            language,
            f"{count(row.n, language)} exempel från {row.sites} av {len(report.roster)} organisationer",
            f"{count(row.n, language)} examples from {row.sites} of {len(report.roster)} sites",
        )
        if row.unscored:
            text += say(language, f", {row.unscored} obedömda", f", {row.unscored} unscored")
        lacks = lacking(row, language)
        text += "" if lacks == NOTHING else f"; {lacks}"
        words.setdefault(text, []).append(system(row, report, language))
    for text, systems in words.items():
        whose = "" if len(words) == 1 else f"{'; '.join(systems)}: "
        yield f"  [dim]{whose}{text}[/dim]"


def _bar(value: float | None) -> str:
    """A bar in eighths of a character for a share of 0..1."""
    if value is None:
        return ""
    eighths = round(min(max(value, 0.0), 1.0) * BAR * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def _gains(board: Leaderboard, report: Report, language: Language) -> Iterator[str]:
    for pair in gains_of(report):
        if pair.left.task != board.task or max(pair.left.seed, pair.right.seed) != board.seed:
            continue
        if pair.difference is None:
            yield f"  {say(language, 'gemensam träning: går inte att visa', 'training together: cannot be shown')}"
            continue
        change = number(pair.difference, pair.unit, language, sign=True)
        ends = interval(pair.low, pair.high, pair.unit, language, sign=True)
        verdict = {
            "tie": say(language, "ingen säkerställd skillnad", "no sure difference"),
            "left": say(language, "säkerställt bättre", "surely better"),
            "right": say(language, "säkerställt sämre", "surely worse"),
        }.get(pair.better or "", "")
        style = {"left": "green", "right": "red"}.get(pair.better or "", "yellow")
        words = say(language, "gemensam träning", "training together")
        yield f"  {words} [bold {style}]{change}[/bold {style}] ({ends}), {verdict}"


def _absences(report: Report, language: Language) -> Iterator[str]:
    lines = [line for site in report.roster for line in _site_lines(site, report, language)]
    if lines:
        yield f"[bold]{say(language, 'Vad som saknas', 'What is lacking')}[/bold]"
        yield from lines


def _site_lines(site: SiteRow, report: Report, language: Language) -> Iterator[str]:
    """One line a reason, with every task that it holds for."""
    from rich.markup import escape

    reasons: dict[tuple[str, str], list[str]] = {}
    for absence in site.absences:
        words = why(absence, language)
        when = ", ".join(absence.moments) if absence.about == "reply" else ""
        what = "" if absence.about == "reply" else about(absence, report, language)
        reasons.setdefault((words, when), []).append(what)
    for (words, when), tasks in reasons.items():
        yield f"  {escape(site.title)}: {words} [dim]({when or ', '.join(tasks)})[/dim]"
