"""What a report says and in which order, whatever it is shown on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kommunbench.report.adoption import adoption_tables, adoption_text
from kommunbench.report.assurance_tables import assurance_table, assurance_text
from kommunbench.report.cost_tables import (
    ANSWERING,
    answering_boards,
    answering_tables,
    answering_text,
    cost_table,
    cost_text,
)
from kommunbench.report.figure_tables import curve_table, gain_table
from kommunbench.report.glossary import glossary_tables, glossary_text
from kommunbench.report.judged import judge_tables, judge_text, judged_tables, judged_text
from kommunbench.report.notes import notes
from kommunbench.report.pareto import PARETO, pareto_tables, pareto_text
from kommunbench.report.rows import PairRow, Report
from kommunbench.report.scorecard_tables import scorecard_table, scorecard_text
from kommunbench.report.stage_tables import stage_table, stage_text
from kommunbench.report.stages import stages
from kommunbench.report.tables import (
    Table,
    absence_table,
    group_table,
    leaderboard_table,
    measure_table,
    pair_table,
    places,
    site_table,
    task_of,
)
from kommunbench.report.wording import Language, interval, number, pick, say, system

CURVES, FOREST, SITES, STAGES = "curves.svg", "forest.svg", "sites.svg", "stages.svg"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with paragraphs, points, tables, a figure (a file in figures/), and the tables behind the figure."""

    title: str
    text: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figure: str = ""
    behind: tuple[Table, ...] = ()
    code: str = ""


def sections(report: Report, language: Language) -> tuple[Section, ...]:
    """Every section that this run has something for."""
    return tuple(_sections(report, language))


def _sections(report: Report, language: Language) -> Iterator[Section]:
    boards = {board.task: board for board in reversed(report.leaderboards)}
    tasks = [task for task in report.tasks if task.name in boards]
    yield Section(say(language, "I korthet", "In brief"), points=tuple(_brief(report, language)))
    yield Section(
        say(language, "Topplista", "Leaderboard"),
        text=(
            say(
                language,
                "Bäst först. System med samma plats (=) går inte att skilja åt med säkerhet; parentes: inte prövat. "
                "**95 %, dessa** gäller just de här organisationerna, **95 %, liknande** medelvärdet för fler "
                "organisationer som de. Vad system och mått är står under Ord i rapporten.",
                "Best first. Systems that share a place (=) cannot be told apart; in parentheses: not tested. "
                "**95 %, these** is about these very sites, **95 %, like these** about the mean of more sites like "
                "them. What systems and measures are is said under Words in this report.",
            ),
        ),
        tables=tuple(leaderboard_table(board, report, language) for board in report.leaderboards),
    )
    if any(one.score is not None for card in report.scorecards for one in card.standings):
        yield Section(
            say(language, "Om annat räknas", "If something else counts"),
            text=tuple(scorecard_text(report.scorecards, language)),
            tables=tuple(scorecard_table(card, report, language) for card in report.scorecards),
        )
    if gains := gains_of(report):
        caption = say(
            language, "Efter gemensam träning (A) mot före (B)", "After training together (A) against before (B)"
        )
        yield Section(
            say(language, "Vad gemensam träning gav", "What training together gained"),
            tables=(pair_table(gains, report, language, caption),),
            figure=FOREST if any(pair.difference is not None for pair in gains) else "",
            behind=tuple(gain_table(pair, report, language) for pair in gains),
        )
    if stages(report):
        yield Section(
            say(language, "Ensam, tillsammans, eller allt på ett ställe", "Alone, together, or all in one place"),
            text=stage_text(language),
            tables=(stage_table(report, language),),
            figure=STAGES,
        )
    if rounds(report):
        yield Section(
            say(language, "Omgång för omgång", "Round by round"),
            figure=CURVES,
            behind=tuple(
                table for task in tasks if (table := curve_table(task, boards[task.name], report, language)) is not None
            ),
        )
    if prices := tuple(pareto_tables(report, language)):
        yield Section(
            say(language, "Nytta mot kostnad", "Quality against cost"),
            text=(pareto_text(report, language),),
            figure=PARETO,
            behind=prices,
        )
    if adoption := tuple(adoption_tables(report, language)):
        yield Section(
            say(language, "Ska vi använda modellen?", "Should we adopt the model?"),
            text=(adoption_text(language),),
            tables=adoption,
        )
    if judged := tuple(judged_tables(report, language)):
        yield Section(
            say(language, "Vad personalen tyckte", "What staff said"), text=(judged_text(language),), tables=judged
        )
    if judge := tuple(judge_tables(report, language)):
        yield Section(
            say(language, "Vad domarmodellen tyckte", "What the judge said"),
            text=(judge_text(language),),
            tables=judge,
        )
    if others := [pair for pair in report.pairs if _shown(pair) and pair.primary and pair not in gains]:
        caption = say(language, "Par som bestämdes före körningen", "Pairs declared before the run")
        yield Section(
            say(language, "Andra jämförelser", "Other comparisons"),
            tables=(pair_table(others, report, language, caption),),
        )
    if report.earlier:
        caption = say(language, "Denna körning (A) mot tidigare körningar (B)", "This run (A) against earlier runs (B)")
        yield Section(
            say(language, "Mot tidigare körningar", "Against earlier runs"),
            tables=(pair_table([pair for pair in report.earlier if _shown(pair)], report, language, caption),),
        )
    if any(pair.difference is not None for pair in (*gains, *others)):
        yield Section(
            say(language, "Hur långt det räcker", "How far it carries"),
            text=(assurance_text(language),),
            tables=(assurance_table((*gains, *others), report, language),),
        )
    if report.privacy == "plain":
        yield Section(
            say(language, "Organisation för organisation", "Site by site"),
            figure=SITES,
            behind=tuple(site_table(task, boards[task.name], report, language) for task in tasks),
        )
    groups = [group_table(task, boards[task.name], report, language) for task in tasks]
    if any(groups):
        yield Section(
            say(language, "Grupper av organisationer", "Groups of sites"),
            text=(say(language, "Inom parentes: 95 %, dessa.", "In parentheses: 95 %, these."),),
            tables=tuple(table for table in groups if table),
        )
    yield _missing(report, language)
    yield Section(
        say(language, "Övriga mått", "Other measures"),
        tables=tuple(measure_table(task, boards[task.name], report, language) for task in tasks),
    )
    if took := tuple(answering_tables(report, language)):
        yield Section(
            say(language, "Vad ett svar tar", "What an answer takes"),
            text=(answering_text(report, language),),
            tables=took,
            figure=ANSWERING if answering_boards(report) else "",
        )
    yield Section(say(language, "Kostnad", "Cost"), text=(cost_text(language),), tables=(cost_table(report, language),))
    yield Section(say(language, "Så läses talen", "How to read the numbers"), points=tuple(notes(report, language)))
    yield Section(
        say(language, "Ord i rapporten", "Words in this report"),
        text=(glossary_text(language),),
        tables=tuple(glossary_tables(report, language)),
    )
    yield _reproduce(report, language)


def gains_of(report: Report) -> list[PairRow]:
    """Base against federated of one model, over all sites, on primary measures."""
    return [
        pair
        for pair in report.pairs
        if _shown(pair) and pair.primary and pair.left.model == pair.right.model
        and {pair.left.stage, pair.right.stage} == {"base", "federated"}
        and pair.left.prompt == pair.right.prompt
    ]  # fmt: skip


def rounds(report: Report) -> bool:
    """Whether there is a learning curve to draw."""
    return len({row.round for row in report.rows}) > 1


def _shown(pair: PairRow) -> bool:
    return pair.left.site_group == "all"


def _brief(report: Report, language: Language) -> Iterator[str]:
    gains = {pair.left.task: pair for pair in reversed(gains_of(report))}
    for board in report.leaderboards:
        if board.seed != report.leaderboards[0].seed:
            continue
        task = task_of(report, board.task)
        title = pick(language, task.title)
        first = [
            system(standing.row, report, language)
            for standing, place in zip(board.standings, places(board), strict=True)
            if place.rstrip("=") == "1"
        ]
        best = report.by_key[board.standings[0].row.key] if board.standings else None
        if report.dp and report.dp.tallies != "exact" and best is not None and best.low is None and best.sites:
            yield f"**{title}**: " + say(
                language,
                "med bruset finns inget intervall här, så inget säkert kan sägas om vilket system som är bäst.",
                "with the noise there is no interval here, so nothing is sure of which system is best.",
            )
            continue
        if best is None or best.value is None:
            yield f"**{title}**: " + say(language, "inget tal kunde lämnas ut.", "no number could be released.")
            continue
        value = number(best.value, best.unit, language)
        words = f"**{title}**: " + _leaders(first or [system(best, report, language)], language)
        words += f" ({task.primary} {value}; 95 %: {interval(best.low, best.high, best.unit, language)})."
        if pair := gains.get(board.task):
            words += " " + _gain(pair, language)
        yield words


def _leaders(systems: list[str], language: Language) -> str:
    if len(systems) == 1:
        return say(language, f"bäst är {systems[0]}", f"{systems[0]} is best")
    several = say(language, " och ", " and ").join(("; ".join(systems[:-1]), systems[-1]))
    return say(language, f"{several} ligger främst och går inte att skilja", f"{several} lead and cannot be told apart")


def _gain(pair: PairRow, language: Language) -> str:
    if pair.difference is None:
        return say(
            language, "Träningens verkan går inte att visa.", f"What training did cannot be shown: {pair.reason}."
        )
    change = number(pair.difference, pair.unit, language, sign=True)
    ends = interval(pair.low, pair.high, pair.unit, language, sign=True)
    if pair.better == "tie":
        return say(
            language,
            f"Gemensam träning gav ingen säkerställd skillnad ({change}; 95 %: {ends}).",
            f"Training together made no sure difference ({change}; 95 %: {ends}).",
        )
    return say(language, f"Gemensam träning: {change} (95 %: {ends}).", f"Training together: {change} (95 %: {ends}).")


def _missing(report: Report, language: Language) -> Section:
    title = say(language, "Vilka som saknas, och varför", "Who is missing, and why")
    table = absence_table(report, language)
    if not table.rows:
        everyone = say(language, "Alla organisationer svarade på allt.", "Every site answered everything.")
        masked = say(
            language,
            "Alla organisationer svarade. Vilka som inte är med i ett tal, och varför, stannar hos dem: hur många det "
            "är står under Saknas i topplistan.",
            "Every site answered. Which of them are not in a number, and why, stays with them: how many stands under "
            "Lacking in the leaderboard.",
        )
        return Section(title, text=(masked if any(row.withheld for row in report.rows) else everyone,))
    full = sum(site.status == "ok" for site in report.roster)
    text = say(
        language,
        f"{full} av {len(report.roster)} organisationer svarade på allt. "
        "Det som saknas är aldrig noll: det räknas inte med.",
        f"{full} of {len(report.roster)} sites answered everything. What is lacking is never zero: it is left out.",
    )
    return Section(title, text=(text,), tables=(table,))


def _reproduce(report: Report, language: Language) -> Section:
    facts = (
        ("kommunbench", report.kommunbench),
        ("git", report.git or "–"),
        (say(language, "körning", "run"), report.run),
        (say(language, "specifikation", "specification"), report.spec_digest),
        (say(language, "federation", "federation"), report.federation),
        (say(language, "strategi", "strategy"), report.strategy),
        (say(language, "frö", "seed"), str(report.seed)),
        (say(language, "skydd", "privacy"), report.privacy),
        (
            say(language, "differentiell integritet", "differential privacy"),
            report.dp.name if report.dp else say(language, "ingen", "none"),
        ),
        (say(language, "motor", "engine"), report.engine),
        (say(language, "började", "started"), report.started_at),
    )
    table = Table(
        say(language, "Körningen", "The run"),
        (say(language, "Vad", "What"), say(language, "Värde", "Value")),
        facts,
        "ll",
    )
    return Section(say(language, "Gör om körningen", "How to reproduce"), tables=(table,), code=report.command)
