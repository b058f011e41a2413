"""Quality against what it cost to get there: the trained model after every round, and what needs no training.

A system is on the front where nothing that costs as little is as good. Energy is that of sites' whole machines in the
rounds with training, where every machine tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kommunbench.report.record import Received
from kommunbench.report.rows import Leaderboard, MomentRow, Report, Row, TaskRow
from kommunbench.report.tables import Table, primary_label
from kommunbench.report.wording import Language, count, number, pick, say, stage

PARETO = "pareto.svg"


@dataclass(frozen=True, slots=True)
class Point:
    """A system with its quality and what training it took, all sites together."""

    row: Row
    seconds: float
    megabytes: float
    kilojoules: float | None
    front: bool


def moment_rows(received: Sequence[Received]) -> tuple[MomentRow, ...]:
    """What every moment of the run took, in the order of its messages."""
    found: dict[str, list[Received]] = {}
    for reply in received:
        found.setdefault(reply.moment, []).append(reply)
    return tuple(
        MomentRow(
            moment=moment,
            replies=len(replies),
            evaluate_seconds=sum(reply.cost.evaluate_ms for reply in replies) / 1000,
            train_seconds=sum(reply.cost.train_ms for reply in replies) / 1000,
            examples=sum(reply.cost.examples for reply in replies),
            bytes_in=sum(reply.bytes_in for reply in replies),
            bytes_out=sum(reply.bytes_out for reply in replies),
            energy_j=_energy(replies),
        )
        for moment, replies in sorted(found.items(), key=lambda item: (item[0].endswith("close"), item[0]))
    )


def _energy(replies: Sequence[Received]) -> int | None:
    """Joules of all replies that did some work; None where one of them has none to tell."""
    worked = [reply.cost for reply in replies if reply.cost.evaluate_ms or reply.cost.train_ms]
    return sum(cost.energy_j for cost in worked) if all(cost.energy_j for cost in worked) else None


def pareto_text(report: Report, language: Language) -> str:
    """How to read figure and tables."""
    front = say(
        language,
        "På fronten ligger ett system när inget annat är lika bra till samma eller lägre träningskostnad.",
        "A system is on the front where no other is as good at the same or a lower cost of training.",
    )
    if all(point.kilojoules is not None for _, board in boards(report) for point in points(report, board)):
        return front
    return f"{front} " + say(
        language,
        "Alla datorer uppger inte sin energi; sekunder av träning är det närmaste.",
        "Not every machine tells its energy; seconds of training are the nearest to it.",
    )


def points(report: Report, board: Leaderboard) -> list[Point]:
    """Every system of a task that has a value, cheapest first; of local and central training the cost is not known."""
    rows = [
        row
        for row in report.rows
        if row.task == board.task and row.primary and row.site_group == "all" and row.value is not None
        and (row.stage == "base" or (row.stage == "federated" and row.seed == board.seed))
    ]  # fmt: skip
    priced = sorted(((row, *_price(report, row)) for row in rows), key=lambda one: (one[1], one[0].model, one[0].round))
    return [
        Point(
            row,
            seconds,
            megabytes,
            kilojoules,
            not any(beats(other, cost, row, seconds) for other, cost, *_ in priced),
        )
        for row, seconds, megabytes, kilojoules in priced
    ]


def pareto_tables(report: Report, language: Language) -> Iterator[Table]:
    """The figure's numbers, a table a task."""
    for task, board in boards(report):
        header = say(
            language,
            "System|Träning, sekunder hos alla|Skickat, MB|Energi, kJ|{}|På fronten",
            "System|Training, seconds at all sites|Sent, MB|Energy, kJ|{}|On the front",
        ).format(primary_label(task))
        lines = tuple(
            (
                f"{point.row.model}, {stage(point.row, language)}"
                if point.row.model in report.trained
                else point.row.model,
                count(round(point.seconds), language),
                number(point.megabytes, "MB", language),
                number(point.kilojoules, "kJ", language),
                number(point.row.value, point.row.unit, language),
                say(language, "ja", "yes") if point.front else say(language, "nej", "no"),
            )
            for point in points(report, board)
        )
        yield Table(pick(language, task.title), tuple(header.split("|")), lines, "lrrrrl")


def boards(report: Report) -> list[tuple[TaskRow, Leaderboard]]:
    """Each task with its leaderboard of the first seed, where training cost something."""
    first = {board.task: board for board in reversed(report.leaderboards)}
    found = [(task, first[task.name]) for task in report.tasks if task.name in first]
    return [(task, board) for task, board in found if any(point.seconds for point in points(report, board))]


def _price(report: Report, row: Row) -> tuple[float, float, float | None]:
    """Seconds of training, megabytes both ways and kilojoules in all rounds before the row's; 0 if untrained."""
    if row.stage == "base":
        return 0.0, 0.0, 0.0
    seeds = f"seed-{row.seed}-" if any(moment.moment.startswith("seed-") for moment in report.spent) else ""
    before = {f"{seeds}round-{at:03}" for at in range(row.round)}
    mine = [moment for moment in report.spent if moment.moment in before]
    traffic = sum(moment.bytes_in + moment.bytes_out for moment in mine)
    energies = [moment.energy_j for moment in mine]
    known = [energy for energy in energies if energy is not None]
    kilojoules = sum(known) / 1e3 if len(known) == len(energies) else None
    return sum(moment.train_seconds for moment in mine), traffic / 1e6, kilojoules


def beats(other: Row, other_cost: float, row: Row, cost: float) -> bool:
    """As cheap and as good, and better in one of the two."""
    sign = -1 if row.direction == "lower" else 1
    gain = sign * ((other.value or 0.0) - (row.value or 0.0))
    return gain >= 0 and other_cost <= cost and (gain > 0 or other_cost < cost)
