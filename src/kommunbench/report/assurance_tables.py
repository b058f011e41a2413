"""How far a comparison carries: without its weightiest site, at one new site, and with how many examples."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.report.rows import PairRow, Report
from kommunbench.report.tables import Table, task_of
from kommunbench.report.wording import NOTHING, Language, count, interval, number, pick, say, site_title, system


def assurance_text(language: Language) -> str:
    """How to read the table."""
    return say(
        language,
        "**Utan en**: skillnaden utan den organisation som ändrar den mest. **En ny**: vad en enda ny organisation "
        "skulle mäta (95 %). **Märkbar**: den minsta sanna skillnad som så många exempel visar åtta gånger av tio. "
        "**Exempel som krävs**: så många behövs om den sanna skillnaden är den som syns.",
        "**Without one**: the difference without the site that moves it most. **One new**: what a single new site "
        "would measure (95 %). **Detectable**: the smallest true difference that so many examples show eight times in "
        "ten. **Examples needed**: so many, if the true difference is the one seen.",
    )


def assurance_table(pairs: Sequence[PairRow], report: Report, language: Language) -> Table:
    """A row for each pair that could be compared."""
    rows = tuple(_row(pair, report, language) for pair in pairs if pair.difference is not None)
    head = say(
        language,
        "Uppgift|System A|System B|A − B|Utan en|En ny|Märkbar|Exempel|Exempel som krävs",
        "Task|System A|System B|A − B|Without one|One new|Detectable|Examples|Examples needed",
    )
    return Table(
        say(language, "Vad jämförelserna tål", "What the comparisons bear"), tuple(head.split("|")), rows, "lllrlrrrr"
    )


def _row(pair: PairRow, report: Report, language: Language) -> tuple[str, ...]:
    without = NOTHING
    if pair.influential_site is not None:
        moved = number(pair.difference_without, pair.unit, language, sign=True)
        without = f"{moved} {say(language, 'utan', 'without')} {site_title(pair.influential_site, report)}"
    return (
        pick(language, task_of(report, pair.left.task).title),
        system(pair.left, report, language),
        system(pair.right, report, language),
        number(pair.difference, pair.unit, language, sign=True),
        without,
        interval(pair.low_one_new_site, pair.high_one_new_site, pair.unit, language, sign=True),
        number(pair.detectable, pair.unit, language),
        count(pair.n, language),
        NOTHING if pair.n_needed is None else count(pair.n_needed, language),
    )
