"""What makes nano learn in a federation: a line a setting, on generated answers, in one process, without a network.

    python benchmarks/nano_federated.py MODEL '{"rounds": 24, "momentum": 0.6, "epochs": 0.166}' ['{...}' ...]

MODEL is `builtin:nano` or a folder. Six organisations of 120 training rows and a few test rows a task each train from
the same adapter in turn; their adapters are averaged, with momentum at the server. `{"central": true}` trains on all
rows at once, as long as the federation would. It is for choosing settings; claims come from
`kommunbench run +experiment=gain`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from kommunbench.core.example import Example, Split
from kommunbench.core.metric import add
from kommunbench.core.model import Adapter, Decoding, ModelCard, Query, Trainable, TrainSettings
from kommunbench.core.registry import find
from kommunbench.core.swedish import is_abstention
from kommunbench.core.task import load_task
from kommunbench.models.open import open_model
from kommunbench.synthetic.organisation import Organisation, Recipe, Sizes

TASKS = ("summarization", "guideline_qa", "lattlast")
KINDS = {name: "municipality" if name < "d" else "region" for name in "abcdef"}
Rows = dict[str, list[tuple[str, str, Example]]]
"""By organisation: (task, prompt, example)."""


def rows(split: Split, each: int) -> Rows:
    """`each` rows a task of six organisations."""
    found: Rows = {}
    for name, kind in KINDS.items():
        sizes = {task: Sizes(train=each, validation=10, test=each) for task in TASKS}
        house = Organisation(name=f"house-{name}", title=name, kind=kind, sizes=sizes)
        for task in map(load_task, TASKS):
            for row in find("synthetic", task.name)(house, split, 1, Recipe()):
                inputs = {key: row[key] for key in task.inputs}
                example = Example(row["id"], inputs, tuple(row["references"]), split)
                found.setdefault(name, []).append((task.name, task.render("plain", inputs), example))
    return found


def score(model: Any, test: Rows) -> dict[str, float]:
    """The primary measure of each task, and abstentions: right ones, all that were made, all that should have been."""
    result: dict[str, float] = {}
    for task in map(load_task, TASKS):
        metric, measure = task.primary_measure()
        mine = [(prompt, example) for own in test.values() for name, prompt, example in own if name == task.name]
        queries = [Query(prompt, example.inputs, task.name) for prompt, example in mine]
        answers = model.generate(queries, Decoding(max_new_tokens=task.max_new_tokens, stop=task.stop))
        total = metric.zero
        for answer, (_, example) in zip(answers, mine, strict=True):
            total = add(total, metric.score(answer.text, example))
        result[f"{task.name} {measure.name}"] = round(metric.value(total, measure) or 0.0, 3)
        if task.name == "guideline_qa":
            said = [is_abstention(answer.text) for answer in answers]
            meant = [is_abstention(example.references[0]) for _, example in mine]
            result["right"] = sum(a and b for a, b in zip(said, meant, strict=True))
            result["made"], result["due"] = sum(said), sum(meant)
    return result


def together(model: Trainable, train: Rows, settings: TrainSettings, rounds: int, momentum: float) -> Adapter:
    """Rounds of local training and averages with momentum (FedAvgM, Hsu et al. 2019)."""
    adapter: Adapter = model.new_adapter(settings, 1)
    speed: dict[str, np.ndarray] = {}
    for number in range(rounds):
        ends = [
            model.train(_pairs(own), adapter, settings.in_round(number, rounds), 100 * number + at).adapter
            for at, own in enumerate(train.values())
        ]
        for name, start in adapter.items():
            step = np.mean([end[name] for end in ends], axis=0) - start
            speed[name] = momentum * speed.get(name, np.zeros_like(step)) + step
        adapter = {name: (start + speed[name]).astype(np.float32) for name, start in adapter.items()}
    return adapter


def _pairs(own: list[tuple[str, str, Example]]) -> list[tuple[str, str]]:
    return [(prompt, example.references[0]) for _, prompt, example in own]


def main() -> None:
    """A line for the base model, then one for each setting."""
    path, *wanted = sys.argv[1:]
    train, test = rows("train", 120), rows("test", 20)
    model = open_model(ModelCard(name="nano", family="huggingface", path=path, trainable=True))
    assert isinstance(model, Trainable)
    print("base", score(model, test), flush=True)
    for text in wanted:
        options = json.loads(text)
        rounds, momentum = options.pop("rounds", 24), options.pop("momentum", 0.0)
        central = options.pop("central", False)
        settings = TrainSettings(**{"rank": 32, "alpha": 32, "batch_size": 8, "learning_rate": 0.02} | options)
        started = time.perf_counter()
        if central:
            whole = settings.model_copy(update={"epochs": settings.epochs * rounds})
            everything = [pair for own in train.values() for pair in _pairs(own)]
            adapter = model.train(everything, model.new_adapter(settings, 1), whole, 1).adapter
        else:
            adapter = together(model, train, settings, rounds, momentum)
        seconds = time.perf_counter() - started
        model.load_adapter(adapter, settings)
        print(text, f"{seconds:.0f} s", score(model, test), flush=True)
        model.load_adapter(None, settings)


if __name__ == "__main__":
    main()
