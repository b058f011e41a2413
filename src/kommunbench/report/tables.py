"""The report's tables as plain cells, for Markdown, terminal and web page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kommunbench.core.task import Bilingual
from kommunbench.report.codes import remedy
from kommunbench.report.rows import Absence, Leaderboard, PairRow, Report, Row, RowKey, TaskRow
from kommunbench.report.wording import (
    NOTHING,
    Language,
    arrow,
    count,
    counted,
    group,
    interval,
    lacking,
    moment,
    number,
    outcome,
    p_value,
    pick,
    say,
    site_title,
    system,
    unit_name,
)

ELSEWHERE = ("rated_", "agreement_", "metric_follows_", "judged_", "judge_kappa_", "cost_")
"""How the measures begin that have tables of their own: what staff and judges said, and what answers took."""
SITES_SHOWN = 30
"""A table by site shows so many; report.json has all."""


@dataclass(frozen=True, slots=True)
class Span:
    """A row's two intervals on 0..1, for a page to draw; that of new sites is as narrow as the other where unknown."""

    these: tuple[float, float]
    new_site: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text.

    Args:
        align: l or r for each column.
        strong: indices of rows that lead.
        spans: for each row what a page may draw of it, or None.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    strong: frozenset[int] = frozenset()
    spans: tuple[Span | None, ...] = ()


def without_empty(table: Table) -> Table:
    """The table less columns in which nobody has anything: without training alone there is nothing to say of it."""
    kept = [at for at in range(len(table.header)) if any(row[at] != NOTHING for row in table.rows)]
    return replace(
        table,
        header=tuple(table.header[at] for at in kept),
        rows=tuple(tuple(row[at] for at in kept) for row in table.rows),
        align="".join(table.align[at] for at in kept),
    )


def task_of(report: Report, name: str) -> TaskRow:
    """The task of that name."""
    return next(task for task in report.tasks if task.name == name)


def primary_label(task: TaskRow) -> str:
    """The primary measure and which way is better."""
    return f"{task.primary} {arrow(task.direction)}"


def places(board: Leaderboard) -> list[str]:
    """`1`, `2=`, `2=`, `4`: systems that cannot be told apart share the place of the first of them."""
    groups = [standing.tie_group for standing in board.standings]
    texts = []
    for index, found in enumerate(groups):
        if found is None:
            texts.append(f"({index + 1})")
        else:
            texts.append(f"{groups.index(found) + 1}{'=' if groups.count(found) > 1 else ''}")
    return texts


def leaderboard_table(board: Leaderboard, report: Report, language: Language) -> Table:
    """Best first, with both intervals, the worst site, and what is not in the numbers."""
    task = task_of(report, board.task)
    rows, strong, spans = [], set(), list[Span | None]()
    for index, (standing, place) in enumerate(zip(board.standings, places(board), strict=True)):
        row = report.by_key[standing.row.key]
        if standing.tie_group == 1:
            strong.add(index)
        spans.append(_span(row))
        worst = f"{number(row.worst_value, row.unit, language)} {site_title(row.worst_site, report)}"
        rows.append(
            (
                place,
                system(row, report, language),
                number(row.value, row.unit, language),
                interval(row.low, row.high, row.unit, language),
                interval(row.low_new_site, row.high_new_site, row.unit, language),
                worst if row.worst_site else NOTHING,
                counted(row, row.n, language),
                counted(row, row.unscored, language),
                str(row.sites),
                lacking(row, language),
            )
        )
    header = say(
        language,
        "Plats|System|{}|95 %, dessa|95 %, liknande|Sämst hos|Exempel|Obedömda|Svar från|Saknas",
        "Place|System|{}|95 %, these|95 %, like these|Worst at|Examples|Unscored|Sites|Lacking",
    )
    title = pick(language, task.title)
    if len({other.seed for other in report.leaderboards}) > 1:
        title += say(language, f", frö {board.seed}", f", seed {board.seed}")
    return Table(
        title,
        tuple(header.format(primary_label(task)).split("|")),
        tuple(rows),
        "llrrrlrrrl",
        frozenset(strong),
        tuple(spans),
    )


def _span(row: Row) -> Span | None:
    if row.unit != "share" or row.low is None or row.high is None:
        return None
    these = (row.low, row.high)
    known = row.low_new_site is not None and row.high_new_site is not None
    return Span(these, (row.low_new_site or 0.0, row.high_new_site or 0.0) if known else these)


def pair_table(pairs: Sequence[PairRow], report: Report, language: Language, caption: str) -> Table:
    """Effect and interval first, p last."""
    rows = [
        (
            pick(language, task_of(report, pair.left.task).title),
            f"{pair.left.metric} {arrow(pair.direction)}".strip(),
            system(pair.left, report, language),
            system(pair.right, report, language) + (f" ({pair.right_run})" if pair.right_run else ""),
            number(pair.difference, pair.unit, language, sign=True),
            interval(pair.low, pair.high, pair.unit, language, sign=True),
            interval(pair.low_new_site, pair.high_new_site, pair.unit, language, sign=True),
            count(pair.n, language) + ("" if pair.paired else say(language, ", oparat", ", unpaired")),
            p_value(pair.p_holm, language),
            _verdict(pair, language),
        )
        for pair in pairs
    ]
    header = say(
        language,
        "Uppgift|Mått|System A|System B|A − B|95 %, dessa|95 %, liknande|Exempel|p (Holm)|Bättre",
        "Task|Measure|System A|System B|A − B|95 %, these|95 %, like these|Examples|p (Holm)|Better",
    )
    return Table(caption, tuple(header.split("|")), tuple(rows), "llllrrrrrl")


def _verdict(pair: PairRow, language: Language) -> str:
    if pair.reason:
        return say(language, "går inte att jämföra", pair.reason)
    if pair.better is None:
        return NOTHING
    if pair.better == "tie":
        return say(language, "går inte att skilja", "cannot be told apart")
    return "A" if pair.better == "left" else "B"


def site_table(task: TaskRow, board: Leaderboard, report: Report, language: Language) -> Table:
    """Every site's own value for every system on a task; a word where it gave none."""
    keys = [standing.row for standing in board.standings]
    sites = report.roster[:SITES_SHOWN]
    rows = [(site.title, *(_site_cell(key, site.name, report, language) for key in keys)) for site in sites]
    pooled = [report.by_key[key.key] for key in keys]
    if any(row.gap is not None for row in pooled):
        gap = say(language, "från bäst till sämst", "best to worst")
        rows.append((gap, *(number(row.gap, row.unit, language) for row in pooled)))
    caption = f"{pick(language, task.title)}: {primary_label(task)}"
    if len(report.roster) > len(sites):
        caption += say(
            language,
            f" (de första {len(sites)} av {len(report.roster)})",
            f" (the first {len(sites)} of {len(report.roster)})",
        )
    header = (say(language, "Organisation", "Site"), *(system(key, report, language) for key in keys))
    return Table(caption, header, tuple(rows), "l" + "r" * len(keys))


def _site_cell(key: RowKey, site: str, report: Report, language: Language) -> str:
    row = at(report, key, f"site/{site}")
    if row is None:
        return NOTHING
    if row.value is not None:
        return number(row.value, row.unit, language)
    return lacking(row, language).removeprefix("1 ")


def at(report: Report, key: RowKey, site_group: str) -> Row | None:
    """The same system's row for another group of sites."""
    return report.row(key.model_copy(update={"site_group": site_group}))


def group_table(task: TaskRow, board: Leaderboard, report: Report, language: Language) -> Table | None:
    """The primary measure by group of sites; None where there is only `all`."""
    found = dict.fromkeys(
        row.site_group
        for row in report.rows
        if row.task == task.name and row.primary and not row.site_group.startswith("site/")
    )
    if set(found) == {"all"}:
        return None
    keys = [standing.row for standing in board.standings]
    seen = {(row.model, row.prompt): row for row in report.rows if row.stage == "local" and row.task == task.name}
    keys += [row for row in seen.values() if row.primary or row.metric == task.primary]
    rows = []
    for key in keys:
        cells = []
        for name in found:
            row = at(report, key, name)
            text = NOTHING if row is None or row.value is None else number(row.value, row.unit, language)
            if row is not None and row.low is not None:
                text += f" ({interval(row.low, row.high, row.unit, language)})"
            cells.append(text)
        rows.append((system(key, report, language), *cells))
    header = ("System", *(group(name, report, language) for name in found))
    return Table(f"{pick(language, task.title)}: {primary_label(task)}", header, tuple(rows), "l" + "r" * len(found))


def measure_table(task: TaskRow, board: Leaderboard, report: Report, language: Language) -> Table:
    """Every other measure of a task, for every system."""
    keys = [standing.row for standing in board.standings]
    mine = [row for row in report.rows if row.task == task.name and row.site_group == "all"]
    measures = {row.metric: row for row in mine if not row.primary and not row.metric.startswith(ELSEWHERE)}
    rows = []
    for name, example in measures.items():
        unit = unit_name(example.unit, language)
        found = [report.row(key.model_copy(update={"metric": name})) for key in keys]
        cells = [_cell(row, language) for row in found]
        rows.append((f"{name} {arrow(example.direction)}".strip(), unit, *cells))
    header = (say(language, "Mått", "Measure"), say(language, "Enhet", "Unit"))
    names = tuple(system(key, report, language) for key in keys)
    return Table(pick(language, task.title), (*header, *names), tuple(rows), "ll" + "r" * len(keys))


def _cell(row: Row | None, language: Language) -> str:
    """A value; or that no model gives what the measure needs."""
    if row is not None and row.value is None and row.unavailable:
        return outcome("unavailable", language)
    return NOTHING if row is None else number(row.value, row.unit, language)


def absence_table(report: Report, language: Language) -> Table:
    """Who did not give what, and why, in words; one row for all tasks of a site that lack for the same reason."""
    moments = len({moment for site in report.roster for absence in site.absences for moment in absence.moments})
    found: dict[tuple[str, str, str, str], list[str]] = {}
    for site in report.roster:
        for absence in site.absences:
            when = "; ".join(moment(name, language) for name in absence.moments)
            if len(absence.moments) == moments > 1:
                when = say(language, "hela körningen", "throughout")
            words = why(absence, language)
            what = about(absence, report, language)
            found.setdefault((site.title, outcome(absence.outcome, language), words, when), []).append(what)
    rows = [(title, ", ".join(what), kind, words, when) for (title, kind, words, when), what in found.items()]
    header = say(language, "Organisation|Vad|Räknas som|Varför|När", "Site|What|Counts as|Why|When")
    caption = say(language, "Vad som saknas", "What is lacking")
    return Table(caption, tuple(header.split("|")), tuple(rows), "lllll")


def why(absence: Absence, language: Language) -> str:
    """Why something is lacking, and what to do now where something can be done."""
    words, do = pick(language, Bilingual(sv=absence.sv, en=absence.en)), remedy(absence.code)
    return f"{words}: {pick(language, do)}" if do else words


def about(absence: Absence, report: Report, language: Language) -> str:
    """What was not given: the task's title, the training, or the whole reply."""
    if absence.about == "training":
        return say(language, "träningen", "training")
    if absence.task is None:
        return say(language, "hela svaret", "the whole reply")
    return pick(language, task_of(report, absence.task).title)
