"""A small run to send through the door: two tasks, two models, one round of training."""

from __future__ import annotations

from typing import Any

import numpy as np

from kommunbench.core.answer import Answer, Code, Cost, Memory
from kommunbench.core.masking import Masking
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import Cell, ModelRef, PromptRef, Request, RunSpec, TaskRef, Total
from kommunbench.core.task import load_task
from kommunbench.release import ReleasePolicy

QA, SHORT = load_task("guideline_qa"), load_task("summarization")
MODELS = {"nano": "a" * 64, "lead": "b" * 64}
N = 40


def task_ref(task, **changed: Any) -> TaskRef:
    fields = {"name": task.name, "digest": task.digest, "metrics": task.metrics, "max_new_tokens": 48}
    return TaskRef(**{**fields, **changed})


def make_spec(**changed: Any) -> RunSpec:
    fields: dict[str, Any] = {
        "run": "pilot-1",
        "kommunbench": "0.1.0",
        "seed": 1,
        "tasks": (task_ref(QA), task_ref(SHORT)),
        "models": tuple(ModelRef(name=name, digest=value, trainable=name == "nano") for name, value in MODELS.items()),
        "prompts": (PromptRef(name="plain", variant="plain"),),
        "train": TrainSettings(learning_rate=0.1),
        "trained_model": "nano",
        "rounds": 1,
    }
    return RunSpec(**{**fields, **changed})


def cell(task: str = "guideline_qa", model: str = "nano", **changed: Any) -> Cell:
    return Cell(task, model, "plain", "base", 0, "test")._replace(**changed)


CELLS = tuple(cell(task, model) for task in ("guideline_qa", "summarization") for model in MODELS)


def make_request(**changed: Any) -> Request:
    return Request(**{"spec": make_spec(), "cells": CELLS, **changed})


def masked_request(step: str = "open", **changed: Any) -> Request:
    """The same request in a run whose sums are masked."""
    masking = Masking(step=step, session="5" * 32)
    return make_request(**{"spec": make_spec(privacy="secagg", min_sites=3), "masking": masking, **changed})


def make_policy(**changed: Any) -> ReleasePolicy:
    return ReleasePolicy(**changed).with_installed((QA, SHORT), MODELS)


def row(slot, n: int = N, unscored: int = 0, support: int | None = None) -> tuple[int, ...]:
    """A plausible tally: half of what each field may hold; support counts split n in equal parts."""
    if slot.metric is None:
        return (n, n, 4 * n)
    fields = slot.metric.fields
    kinds = [index for index, field in enumerate(fields) if field.support]
    own = [n * (field.low + field.high) // 2 for field in fields]
    for place, index in enumerate(kinds):
        own[index] = n // len(kinds) if place else n - n // len(kinds) * (len(kinds) - 1)
    if kinds and support is not None:
        own[kinds[0]] = support
        for index in kinds[1:]:
            own[index] = (n - support) // (len(kinds) - 1)
    return (n, unscored, *own)


def make_answer(request: Request, n: int = N, **changed: Any) -> Answer:
    fields: dict[str, Any] = {
        "values": {slot.key: row(slot, n) for slot in request.slots()},
        "codes": {},
        "cost": Cost(evaluate_ms=1234, examples=4 * n, prompt_tokens=12_345, new_tokens=2_600),
    }
    return Answer(**{**fields, **changed})


def close_request(spec: RunSpec | None = None) -> Request:
    """The closing message about one metric with several measures, and a pair of models on one of them."""
    spec = spec or make_spec()
    zeros = (0,) * 6
    totals = tuple(Total(cell=each, metric="abstention", total=zeros) for each in CELLS[:2])
    pair = (CELLS[0], CELLS[1], "abstention", "abstention_recall")
    return Request(spec=spec, action="close", totals=totals, pairs=(pair,))


def weights(value: float = 0.5) -> dict[str, np.ndarray]:
    return {
        "layer.0.lora_A": np.full((2, 3), value, dtype=np.float32),
        "layer.0.lora_B": np.full((3, 2), value, dtype=np.float32),
    }


def train_request(**changed: Any) -> Request:
    return make_request(train=True, round=1, **changed)


def trained(request: Request, adapter: Any = None, examples: Any = 30) -> Answer:
    cost = Cost(train_ms=950, examples=4 * N, train_examples=examples, train_steps=12, train_tokens=4_321)
    memory = Memory(exposure_bits=1.4, auc=0.52, tpr=0.01, members=30, non_members=30)
    return make_answer(request, adapter=weights(1.0) if adapter is None else adapter, cost=cost, memory=memory)


def rows_of(request: Request, release) -> dict[tuple[object, ...], tuple[Code, tuple[int, ...]]]:
    """A release by slot, cut up here by hand and not by the code under test."""
    found, start = {}, 0
    for slot, code in zip(request.slots(), release.codes.tolist(), strict=True):
        found[slot.key] = (Code(code), tuple(release.values[start : start + slot.width].tolist()))
        start += slot.width
    assert start == len(release.values)
    return found
