"""What went wrong, for the site's own eyes: the worst answers, those without a score, those that systems disagree on.

The page quotes the site's text, so it lies in the site's own folder, mode 0600, and there is no way out for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.spec import Cell
from kommunbench.core.task import Task
from kommunbench.site.answers import KeptAnswer, KeptAnswers, write_private
from kommunbench.site.keep import KeptTallies
from kommunbench.site.review import identity_of

FOLDER = "errors"
SWEDISH = {
    "federated": "tränad gemensamt",
    "local": "tränad ensam",
    "central": "tränad på all text på ett ställe",
    "round": "omgång",
}


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


def _in_swedish(system: str) -> str:
    """The same name on the page that staff read."""
    for english, swedish in SWEDISH.items():
        system = system.replace(f", {english}", f", {swedish}")
    return system


def write_errors(home: Path, findings: Findings) -> Path:
    """Write the page, in Swedish, to `<home>/errors/<run>-<task>.md`, and give its path."""
    path = home / FOLDER / f"{findings.run}-{findings.task.name}.md"
    write_private(path, "\n\n".join(_page(findings)) + "\n")
    return path


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


def _page(findings: Findings) -> Iterator[str]:
    task = findings.task
    yield f"# Felanalys: {task.title.sv}, {findings.run}"
    yield (
        "> **Bara för er.** Sidan citerar er egen text. Den ligger i organisationens egen mapp, kan bara läsas av den "
        "som äger filen och skickas aldrig någonstans. Radera den när ni är klara."
    )
    lines = ["| System | Svar | Utan poäng |", "|---|---:|---:|"]
    lines += [f"| {_in_swedish(system)} | {count} | {none} |" for system, (count, none) in findings.counts.items()]
    yield "\n".join(lines)
    better = {"lower": "lägre är bättre", "higher": "högre är bättre"}.get(task.primary_measure()[1].direction, "")
    yield f"Poängen är {task.primary} ({better}). Vad måttet säger står i rapporten, under Ord i rapporten."
    for system, rows in findings.worst.items():
        yield f"## Sämst: {_in_swedish(system)}"
        for one in rows:
            yield from _one(one)
    yield "## Utan poäng"
    if not findings.unscored:
        yield "Alla svar fick poäng."
    for one in findings.unscored:
        yield from _one(one)
    yield "## Här skiljer sig systemen mest"
    if not findings.split:
        yield "Inget exempel skiljer dem åt."
    for several in findings.split:
        yield from _question(several[0].answer)
        for one in several:
            yield _answer(one)


def _one(one: Judged) -> Iterator[str]:
    yield from _question(one.answer)
    yield _answer(one)


def _question(answer: KeptAnswer) -> Iterator[str]:
    yield f"### Exempel {answer.example}"
    for name, text in answer.inputs.items():
        yield f"**{name}**\n\n{_quoted(text)}"
    for text in answer.references[:1]:
        yield f"**Ett gott svar, som exempel**\n\n{_quoted(text)}"


def _answer(one: Judged) -> str:
    score = "utan poäng" if one.score is None else f"{one.score:.3f}".replace(".", ",")
    return f"**{_in_swedish(one.system)}** ({score})\n\n{_quoted(one.answer.answer or '(tomt svar)')}"


def _quoted(text: str) -> str:
    """As a quotation, so that nothing in the text becomes a heading of the page."""
    return "\n".join(f"> {line}" for line in text.splitlines() or [""])
