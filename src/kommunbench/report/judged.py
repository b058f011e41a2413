"""What staff at the sites said of answers, and what judges said, as a report shows it."""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.core.spec import CRITERIA
from kommunbench.report.rows import Report, Row, TaskRow
from kommunbench.report.tables import Table
from kommunbench.report.wording import NOTHING, Language, counted, interval, lacking, number, pick, say, system

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
        counted(row, row.n, language),
        counted(row, row.unscored, language),
        lacking(row, language),
    )


def judge_text(language: Language) -> str:
    """How to read the judge's tables."""
    return say(
        language,
        "En modell hos organisationerna har satt samma slags betyg som personalen, på samma frågor. Domaren är ett "
        "mått som andra: kappa säger hur väl den följer personalens betyg på samma svar (Cohens, kvadratiska vikter; 1 "
        "är full enighet, 0 slumpen). Utan kappa är betygen bara domarens egna. Oläsligt: domaren gav inget betyg från "
        "1 till 5.",
        "A model at the sites gave the same kind of numbers as staff, to the same questions. A judge is a measure like "
        "another: kappa says how well it follows staff on the same answers (Cohen's, with quadratic weights; 1 is full "
        "agreement, 0 is chance). Without a kappa the numbers are the judge's alone. Unreadable: the judge gave no "
        "number from 1 to 5.",
    )


def judge_tables(report: Report, language: Language) -> Iterator[Table]:
    """A table a task: a line a system and criterion, the judge's agreement with staff always in it."""
    header = say(
        language,
        "System|Fråga|Domarens betyg|95 %, dessa|Minst 4|Kappa mot personal|95 %, dessa|Svar med båda|Svar|"
        "Oläsligt|Saknas",
        "System|Question|Judge's rating|95 %, these|At least 4|Kappa with staff|95 %, these|Answers with both|Answers|"
        "Unreadable|Lacking",
    )
    for task in report.tasks:
        rows = [
            _judge_line(report, row, criterion, language)
            for criterion in CRITERIA
            for row in report.rows
            if row.task == task.name and row.site_group == "all" and row.metric == f"judged_{criterion}" and _asked(row)
        ]
        if rows:
            ordered = tuple(sorted(rows, key=lambda cells: cells[0]))
            yield Table(pick(language, task.title), tuple(header.split("|")), ordered, "llrrrrrrrrl")


def _judge_line(report: Report, row: Row, criterion: str, language: Language) -> tuple[str, ...]:
    good = report.row(row.model_copy(update={"metric": f"judged_{criterion}_good"}))
    return (
        system(row, report, language),
        say(language, *WORDS[criterion]),
        number(row.value, row.unit, language),
        interval(row.low, row.high, row.unit, language),
        NOTHING if good is None else number(good.value, good.unit, language),
        *_kappa(report.row(row.model_copy(update={"metric": f"judge_kappa_{criterion}"})), language),
        counted(row, row.n, language),
        counted(row, row.unscored, language),
        lacking(row, language),
    )


def _kappa(row: Row | None, language: Language) -> tuple[str, str, str]:
    """Kappa, its interval and how many answers are behind it; or that there is nothing to hold the judge against."""
    if row is None or not _asked(row):
        return say(language, "inga betyg av personal än", "no human ratings yet"), NOTHING, "0"
    if row.value is None:
        return lacking(row, language) if not row.n else NOTHING, NOTHING, counted(row, row.n, language)
    return (
        number(row.value, row.unit, language),
        interval(row.low, row.high, row.unit, language),
        counted(row, row.n, language),
    )
