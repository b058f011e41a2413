"""What it took: the whole run, and an answer of each system beside how good its answers are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kommunbench.report.pareto import beats
from kommunbench.report.rows import CostRow, Leaderboard, Report, Row, TaskRow
from kommunbench.report.tables import Table, primary_label, without_empty
from kommunbench.report.wording import NOTHING, Language, count, counted, lacking, number, pick, say, system

ANSWERING = "answering.svg"
COSTS = ("cost_tokens_read", "cost_tokens_written", "cost_seconds", "cost_joules")


@dataclass(frozen=True, slots=True)
class Answering:
    """A system's row on the primary measure, and those of what an answer took it."""

    row: Row
    read: Row | None
    written: Row | None
    seconds: Row
    joules: Row | None
    front: bool | None
    """None where quality or seconds are not known."""


def answering(report: Report, board: Leaderboard, group: str = "all") -> list[Answering]:
    """Every system of a leaderboard that a group of sites told the costs of, quickest first; the untold last."""
    found = []
    for standing in board.standings:
        key = standing.row.model_copy(update={"site_group": group})
        row, read, written, seconds, joules = (
            report.row(key.model_copy(update={"metric": metric})) for metric in (standing.row.metric, *COSTS)
        )
        if row is not None and seconds is not None:
            found.append((row, read, written, seconds, joules))
    priced = [
        (row, _milliseconds(seconds.value))
        for row, _, _, seconds, _ in found
        if seconds.value is not None and row.value is not None
    ]
    made = [
        Answering(
            row, read, written, seconds, joules,
            front=not any(beats(other, cost, row, _milliseconds(seconds.value)) for other, cost in priced)
            if row.value is not None and seconds.value is not None
            else None,
        )
        for row, read, written, seconds, joules in found
    ]  # fmt: skip
    return sorted(made, key=lambda one: (one.seconds.value is None, one.seconds.value or 0.0, one.row.model))


def answering_boards(report: Report) -> list[tuple[TaskRow, Leaderboard]]:
    """Each task with its leaderboard of the first seed, where at least two systems told what their answers took."""
    first = {board.task: board for board in reversed(report.leaderboards)}
    found = [(task, first[task.name]) for task in report.tasks if task.name in first]
    return [(task, board) for task, board in found if len(told(report, board)) > 1]


def told(report: Report, board: Leaderboard) -> list[Answering]:
    """Those of which quality and seconds are known both."""
    return [one for one in answering(report, board) if one.front is not None]


def answering_tables(report: Report, language: Language, group: str = "all") -> Iterator[Table]:
    """Tokens, seconds and joules an answer by system, a table a task."""
    first = {board.task: board for board in reversed(report.leaderboards)}
    for task in report.tasks:
        lines = answering(report, first[task.name], group) if task.name in first else []
        if not lines:
            continue
        header = say(
            language,
            "System|Lästa token|Skrivna token|Sekunder|Joule|{}|På fronten|Obedömda|Svar från|Saknas",
            "System|Tokens read|Tokens written|Seconds|Joules|{}|On the front|Unscored|Sites|Lacking",
        ).format(primary_label(task))
        rows = tuple(
            (
                system(one.row, report, language),
                *(_number(cost, language) for cost in (one.read, one.written, one.seconds, one.joules)),
                number(one.row.value, one.row.unit, language),
                _front(one.front, language),
                counted(one.seconds, one.seconds.unscored, language),
                str(one.seconds.sites),
                lacking(one.seconds, language),
            )
            for one in lines
        )
        caption = say(language, f"{pick(language, task.title)}, per svar", f"{pick(language, task.title)}, an answer")
        yield without_empty(Table(caption, tuple(header.split("|")), rows, "lrrrrrlrrl"))


def answering_text(report: Report, language: Language) -> str:
    """What an answer's cost is, and what is not in it."""
    known = any(row.value is not None for row in report.rows if row.metric == "cost_joules")
    text = say(
        language,
        "Vad ett svar i medeltal tog på organisationernas egna datorer: att läsa frågan och skriva svaret, inte att "
        "bedöma det. Tiden beror på datorn, på hur många frågor som ställs åt gången och på vad den gör för övrigt: "
        "jämför inom en körning. Ett system utan modell läser inga token. På fronten ligger ett system när inget annat "
        "är lika bra på lika kort tid.",
        "What a mean answer took on the sites' own machines: to read the question and write the answer, not to score "
        "it. Time depends on the machine, on how many questions are asked at once and on what else it does: compare "
        "within a run. A system without a model reads no tokens. A system is on the front where no other is as good in "
        "as little time.",
    )
    if known:
        return text + say(
            language,
            " Joule är hela datorns, där den uppger dem.",
            " Joules are the whole machine's, where it tells them.",
        )
    return text + say(language, " Ingen dator uppgav sin energi.", " No machine told its energy.")


def _milliseconds(seconds: float) -> int:
    """As the table shows it: what differs by less is as quick."""
    return round(seconds * 1000)


def _front(front: bool | None, language: Language) -> str:
    if front is None:
        return NOTHING
    return say(language, "ja", "yes") if front else say(language, "nej", "no")


def _number(row: Row | None, language: Language) -> str:
    """Milliseconds where there are seconds, one decimal of a token, and what is less than is shown said to be so."""
    if row is None or row.value is None:
        return NOTHING
    if row.unit == "seconds":
        least = number(0.001, "share", language)
        return f"< {least}" if _milliseconds(row.value) == 0 else number(row.value, "share", language)
    return number(row.value, row.unit, language) if row.value else "0"


def cost_text(language: Language) -> str:
    """Whose account it is, and what is not in it."""
    return say(
        language,
        "Så som organisationerna själva uppger det, avrundat. Den som har hållit inne något, eller lägger brus på det "
        "som lämnas, uppger inte hur många svar eller token det gällde, så dess svar och token är inte med. Lästa "
        "token uppges inte heller där exempel visas i frågan.",
        "As the sites state it, rounded. A site that held something back, or adds noise to what leaves, does not tell "
        "how many answers or tokens it was about: its answers and tokens are not in here. Nor are tokens read told "
        "where worked examples stand in the question.",
    )


def cost_table(report: Report, language: Language) -> Table:
    """What the run took."""
    cost = report.cost
    training = max((site.seconds for site in report.roster), default=0.0)
    untold, answered = say(language, "uppges inte", "not told"), cost.examples or not cost.evaluate_seconds
    read = answered and (cost.prompt_tokens or not cost.new_tokens)  # who has written has read
    lines = [
        (say(language, "Svar från organisationer", "Replies from sites"), count(cost.replies, language)),
        (
            say(language, "Bedömda svar från modeller", "Model answers scored"),
            count(cost.examples, language) if answered else untold,
        ),
        (
            say(language, "Övertagna från förr, räknas inte nedan", "Taken over from before, in no figure below"),
            count(cost.reused, language),
        ),
        (
            say(language, "Lästa token (delar av ord)", "Tokens (parts of words) read"),
            _rounded(cost.prompt_tokens, language) if read else untold,
        ),
        (
            say(language, "Skrivna token", "Tokens written"),
            _rounded(cost.new_tokens, language) if answered else untold,
        ),
        (
            say(language, "Energi, kJ (hela datorernas)", "Energy, kJ (of the whole machines)"),
            say(language, "ingen dator uppger den", "no machine tells")
            if cost.energy_j is None
            else number(cost.energy_j / 1000, "kJ", language),
        ),
        (say(language, "Träningssteg", "Training steps"), _steps(cost, language)),
        (say(language, "Sekunder mätning", "Seconds evaluating"), count(round(cost.evaluate_seconds), language)),
        (say(language, "Sekunder träning", "Seconds training"), count(round(cost.train_seconds), language)),
        (
            say(language, "Sekunder hos den långsammaste", "Seconds at the slowest site"),
            count(round(training), language),
        ),
        (say(language, "Skickat till organisationer, kB", "Sent to sites, kB"), count(cost.bytes_in // 1000, language)),
        (
            say(language, "Skickat från organisationer, kB", "Sent from sites, kB"),
            count(cost.bytes_out // 1000, language),
        ),
    ]
    header = (say(language, "Vad", "What"), say(language, "Hur mycket", "How much"))
    return Table(say(language, "Vad körningen kostade", "What the run took"), header, tuple(lines), "lr")


def _steps(cost: CostRow, language: Language) -> str:
    return _rounded(cost.train_steps, language) if cost.train_seconds else count(cost.train_steps, language)


def _rounded(tokens: int, language: Language) -> str:
    """Each reply's are rounded, so that 0 may be a few hundred in each."""
    return count(tokens, language) if tokens else say(language, "0, avrundat", "0, rounded")
