"""What staff at the sites said of answers, as a report shows it."""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.core.spec import CRITERIA
from kommunbench.report.rows import Report, Row, TaskRow
from kommunbench.report.tables import Table
from kommunbench.report.wording import NOTHING, Language, interval, lacking, number, pick, say, system

WORDS = {
    "correct": ("Riktigt", "Correct"),
    "complete": ("Fullständigt", "Complete"),
    "plain": ("Klart språk", "Plain"),
    "usable": ("Användbart", "Usable"),
}


def judged_text(language: Language) -> str:
    """How to read the tables."""
    return say(
        language,
        "Personal hos organisationerna har satt betyg från 1 till 5, utan att veta vilken modell som svarade. Varje "
        "svar räknas en gång, med medelvärdet av dess betyg. Överens: Krippendorffs alfa, 1 är full enighet, 0 "
        "slumpen. Måttet följer: Pearsons r mellan betyget och huvudmåttet på samma svar; nära 0 mäter måttet något "
        "annat än personalen.",
        "Staff at the sites gave 1 to 5, without knowing which model had answered. Every answer counts once, by the "
        "mean of its ratings. Agreement: Krippendorff's alpha, 1 is full agreement, 0 is chance. Metric follows: "
        "Pearson's r between the rating and the primary measure of the same answer; near 0 the measure sees something "
        "else than staff.",
    )


def judged_tables(report: Report, language: Language) -> Iterator[Table]:
    """A table a task: a line a system and criterion."""
    for task in report.tasks:
        rows = [
            _line(report, row, criterion, language)
            for criterion in CRITERIA
            for row in report.rows
            if row.task == task.name and row.site_group == "all" and row.metric == f"rated_{criterion}" and _asked(row)
        ]
        if rows:
            yield _table(task, tuple(sorted(rows, key=lambda cells: cells[0])), language)


def _asked(row: Row) -> bool:
    """Some site was asked and had something to say, even if it was held back."""
    return bool(row.n or row.suppressed)


def _table(task: TaskRow, rows: tuple[tuple[str, ...], ...], language: Language) -> Table:
    header = say(
        language,
        "System|Fråga|Betyg 1–5|95 %, dessa|Minst 4|Överens|Måttet följer|Svar|Utan betyg|Saknas",
        "System|Question|Rating 1–5|95 %, these|At least 4|Agreement|Metric follows|Answers|Unrated|Lacking",
    )
    return Table(pick(language, task.title), tuple(header.split("|")), rows, "llrrrrrrrl")


def _line(report: Report, row: Row, criterion: str, language: Language) -> tuple[str, ...]:
    def beside(metric: str) -> str:
        found = report.row(row.model_copy(update={"metric": metric}))
        return NOTHING if found is None else number(found.value, found.unit, language)

    return (
        system(row, report, language),
        say(language, *WORDS[criterion]),
        number(row.value, row.unit, language),
        interval(row.low, row.high, row.unit, language),
        beside(f"rated_{criterion}_good"),
        beside(f"agreement_{criterion}"),
        beside(f"metric_follows_{criterion}"),
        str(row.n),
        str(row.unscored),
        lacking(row, language),
    )
