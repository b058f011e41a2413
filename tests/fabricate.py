"""A run's folder made by hand, for tests of whatever reads one: report, tracking, command line.

    folder = fabricate(tmp_path / "pilot")
    report = build_report(folder)

Six sites, three tasks, a model before and after three rounds of training, and two baselines. Answers are the tasks' own
example references, spoilt more or less; tallies are the real metrics'. With `trouble`, one site is too small to release
anything, one refuses a task, one is missing in a round, one fails in another.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kommunbench.core.answer import Code, Cost
from kommunbench.core.example import Example
from kommunbench.core.metric import Measure, Metric, Tally, add
from kommunbench.core.model import TrainSettings
from kommunbench.core.registry import find
from kommunbench.core.spec import COST, Cell, ModelRef, Pair, PromptRef, Request, RunSpec, TaskRef, Total
from kommunbench.core.task import load_task
from kommunbench.report.record import Received, RosterSite, RunFolder, RunInfo

TASKS = ("summarization", "guideline_qa", "lattlast")
ROUNDS = 3

ROSTER = (
    RosterSite(name="lovvik", title="Lövviks kommun", kind="municipality"),
    RosterSite(name="norrhult", title="Norrhults kommun", kind="municipality"),
    RosterSite(name="stenviken", title="Stenvikens kommun", kind="municipality"),
    RosterSite(name="region-algmark", title="Region Älgmark", kind="region"),
    RosterSite(name="region-ostersken", title="Region Östersken", kind="region"),
    RosterSite(name="region-sotra", title="Region Sötra", kind="region", trains=False),
)
SIZES = {
    "lovvik": 74,
    "norrhult": 46,
    "stenviken": 6,
    "region-algmark": 120,
    "region-ostersken": 60,
    "region-sotra": 52,
}
TASTE = {
    "lovvik": 0.05,
    "norrhult": -0.08,
    "stenviken": 0.0,
    "region-algmark": 0.02,
    "region-ostersken": -0.03,
    "region-sotra": -0.12,
}
QUALITY = {"base": 0.05, "lead": 0.6, "copy": 0.3, "retrieval": 0.74}
LEARNED = (0.05, 0.4, 0.62, 0.74)
"""How much of a reference the trained model keeps after each round."""

Tallies = Mapping[tuple[str, Cell, str], Sequence[Tally]]
"""Per-example tallies by (site, cell, metric): what a real site keeps to itself."""


@dataclass(frozen=True, slots=True)
class Fabricated:
    """A fabricated run: its folder, and the per-example tallies that no real coordinator has."""

    folder: RunFolder
    tallies: Tallies


def fabricate(path: Path, trouble: bool = True, close: bool = True, seed: int = 0) -> RunFolder:
    """Write a run's folder at `path`, as a finished run (or one stopped before `close`) leaves it."""
    return fabricate_with_tallies(path, trouble, close, seed).folder


def fabricate_with_tallies(path: Path, trouble: bool = True, close: bool = True, seed: int = 0) -> Fabricated:
    """The same, with what the sites know."""
    folder, spec = RunFolder(path), make_spec(path.name, seed)
    cells = [cell for number in range(ROUNDS + 1) for cell in cells_of(spec, number)]
    tallies = {
        (site.name, cell, name): drawn
        for site in ROSTER
        for cell in cells
        for name, drawn in draw(site.name, cell, spec.task(cell.task).metrics, seed).items()
    }
    info = make_info(spec)
    folder.write_info(info)
    pooled: dict[tuple[Cell, str], Tally] = {}
    for number in range(ROUNDS + 1):
        request = Request(spec=spec, round=number, cells=cells_of(spec, number), train=number < ROUNDS)
        for site in ROSTER:
            received = answer(request, site, tallies, trouble)
            folder.keep(received)
            for key, code, values in received.slots:
                if code is Code.OK:
                    place = (Cell(*key[0]), str(key[1]))
                    pooled[place] = add(pooled.get(place, (0,) * len(values)), values)
    if close:
        totals = tuple(
            Total(cell=cell, metric=metric, total=total) for (cell, metric), total in pooled.items() if metric != COST
        )
        request = Request(spec=spec, action="close", round=ROUNDS, totals=totals, pairs=info.pairs)
        for site in ROSTER:
            folder.keep(answer_close(request, site, tallies, trouble))
    return Fabricated(folder, tallies)


def make_spec(run: str, seed: int = 0) -> RunSpec:
    """Three tasks, a trainable model and a baseline or two a task."""
    tasks = [load_task(name) for name in TASKS]
    return RunSpec(
        run=run,
        kommunbench="0.1.0",
        seed=seed,
        tasks=tuple(
            TaskRef(
                name=task.name,
                digest=task.digest,
                metrics=(*task.metrics, COST),
                max_new_tokens=task.max_new_tokens,
            )
            for task in tasks
        ),
        models=(
            ModelRef(name="nano", digest="a" * 64, trainable=True),
            ModelRef(name="lead", digest="b" * 64, tasks=("summarization", "lattlast")),
            ModelRef(name="copy", digest="c" * 64, tasks=("summarization", "lattlast")),
            ModelRef(name="retrieval", digest="d" * 64, tasks=("guideline_qa",)),
        ),
        prompts=(PromptRef(name="plain", variant="plain"),),
        train=TrainSettings(),
        trained_model="nano",
        rounds=ROUNDS,
    )


def make_info(spec: RunSpec) -> RunInfo:
    """The run's declared pairs: the trained model against every other system, on the primary measure."""
    pairs = []
    for ref in spec.tasks:
        metric, measure = load_task(ref.name).primary_measure()
        after = Cell(ref.name, "nano", "plain", "federated", ROUNDS, "test", spec.seed)
        pairs += [Pair(after, cell, metric.name, measure.name) for cell in cells_of(spec, 0) if cell.task == ref.name]
    return RunInfo(
        spec=spec,
        federation="pilot",
        synthetic=True,
        roster=ROSTER,
        engine="local",
        strategy="fedavg",
        pairs=tuple(pairs),
        started_at="2026-03-02T09:30:00+01:00",
        command="kommunbench run",
        git="0123abc",
    )


def cells_of(spec: RunSpec, number: int) -> tuple[Cell, ...]:
    """What is evaluated in a round: every model before training, then the trained one."""
    if number:
        return tuple(Cell(task.name, "nano", "plain", "federated", number, "test", spec.seed) for task in spec.tasks)
    return tuple(
        Cell(task.name, model.name, "plain", "base", 0, "test", spec.seed)
        for task in spec.tasks
        for model in spec.models
        if not model.tasks or task.name in model.tasks
    )


def draw(site: str, cell: Cell, metrics: Sequence[str], seed: int) -> dict[str, list[Tally]]:
    """One tally a metric and example. Systems meet the same examples; each does better or worse by its quality."""
    quality = LEARNED[cell.round] if cell.stage == "federated" else QUALITY.get(cell.model, QUALITY["base"])
    world = random.Random(f"{seed}:{site}:{cell.task}")
    own, clock = (random.Random(f"{seed}:{site}:{cell}{what}") for what in ("", ":clock"))
    drawn: dict[str, list[Tally]] = {name: [] for name in metrics}
    for _ in range(SIZES[site]):
        example, ease = world.randrange(3), world.gauss(TASTE[site], 0.15)
        level = min(max(round((quality + ease + own.gauss(0, 0.08)) * 10), 0), 10)
        for name in (name for name in metrics if find("metrics", name).needs and name != COST):
            drawn[name].append(find("metrics", name).unscored)
        if cell.model == "nano":
            drawn[COST].append((1, 0, 90 + clock.randrange(20), 25, 18_000 + clock.randrange(900), 0, 0))
        else:
            drawn[COST].append((1, 0, 0, 0, 150 + clock.randrange(9), 0, 0))
        for name in (name for name in metrics if not find("metrics", name).needs):
            drawn[name].append(scored(cell.task, name, example, level, own.randrange(3)))
    return drawn


@cache
def scored(task: str, metric: str, example: int, level: int, draft: int) -> Tally:
    """The tally of the task's example, answered by its reference with `level` tenths of the words kept."""
    row, inputs = row_of(task, example)
    whole = Example(id=row["id"], inputs=inputs, references=tuple(row["references"]))
    fate = random.Random(f"{task}:{example}:{level}:{draft}")
    words = [word for word in row["references"][0].split() if fate.random() < level / 10]
    return find("metrics", metric).score(" ".join(words), whole)


@cache
def row_of(task: str, example: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The task's example as its file has it, and its inputs alone."""
    found = load_task(task)
    row = found.examples[example]
    return row, {name: row[name] for name in found.inputs}


def answer(request: Request, site: RosterSite, tallies: Tallies, trouble: bool) -> Received:
    """What a site's door lets out of a round."""
    moment = f"round-{request.round:03d}"
    if trouble and (gone := trouble_with_reply(site.name, moment)):
        return Received(site=site.name, moment=moment, status=gone[0], code=gone[1], bytes_in=9_000, seconds=4.0)
    slots = []
    for slot in request.slots():
        cell, metric = Cell(*slot.key[0]), str(slot.key[1])
        code = trouble_with_task(site.name, cell.task) if trouble else Code.OK
        if code is Code.OK and find("metrics", metric).needs and metric != COST:
            code = Code.NO_READING  # no fabricated model says how sure it is, and no site has a tagger
        total = find("metrics", metric).zero
        for tally in tallies[site.name, cell, metric] if code is Code.OK else ():
            total = add(total, tally)
        slots.append((slot.key, code, total))
    examples = SIZES[site.name] * len(request.cells)
    cost = Cost(
        evaluate_ms=40 * examples,
        train_ms=30 * examples if request.train and site.trains else 0,
        examples=examples,
        prompt_tokens=90 * examples,
        new_tokens=25 * examples,
    )
    return Received(
        site=site.name,
        moment=moment,
        status="ok",
        slots=tuple(slots),
        cost=cost,
        bytes_in=91_000,
        bytes_out=88_000,
        seconds=0.05 * examples,
    )


def answer_close(request: Request, site: RosterSite, tallies: Tallies, trouble: bool) -> Received:
    """What a site's door lets out of the closing message."""
    totals = {(total.cell, total.metric): total.total for total in request.totals}
    slots = []
    for slot in request.slots():
        sides = [Cell(*part) for part in slot.key if isinstance(part, tuple)]
        metric, measure = (str(part) for part in slot.key if isinstance(part, str))
        code = trouble_with_task(site.name, sides[0].task) if trouble else Code.OK
        found = find("metrics", metric)
        scores = [
            linearised(found, totals[cell, metric], found.measure(measure), tallies[site.name, cell, metric])
            for cell in sides
        ]
        sums = closing_sums(list(zip(*scores, strict=True)), found.measure(measure).unit)
        slots.append((slot.key, code, sums if code is Code.OK else (0, 0, 0)))
    return Received(site=site.name, moment="close", status="ok", slots=tuple(slots), bytes_in=7_000, bytes_out=2_400)


def linearised(metric: Metric, total: Tally, measure: Measure, tallies: Sequence[Tally]) -> list[float | None]:
    """z_i = N * gradient(T) . tally_i of every example, None where it was not scored."""
    slopes = metric.gradient(total, measure)
    return [
        total[0] * sum(slope * entry for slope, entry in zip(slopes, tally, strict=True)) if tally[0] else None
        for tally in tallies
    ]


def closing_sums(scores: Sequence[tuple[float | None, ...]], unit: str = "share") -> Tally:
    """(n, sum z, sum z^2) of one system's z, or of the differences of two systems', in fixed point."""
    scale = 10**6 if unit == "share" else 10**4
    fixed = [round((z[0] - sum(z[1:])) * scale) for z in scores if None not in z]
    return len(fixed), sum(fixed), sum(entry * entry for entry in fixed)


def trouble_with_reply(site: str, moment: str) -> tuple[str, Code] | None:
    """Whole replies that did not come."""
    return {
        ("norrhult", "round-001"): ("missing", Code.OK),
        ("region-sotra", "round-002"): ("failed", Code.MODEL_FAULT),
    }.get((site, moment))


def trouble_with_task(site: str, task: str) -> Code:
    """Slots that were not released."""
    if site == "stenviken":
        return Code.TOO_FEW_EXAMPLES
    if site == "region-ostersken" and task == "guideline_qa":
        return Code.TASK_NOT_APPROVED
    return Code.OK
