"""What staff said of answers: one file a task at the site, and what of it is put into sums when a run asks.

`<home>/ratings/<task>.jsonl` has a line a rating: example, system (an alias, so that whoever reads it is blind too),
rater, criterion (correct, complete, plain, usable), value from 1 to 5, comment. `<home>/ratings/systems.json` says what
an alias stands for and which examples were to be rated. All are 0600 and stay here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from kommunbench.core.answer import Answer, Code
from kommunbench.core.errors import DataError, Fault
from kommunbench.core.example import Example
from kommunbench.core.metric import Tally
from kommunbench.core.registry import find
from kommunbench.core.spec import JUDGED, OPINIONS, RATED, Cell, Request
from kommunbench.core.task import Task
from kommunbench.site.evaluate import Evaluated, identity
from kommunbench.site.judge import Judgements, judged_by
from kommunbench.site.keep import KeptTallies
from kommunbench.site.private import write_private

FOLDER = "ratings"
SYSTEMS = "systems.json"
Criterion = Literal["correct", "complete", "plain", "usable"]


class Rating(BaseModel):
    """One person's number for one answer by one criterion."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    example: str
    system: str
    rater: str
    criterion: Criterion
    value: int = Field(ge=1, le=5)
    comment: str = Field("", repr=False)


class RatedSystem(BaseModel):
    """What an alias stands for, and the examples whose answers staff were given."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    run: str
    cell: Cell
    sample: tuple[str, ...]


class _Systems(RootModel[dict[str, RatedSystem]]):
    """The file's form."""


def read_ratings(home: Path, task: str) -> list[Rating]:
    """Every rating of a task at the site.

    Raises:
        DataError: lines that are no ratings, by number.
    """
    path = home / FOLDER / f"{task}.jsonl"
    if not path.is_file():
        return []
    found, faults = list[Rating](), list[Fault]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Rating.model_validate_json(line))
        except ValidationError:
            faults.append(Fault("not a rating", f"{path}:{number}", "delete the line, or collect the ratings again"))
    DataError.raise_if(faults)
    return found


def write_ratings(home: Path, task: str, ratings: Iterable[Rating]) -> None:
    """Replace the ratings of a task."""
    text = "".join(rating.model_dump_json() + "\n" for rating in ratings)
    write_private(home / FOLDER / f"{task}.jsonl", text)


def read_systems(home: Path) -> dict[str, RatedSystem]:
    """What the aliases at the site stand for. Raises DataError where the file is not readable."""
    path = home / FOLDER / SYSTEMS
    try:
        return _Systems.model_validate_json(path.read_bytes()).root if path.is_file() else {}
    except ValidationError:
        raise DataError(Fault("not a list of systems", str(path), "delete it and start the review anew")) from None


def alias_of(home: Path, run: str, cell: Cell, sample: Iterable[str]) -> str:
    """The alias of a system, a new one where it has none; its sample only grows."""
    systems = read_systems(home)
    known = next((name for name, system in systems.items() if (system.run, system.cell) == (run, cell)), "")
    alias = known or f"S{len(systems) + 1}"
    before = systems[alias].sample if known else ()
    systems[alias] = RatedSystem(run=run, cell=cell, sample=tuple(dict.fromkeys((*before, *sample))))
    text = json.dumps({name: system.model_dump(mode="json") for name, system in systems.items()}, ensure_ascii=False)
    write_private(home / FOLDER / SYSTEMS, text + "\n")
    return alias


def answer_ratings(request: Request, tasks: Mapping[str, Task], kept: KeptTallies, home: Path) -> Answer:
    """Sums of what staff said of the cells of `request`; NOT_AVAILABLE for a cell that nobody was asked about."""
    systems = read_systems(home)
    values: dict[tuple[object, ...], Tally] = {}
    codes: dict[tuple[object, ...], Code] = {}
    for cell in request.cells:
        asked = {name: one for name, one in systems.items() if (one.run, one.cell) == (request.spec.run, cell)}
        judged = judged_by(home, request.spec.run, cell, request.judge)
        known = cell.task in tasks and (asked or judged is not None)
        rated = rate(tasks[cell.task], cell, asked, kept, home, judged or {}) if known else None
        if rated is not None:
            kept.save(cell, rated, rated=True)
        for name in request.opinions:
            if rated is None or (name in JUDGED and judged is None):
                codes[cell, name] = Code.NOT_AVAILABLE
            elif not asked and name in (*RATED, "judge_agreement"):
                codes[cell, name] = Code.NOT_AVAILABLE  # nobody at the site was asked
            else:
                values[cell, name] = rated.sum(name)
    return Answer(values=values, codes=codes)


def rate(
    task: Task, cell: Cell, asked: Mapping[str, RatedSystem], kept: KeptTallies, home: Path, judged: Judgements
) -> Evaluated:
    """Tallies of the answers that staff or the judge were given; one without a number counts as unscored.

    An answer that staff were not given is nothing to their metrics, not even unscored; nor to the judge's, likewise.
    """
    given: dict[str, dict[str, list[int]]] = {name: {} for one in asked.values() for name in one.sample}
    for rating in read_ratings(home, task.name):
        if rating.system in asked and rating.example in given:
            given[rating.example].setdefault(rating.criterion, []).append(rating.value)
    automatic = automatic_scores(task, cell, kept)
    examples = [
        Example(
            name,
            {},
            facts={
                "ratings": given.get(name),
                "automatic": automatic.get(identity(Example(name, {}))),
                "judged": judged.get(name),
            },
        )
        for name in dict.fromkeys((*given, *judged))
    ]
    result = Evaluated([identity(example) for example in examples])
    for name in OPINIONS:
        metric, concerned = find("metrics", name), given if name in RATED else judged
        result.per_example[name] = [
            metric.score("", example) if example.id in concerned else metric.zero for example in examples
        ]
    return result


def automatic_scores(task: Task, cell: Cell, kept: KeptTallies) -> dict[str, float]:
    """What the task's primary measure gave each answer of a cell, by `identity`; only for measures from 0 to 1."""
    metric, measure = task.primary_measure()
    found = kept.load(cell, metric)
    if found is None or measure.unit != "share":
        return {}
    scores = {str(name): metric.value(row, measure) for name, row in zip(found[0], found[1].tolist(), strict=True)}
    return {name: float(score) for name, score in scores.items() if score is not None}
