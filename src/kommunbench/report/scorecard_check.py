"""Whether scorecards fit the tasks of a run, told before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kommunbench.core.errors import Fault
from kommunbench.core.metric import Measure
from kommunbench.core.registry import did_you_mean
from kommunbench.core.task import Task, load_task, task_names
from kommunbench.core.weights import EVERY_TASK, PRIMARY
from kommunbench.report.scorecard import Scorecard


def check_scorecards(cards: Iterable[Scorecard], tasks: Mapping[str, Task]) -> Iterator[Fault]:
    """A task that is nowhere, a measure that its task lacks, or one that cannot be put between worst and best.

    A run that leaves out some metrics of a task need not choose other scorecards: the installed task's count as known.

    Raises:
        ConfigError: a task names a metric that is not registered.
    """
    known = tuple(dict.fromkeys((*tasks, *task_names(), EVERY_TASK)))
    for card in cards:
        where = f"scorecard.{card.name}.weights"
        unknown = [name for name in card.weights if name not in known]
        yield from (Fault(f"no task {name!r}", where, did_you_mean(name, known)) for name in unknown)
        for task in tasks.values():
            measures = _measures(task)
            installed = _measures(load_task(task.name)) if task.name in task_names() else {}
            for name, weight in card.of(task.name, task.primary):
                if name not in measures and name not in installed:
                    do = did_you_mean(name, (*measures, PRIMARY))
                    yield Fault(f"task {task.name} has no measure {name!r}", where, do)
                elif name in measures and weight.scale(measures[name].unit, measures[name].direction) is None:
                    do = f"write {name}: {{weight: {weight.weight:g}, worst: ..., best: ...}}"
                    yield Fault(f"{name} on {task.name} is no share with a direction", where, do)


def _measures(task: Task) -> dict[str, Measure]:
    return {measure.name: measure for metric in task.find_metrics() for measure in metric.measures}
