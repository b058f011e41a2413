"""What went wrong, for the site's own eyes: the worst answers, those without a score, those that systems disagree on.

What is found quotes the site's text: `errors_page.py` writes it down where it stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.spec import Cell
from kommunbench.core.task import Task
from kommunbench.site.answers import KeptAnswer, KeptAnswers
from kommunbench.site.keep import KeptTallies
from kommunbench.site.review import identity_of


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer with what the primary measure gave it; None where it could not be scored. `repr` shows no text."""

    system: str
    answer: KeptAnswer = field(repr=False)
    score: float | None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a task's answers at this site show, each list cut to the length that was asked for.

    Args:
        worst: by system, the answers with the worst scores, worst first.
        unscored: answers that the primary measure could not score.
        split: examples that systems differ on most, each with every system's answer, best first.
        counts: answers and unscored answers by system, before the lists were cut.
    """

    task: Task
    run: str
    worst: Mapping[str, Sequence[Judged]]
    unscored: Sequence[Judged]
    split: Sequence[Sequence[Judged]]
    counts: Mapping[str, tuple[int, int]]


def find_errors(home: Path, run: str, task: Task, most: int = 10) -> Findings:
    """Look through the answers to a task that were kept of a run.

    Raises:
        DataError: none were kept.
    """
    kept = KeptAnswers(home)
    judged = {name_of(cell): _judge(home, kept, run, cell, task) for cell in kept.cells(run) if cell.task == task.name}
    if not judged:
        raise DataError(Fault(f"no answers to {task.name} were kept in {run}", str(home)))
    sign = -1 if task.primary_measure()[1].direction == "lower" else 1

    def goodness(one: Judged) -> float:
        return sign * (one.score or 0.0)

    scored = {system: [one for one in rows if one.score is not None] for system, rows in judged.items()}
    unscored = [one for rows in judged.values() for one in rows if one.score is None]
    by_example: dict[str, list[Judged]] = {}
    for rows in scored.values():
        for one in rows:
            by_example.setdefault(one.answer.example, []).append(one)
    split = [sorted(rows, key=goodness, reverse=True) for rows in by_example.values() if len(rows) > 1]
    split = [rows for rows in split if goodness(rows[0]) > goodness(rows[-1])]
    split.sort(key=lambda rows: goodness(rows[-1]) - goodness(rows[0]))
    return Findings(
        task=task,
        run=run,
        worst={system: sorted(rows, key=goodness)[:most] for system, rows in scored.items()},
        unscored=unscored[:most],
        split=split[:most],
        counts={system: (len(rows), len(rows) - len(scored[system])) for system, rows in judged.items()},
    )


def name_of(cell: Cell) -> str:
    """A system in words: `nano`, `nano, federated, round 3`."""
    words = [cell.model, *([cell.stage] if cell.stage != "base" else []), cell.origin]
    words += [f"round {cell.round}"] if cell.round else []
    words += [f"prompt {cell.prompt}"] if cell.prompt != "plain" else []
    return ", ".join(word for word in words if word)


def _judge(home: Path, kept: KeptAnswers, run: str, cell: Cell, task: Task) -> list[Judged]:
    metric, measure = task.primary_measure()
    tallies = KeptTallies(home / "tallies" / run).load(cell, metric)
    rows = {} if tallies is None else {str(name): row for name, row in zip(*map(_listed, tallies), strict=True)}
    found = []
    for answer in kept.load(run, cell):
        row = rows.get(identity_of(answer.example))
        score = metric.value(row, measure) if row is not None and row[0] else None
        found.append(Judged(name_of(cell), answer, score))
    return found


def _listed(array: object) -> list[object]:
    return list(array.tolist())  # type: ignore[attr-defined]
