"""The leaderboard in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kommunbench.report.rows import Leaderboard, Report, SiteRow
from kommunbench.report.sections import gains_of
from kommunbench.report.tables import places, primary_label, task_of
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

BAR = 16
"""Width of the bar beside a share, in characters."""


def print_leaderboard(report: Report, console: Console, language: Language = "en") -> None:
    """Print a table a task, what training changed, and who is missing; fits 100 columns."""
    from rich.panel import Panel

    if report.note:
        console.print(Panel(pick(language, report.note), style="yellow", expand=False))
    for board in report.leaderboards:
        console.print(_table(board, report, language))
        for line in _gains(board, report, language):
            console.print(line)
        console.print()
    for line in _absences(report, language):
        console.print(line)


def _table(board: Leaderboard, report: Report, language: Language) -> Table:
    from rich import box
    from rich.table import Table

    task = task_of(report, board.task)
    title = f"{pick(language, task.title)}  [dim]{primary_label(task)}[/dim]"
    if len({other.seed for other in report.leaderboards}) > 1:
        title += say(language, f"  [dim]frö {board.seed}[/dim]", f"  [dim]seed {board.seed}[/dim]")
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    heads = say(
        language,
        "#|System||Värde|95 %, dessa|Sämsta organisation|Exempel|Saknas",
        "#|System||Value|95 %, these|Worst site|Examples|Lacking",
    )
    for head, side in zip(heads.split("|"), "lllrrlrl", strict=True):
        table.add_column(head, justify="right" if side == "r" else "left", no_wrap=head != heads.split("|")[-1])
    for standing, place in zip(board.standings, places(board), strict=True):
        row = report.by_key[standing.row.key]
        worst = NOTHING
        if row.worst_site:
            worst = f"{number(row.worst_value, row.unit, language)} {site_title(row.worst_site, report)}"
        examples = count(row.n, language)
        if row.unscored:
            examples += say(language, f" ({row.unscored} obedömda)", f" ({row.unscored} unscored)")
        lacks = lacking(row, language)
        table.add_row(
            place,
            system(row, report, language),
            _bar(row.value) if row.unit == "share" else "",
            number(row.value, row.unit, language),
            interval(row.low, row.high, row.unit, language),
            worst,
            examples,
            "" if lacks == NOTHING else lacks,
            style="bold green" if standing.tie_group == 1 else "",
        )
    return table


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
            "tie": say(language, "ingen säker skillnad", "no sure difference"),
            "left": say(language, "säkert bättre", "surely better"),
            "right": say(language, "säkert sämre", "surely worse"),
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
    reasons: dict[tuple[str, str], list[str]] = {}
    for absence in site.absences:
        words = absence.sv if language == "sv" else absence.en
        when = "" if absence.task else ", ".join(absence.moments)
        task = pick(language, task_of(report, absence.task).title) if absence.task else ""
        reasons.setdefault((words, when), []).append(task)
    for (words, when), tasks in reasons.items():
        about = ", ".join(task for task in tasks if task) or when
        yield f"  {site.title}: {words} [dim]({about})[/dim]"
