"""What is counted of examples, real or made: lengths, style and kinds. Integers, by the metrics that a run uses too."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence

from kommunbench.core import swedish
from kommunbench.core.example import SPLITS, Example
from kommunbench.core.metric import add
from kommunbench.core.registry import find
from kommunbench.core.task import Task
from kommunbench.release.statistics import EDGES, METRICS, Counted, CountedTexts
from kommunbench.synthetic.translation import DIRECTIONS, LANGUAGES

REFERENCE = "reference"
SILENT, ANSWERED = "silent", "answered"
_WRITTEN = {f"{LANGUAGES[one]} - {LANGUAGES[other]}": (one, other) for one, other in DIRECTIONS}


def kinds_of(task: Task) -> tuple[str, ...]:
    """The kinds of example that the task itself tells apart: its labels, directions of translation, answerable or not.

    Empty where it tells none apart.
    """
    if task.labels:
        return task.labels
    if {"source", "target"} <= set(task.inputs):
        return tuple(_WRITTEN)
    return (ANSWERED, SILENT) if "abstention" in task.metrics else ()


def kind_of(task: Task, example: Example) -> int:
    """The example's place in `kinds_of`; their number where it is of none of them."""
    kinds = [swedish.normalise(kind) for kind in kinds_of(task)]
    if task.labels:
        kind = str(example.facts.get("label", ""))
    elif "abstention" in task.metrics:
        silent = bool(example.references) and swedish.is_abstention(example.references[0])
        kind = "" if not example.references else SILENT if silent else ANSWERED
    else:
        kind = " - ".join(example.inputs.get(name, "") for name in ("source", "target"))
    kind = swedish.normalise(kind)
    return kinds.index(kind) if kind in kinds else len(kinds)


def texts_of(task: Task, example: Example) -> dict[str, str | None]:
    """The example's texts by field; the first reference is None where there is none."""
    inputs: dict[str, str | None] = {name: example.inputs[name] for name in task.inputs}
    return inputs | {REFERENCE: example.references[0] if example.references else None}


def tally_of(text: str, metrics: Sequence[str] = METRICS) -> dict[str, tuple[int, ...]]:
    """One text's tallies by metric, as they are made of an answer."""
    nothing = Example("", {})
    return {name: tuple(find("metrics", name).score(text, nothing)) for name in metrics}


def count(task: Task, examples: Sequence[Example]) -> Counted:
    """Everything that is counted of a task's examples."""
    splits = Counter(example.split for example in examples)
    train, validation, test = (splits[split] for split in SPLITS)
    kinds = Counter(kind_of(task, example) for example in examples) if kinds_of(task) else Counter()
    texts = [texts_of(task, example) for example in examples]
    return Counted(
        task=task,
        rows=len(examples),
        splits=(train, validation, test),
        kinds=tuple(kinds[place] for place in range(len(kinds_of(task)) + 1)) if kinds_of(task) else (),
        fields={name: _counted([each[name] for each in texts]) for name in (*task.inputs, REFERENCE)},
    )


def _counted(texts: Sequence[str | None]) -> CountedTexts:
    tallies: dict[str, tuple[int, ...]] = {name: find("metrics", name).zero for name in METRICS}
    lengths = [0] * len(EDGES)
    for text in texts:
        own: Mapping[str, tuple[int, ...]]
        own = {name: find("metrics", name).unscored for name in METRICS} if text is None else tally_of(text)
        tallies = {name: add(tallies[name], own[name]) for name in METRICS}
        if text is not None:
            lengths[bisect_right(EDGES, own[METRICS[0]][2]) - 1] += 1
    return CountedTexts(tallies, lengths)
