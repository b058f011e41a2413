"""Evaluation inside the site: render, generate, tally. What it returns are integers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from kommunbench.core import swedish
from kommunbench.core.answer import Code
from kommunbench.core.example import Example
from kommunbench.core.metric import Metric, Tally, add
from kommunbench.core.model import Completion, Decoding, Model, Query
from kommunbench.core.registry import find
from kommunbench.core.spec import COST, PromptRef
from kommunbench.core.task import Task
from kommunbench.site.energy import EnergyMeter
from kommunbench.site.log import log_failure
from kommunbench.site.readings import Answered, Readers, Took

log = logging.getLogger("kommunbench.site")
Shots = Callable[[Example], Sequence[Example]]
"""The worked examples for a question."""


@dataclass(slots=True)
class Evaluated:
    """Tallies of one cell: `per_example[metric][i]` belongs to the example whose identity is `ids[i]`.

    A metric is not there where what it needs was to be read of the answers, and that failed.
    """

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

    def total(self, metric: str) -> Tally | Code:
        """The sum; or NO_READING where the metric needs something of a model, and got it for no example."""
        if metric not in self.per_example:
            return Code.READING_FAULT
        total, needs = self.sum(metric), find("metrics", metric).needs
        return Code.NO_READING if needs and not total[0] else total


def identity(example: Example) -> str:
    """What an example is recognised by when two systems are paired: a digest of its id, never its text."""
    return sha256(example.id.encode()).hexdigest()[:32]


def render(task: Task, prompt: PromptRef, example: Example, shots: Sequence[Example]) -> str:
    """The prompt for `example`: worked examples first (prompt and best reference), then the question itself."""
    worked = [f"{task.render(prompt.variant, dict(shot.inputs))} {shot.references[0]}" for shot in shots]
    return "\n\n".join([*worked, task.render(prompt.variant, dict(example.inputs))])


def choose_shots(train: Sequence[Example], prompt: PromptRef, seed: int) -> Shots:
    """Which of the site's train split are shown before a question, each with its best reference.

    `same`: as many for every question, chosen by digest and seed. `nearest`: for each question those that are most like
    it, the most alike last (Liu et al. 2022, What Makes Good In-Context Examples for GPT-3?), by BM25 over their inputs
    (the retriever without training of Rubin et al. 2022); of examples as near, those that `same` would show.
    """
    answered = [example for example in train if example.references]
    drawn = sorted(answered, key=lambda example: sha256(f"{seed}:{example.id}".encode()).digest())
    if prompt.choose == "nearest" and prompt.shots and drawn:
        return _nearest(drawn, prompt.shots)
    return lambda _: drawn[: prompt.shots]


def _nearest(pool: Sequence[Example], count: int) -> Shots:
    import bm25s

    texts = [_words(example) for example in pool]
    known = set().union(*texts)
    index = bm25s.BM25(k1=1.5, b=0.75)
    index.index(texts, show_progress=False)

    def shots(example: Example) -> Sequence[Example]:
        wanted = [word for word in _words(example) if word in known]
        scores = index.get_scores(wanted) if wanted else np.zeros(len(pool))
        best = np.argsort(-scores, kind="stable")[:count]
        return [pool[at] for at in reversed(best)]

    return shots


def _words(example: Example) -> list[str]:
    return [word for text in example.inputs.values() for word in swedish.tokens(text)]


class Way(NamedTuple):
    """A way of asking, with its worked examples."""

    prompt: PromptRef
    shots: Shots = lambda _: ()


def evaluate(
    task: Task, way: Way, examples: Sequence[Example], model: Model, decoding: Decoding, readers: Readers
) -> Evaluated:
    """Generate an answer to every example, have read what metrics need, and tally it under every metric of the task."""
    started = time.perf_counter()
    queries = [Query(render(task, way.prompt, one, way.shots(one)), one.inputs, task.name) for one in examples]
    meter, asked = EnergyMeter(), time.perf_counter()
    completions = model.generate(queries, decoding)
    took = Took(round((time.perf_counter() - asked) * 1e6), meter.microjoules() // 1000 if meter.tells else None)
    result = Evaluated([identity(example) for example in examples])
    answered = Answered(queries, completions, examples, model, decoding, readers, took)
    for metric in (*task.find_metrics(), find("metrics", COST)):
        read = read_for(metric, answered)
        if read is not None:
            pairs = zip(completions, read, strict=True)
            result.per_example[metric.name] = [tally(metric, completion, example) for completion, example in pairs]
    result.answers = [completion.text for completion in completions]
    result.prompt_tokens = sum(completion.prompt_tokens for completion in completions)
    result.new_tokens = sum(completion.new_tokens for completion in completions)
    result.milliseconds = round((time.perf_counter() - started) * 1000)
    return result


def read_for(metric: Metric, answered: Answered) -> Sequence[Example] | None:
    """The examples as the metric needs them; None where reading fails, which is not to have nobody who reads."""
    try:
        return answered.examples_for(metric)
    except Exception as error:
        log_failure(f"reading what {metric.name} needs", error)
        return None


def tally(metric: Metric, completion: Completion, example: Example) -> Tally:
    """One answer's tally. A metric that fails on it counts it as unscored; the site's log says which, and no more."""
    try:
        return metric.score(completion.text, example)
    except Exception as error:
        log.warning("metric %s failed on an example with %s: counted as unscored", metric.name, type(error).__name__)
        return metric.unscored
