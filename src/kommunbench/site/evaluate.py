"""Evaluation inside the site: render, generate, tally. What it returns are integers."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256

from kommunbench.core.example import Example
from kommunbench.core.metric import Metric, Tally, add
from kommunbench.core.model import Completion, Decoding, Model, Query
from kommunbench.core.spec import PromptRef
from kommunbench.core.task import Task

log = logging.getLogger("kommunbench.site")


@dataclass(slots=True)
class Evaluated:
    """Tallies of one cell: `per_example[metric][i]` belongs to the example whose identity is `ids[i]`."""

    ids: list[str]
    per_example: dict[str, list[Tally]] = field(default_factory=dict)
    milliseconds: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    answers: list[str] = field(default_factory=list, repr=False)
    """The answers themselves: they stay at the site, and are kept there only where its policy says so."""

    def sum(self, metric: str) -> Tally:
        """The cell's sum for the metric of that name."""
        return reduce(add, self.per_example[metric])


def identity(example: Example) -> str:
    """What an example is recognised by when two systems are paired: a digest of its id, never its text."""
    return sha256(example.id.encode()).hexdigest()[:32]


def render(task: Task, prompt: PromptRef, example: Example, shots: Sequence[Example]) -> str:
    """The prompt for `example`: worked examples first (prompt and best reference), then the question itself."""
    worked = [f"{task.render(prompt.variant, dict(shot.inputs))} {shot.references[0]}" for shot in shots]
    return "\n\n".join([*worked, task.render(prompt.variant, dict(example.inputs))])


def choose_shots(train: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` worked examples out of the site's train split: the same for every question, chosen by digest and seed."""
    answered = [example for example in train if example.references]
    return sorted(answered, key=lambda example: sha256(f"{seed}:{example.id}".encode()).digest())[:count]


def evaluate(
    task: Task,
    prompt: PromptRef,
    examples: Sequence[Example],
    shots: Sequence[Example],
    model: Model,
    decoding: Decoding,
) -> Evaluated:
    """Generate an answer to every example and tally it under every metric of the task."""
    started = time.perf_counter()
    queries = [Query(render(task, prompt, example, shots), example.inputs, task.name) for example in examples]
    completions = model.generate(queries, decoding)
    result = Evaluated([identity(example) for example in examples])
    for metric in task.find_metrics():
        result.per_example[metric.name] = [
            tally(metric, completion, example) for completion, example in zip(completions, examples, strict=True)
        ]
    result.answers = [completion.text for completion in completions]
    result.prompt_tokens = sum(completion.prompt_tokens for completion in completions)
    result.new_tokens = sum(completion.new_tokens for completion in completions)
    result.milliseconds = round((time.perf_counter() - started) * 1000)
    return result


def tally(metric: Metric, completion: Completion, example: Example) -> Tally:
    """One answer's tally. A metric that fails on it counts it as unscored; the site's log says which, and no more."""
    try:
        return metric.score(completion.text, example)
    except Exception as error:
        log.warning("metric %s failed on an example with %s: counted as unscored", metric.name, type(error).__name__)
        return metric.unscored
