"""What a run will do, moment by moment, before the first message is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.errors import ConfigError, Fault
from kommunbench.core.model import ModelCard, StrategySettings, UpdateBounds
from kommunbench.core.registry import find
from kommunbench.core.spec import CENTRAL, Cell, JudgeRef, Pair, RunSpec, Stage
from kommunbench.core.task import Task
from kommunbench.report.record import ALONE, RunInfo


class Plan(BaseModel):
    """A run as the ServerApp gets it: one JSON string under the key `plan` of Flower's run config.

    Args:
        info: what the run's folder says of it.
        folder: the run's folder on the coordinator's machine; sites never see it.
        coordinator: the folder of `kommunbench coordinator init`, where real sites take part.
        card: the trained model's card on the coordinator's machine, which makes the first adapter.
        quorum: a round closes with at least so many sites, or the run stops and can be resumed.
        join_s: how long to wait for the roster to be online.
        deadline_s: how long a site may take to answer one message.
        grace_s: how long a site may be offline within that time before the others go on without it.
        ask: the run itself, only what sites' staff said of its answers by now, or only what sites hold for it.
        judge: with ratings, whose numbers are asked for beside staff's.
        threshold: with secagg: so many sites take masks off a sum; 0: two thirds of those in it, and one.
        step_s: with secagg: how long a site may take to answer a step after its work is done.
        evaluate_every: evaluate the federated model on the test split every so many rounds; the last one always.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    info: RunInfo
    folder: str
    coordinator: str = ""
    strategy: StrategySettings
    updates: UpdateBounds = UpdateBounds()
    card: ModelCard | None = None
    quorum: int = Field(1, ge=1)
    join_s: float = Field(60, ge=0)
    deadline_s: float = Field(3600, gt=0)
    grace_s: float = Field(600, ge=0)
    threshold: int = Field(0, ge=0)
    step_s: float = Field(120, gt=0)
    evaluate_every: int = Field(1, ge=1)
    ask: Literal["run", "ratings", "holdings"] = "run"
    judge: JudgeRef | None = None


class Moment(NamedTuple):
    """One message to every site: what to evaluate, and whether to train on."""

    name: str
    seed: int
    round: int
    cells: tuple[Cell, ...]
    following: str = ""
    """The moment that starts from what is trained together now; empty where nothing is."""
    alone: tuple[Stage, ...] = ()
    """Stages whose sites train from the first adapter on their own, as long as the federation did in all its rounds."""
    tests: str = ""
    """The moment whose adapters, each trained alone, are evaluated now."""


def schedule(spec: RunSpec, evaluate_every: int = 1) -> Iterator[Moment]:
    """Every moment of a run in order; round 0 is the base models and every baseline."""
    rounds = spec.rounds if spec.train else 0
    for replicate in range(spec.replicates if spec.train else 1):
        seed = spec.seed + replicate
        prefix = f"seed-{seed}-" if spec.replicates > 1 else ""
        for number in range(rounds + 1):
            if number == 0:
                cells = base_cells(spec) if replicate == 0 else ()
            elif number % evaluate_every == 0 or number == rounds:
                cells = federated_cells(spec, number, seed)
            else:
                cells = ()
            following = f"{prefix}round-{number + 1:03}" if number < rounds else ""
            yield Moment(f"{prefix}round-{number:03}", seed, number, cells, following)
        if alone := tuple(stage for stage in spec.stages if stage in ("local", "central") and spec.train):
            yield Moment(f"{prefix}{ALONE}", seed, 0, (), alone=alone)
            yield Moment(f"{prefix}{ALONE}-tested", seed, rounds, (), tests=f"{prefix}{ALONE}")


def base_cells(spec: RunSpec) -> tuple[Cell, ...]:
    """Every model as it is, on every task that it can do, asked in every way."""
    return tuple(
        Cell(task.name, model.name, prompt.name, "base", 0, "test", spec.seed)
        for task in spec.tasks
        for model in spec.models
        if not model.tasks or task.name in model.tasks
        for prompt in (spec.prompts if model.prompted else spec.prompts[:1])
    )


def federated_cells(spec: RunSpec, number: int, seed: int) -> tuple[Cell, ...]:
    """The trained model with the adapter of round `number`."""
    return tuple(
        Cell(task.name, spec.trained_model, prompt.name, "federated", number, "test", seed)
        for task in spec.tasks
        for prompt in spec.prompts
    )


def alone_cells(spec: RunSpec, seed: int, origins: Iterable[str]) -> tuple[Cell, ...]:
    """The trained model with each adapter that was trained in one place."""
    return tuple(
        cell._replace(stage="central" if origin == CENTRAL else "local", origin=origin)
        for origin in origins
        for cell in federated_cells(spec, spec.rounds, seed)
    )


def ends(spec: RunSpec) -> tuple[Cell, ...]:
    """What a run ends with: the model that it trained, or else its models as they are."""
    return federated_cells(spec, spec.rounds, spec.seed) if spec.train else base_cells(spec)


def pairs_with_earlier(spec: RunSpec, tasks: dict[str, Task], earlier: Iterable[RunSpec]) -> tuple[Pair, ...]:
    """What this run ends with against what each earlier run ended with, on each task's primary measure.

    Only tasks that are the same to the digest, and models that this run has too: a site's policy is asked about both.

    Raises:
        ConfigError: nothing of an earlier run can be compared with.
    """
    digests = {task.name: task.digest for task in spec.tasks}
    models = {model.name for model in spec.models}
    found, faults = [], []
    for before in earlier:
        same = {task.name for task in before.tasks if digests.get(task.name) == task.digest}
        then = [cell._replace(run=before.digest) for cell in ends(before) if cell.task in same and cell.model in models]
        exact = {before.privacy, spec.privacy} == {"plain"} and not (before.dp.noisy or spec.dp.noisy)
        if not then or not exact:
            do = "choose a run with a task in this version and a model of this run, exact and privacy=plain both"
            faults.append(Fault(f"{before.run} has nothing to compare with", "earlier", do))
        for old in then:
            metric, measure = tasks[old.task].primary_measure()
            found += [Pair(new, old, metric.name, measure.name) for new in ends(spec) if new.task == old.task]
    ConfigError.raise_if(faults)
    return tuple(found)


def pairs_to_compare(spec: RunSpec, tasks: dict[str, Task], trains: Sequence[str] = ()) -> tuple[Pair, ...]:
    """Declared before anything is measured: base against federated on every measure, all systems on the primary one.

    Args:
        trains: names of the sites that train; each one's own adapter is compared with the one of all.
    """
    pairs: dict[Pair, None] = {}
    seeds = [spec.seed + replicate for replicate in range(spec.replicates)] if spec.train else []
    base = base_cells(spec)
    for name, task in tasks.items():
        final = [cell for seed in seeds for cell in federated_cells(spec, spec.rounds, seed) if cell.task == name]
        before = [cell for cell in base if cell.task == name]
        for cell in final:
            for old in (old for old in before if (old.model, old.prompt) == (cell.model, cell.prompt)):
                for metric in task.metrics:
                    for measure in find("metrics", metric).measures:
                        pairs[Pair(cell, old, metric, measure.name)] = None
        metric_of_primary, primary = task.primary_measure()
        for cell in final:
            for own in alone_cells(spec, cell.seed, _origins(spec, trains)):
                if (own.task, own.prompt) == (name, cell.prompt):
                    pairs[Pair(cell, own, metric_of_primary.name, primary.name)] = None
        for left, right in combinations([*[cell for cell in final if cell.seed == spec.seed], *before], 2):
            pairs[Pair(left, right, metric_of_primary.name, primary.name)] = None
    return tuple(pairs)


def _origins(spec: RunSpec, trains: Sequence[str]) -> list[str]:
    """Where adapters are trained alone."""
    return [*(trains if "local" in spec.stages else ()), *([CENTRAL] if "central" in spec.stages else ())]


def tally_shares(spec: RunSpec, evaluate_every: int, origins: int) -> int:
    """The most tallies that a site is asked for on one task in the whole run; `origins` adapters are trained alone."""
    counts = {task.name: 0 for task in spec.tasks}
    for moment in schedule(spec, evaluate_every):
        for cell in moment.cells:
            counts[cell.task] += len(spec.task(cell.task).metrics)
        for cell in federated_cells(spec, moment.round, moment.seed) if moment.tests else ():
            counts[cell.task] += origins * len(spec.task(cell.task).metrics)
    return max(1, *counts.values())
