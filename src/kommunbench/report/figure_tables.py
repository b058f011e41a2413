"""The tables behind the figures: whoever cannot see a picture reads the same numbers."""

from __future__ import annotations

from kommunbench.report.rows import Leaderboard, PairRow, Report, TaskRow
from kommunbench.report.tables import SITES_SHOWN, Table, primary_label, task_of
from kommunbench.report.wording import NOTHING, Language, interval, number, pick, say, system


def curve_table(task: TaskRow, board: Leaderboard, report: Report, language: Language) -> Table | None:
    """The primary measure of every trained system round by round; None where nothing was trained."""
    mine = [
        row
        for row in report.rows
        if row.task == task.name and row.primary and row.site_group == "all" and row.seed == board.seed
    ]
    models = dict.fromkeys((row.model, row.prompt) for row in mine if row.round)
    if not models:
        return None
    several = len({row.prompt for row in mine}) > 1
    lines = []
    for number_ in sorted({row.round for row in mine}):
        cells = [say(language, "före", "before") if number_ == 0 else str(number_)]
        for model, prompt in models:
            row = next((r for r in mine if (r.model, r.prompt, r.round) == (model, prompt, number_)), None)
            if row is None or row.value is None:
                cells.append(NOTHING)
            else:
                ends = interval(row.low, row.high, row.unit, language)
                cells.append(f"{number(row.value, row.unit, language)} ({ends})")
        lines.append(tuple(cells))
    names = [f"{model}, {prompt}" if several else model for model, prompt in models]
    header = (say(language, "Omgång", "Round"), *names)
    caption = f"{pick(language, task.title)}: {primary_label(task)}"
    return Table(caption, header, tuple(lines), "r" * len(header))


def gain_table(pooled: PairRow, report: Report, language: Language) -> Table:
    """What training together changed at each site, and pooled."""
    task = task_of(report, pooled.left.task)
    lines = []
    for title, pair in site_pairs(report, pooled):
        if pair is None or pair.difference is None:
            lines.append((title, NOTHING, NOTHING, NOTHING))
            continue
        lines.append(
            (
                title,
                number(pair.difference, pair.unit, language, sign=True),
                interval(pair.low, pair.high, pair.unit, language, sign=True),
                str(pair.n),
            )
        )
    lines.append(
        (
            say(language, "alla", "all"),
            number(pooled.difference, pooled.unit, language, sign=True),
            interval(pooled.low, pooled.high, pooled.unit, language, sign=True),
            str(pooled.n),
        )
    )
    heads = say(language, "Organisation|Skillnad|95 %, dessa|Exempel", "Site|Difference|95 %, these|Examples")
    caption = f"{pick(language, task.title)}: {primary_label(task)}, {system(pooled.left, report, language)}"
    return Table(caption, tuple(heads.split("|")), tuple(lines), "lrrr", frozenset({len(lines) - 1}))


def site_pairs(report: Report, pooled: PairRow) -> list[tuple[str, PairRow | None]]:
    """(title, the same comparison at that site) in the roster's order; None where it has none."""
    same = {
        pair.left.site_group: pair
        for pair in report.pairs
        if (pair.left.key[:5], pair.left.key[6:], pair.right.key[:5], pair.right.key[6:])
        == (pooled.left.key[:5], pooled.left.key[6:], pooled.right.key[:5], pooled.right.key[6:])
    }
    return [(site.title, same.get(f"site/{site.name}")) for site in report.roster[:SITES_SHOWN]]
