"""A task: what is asked and how an answer is measured. Data, not code: one YAML file each under tasks/."""

from __future__ import annotations

import string
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kommunbench.core.digests import digest
from kommunbench.core.errors import Fault, TaskError, plainly
from kommunbench.core.folders import overlay
from kommunbench.core.metric import Measure, Metric
from kommunbench.core.registry import did_you_mean, find


class Bilingual(BaseModel):
    """The same words in Swedish and English."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sv: str
    en: str


class Task(BaseModel):
    """One task, as its YAML file states it.

    The digest covers what a site approves: inputs, prompts, facts, metrics. `max_new_tokens` and `stop` are decoding
    settings: typed scalars that a run may override within the site's policy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: int = Field(ge=1)
    title: Bilingual
    description: Bilingual
    licence: str
    source: str
    inputs: tuple[str, ...] = Field(min_length=1, description="text fields that every row must have")
    facts: tuple[str, ...] = Field((), description="structured fields that some metrics read; a row may lack them")
    labels: tuple[str, ...] = Field((), description="answers to choose among, for metrics that count by answer")
    prompts: dict[str, str] = Field(description="instruction variants by name; {field} stands for an input")
    metrics: tuple[str, ...] = Field(min_length=1)
    primary: str = Field(description="the measure that ranks models")
    max_new_tokens: int = Field(128, ge=1, le=4096)
    stop: tuple[str, ...] = ()
    examples: tuple[dict[str, Any], ...] = Field(min_length=3, description="synthetic rows, as in a site's file")

    @model_validator(mode="after")
    def _prompts_name_inputs(self) -> Task:
        for variant, prompt in self.prompts.items():
            named = {part[1] for part in string.Formatter().parse(prompt) if part[1] is not None}
            if unknown := named - set(self.inputs):
                raise ValueError(f"prompt {variant!r} names {sorted(unknown)}, which is not among inputs {self.inputs}")
        return self

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what decides a score: name, version, inputs, facts, prompts, metrics, primary; labels if any."""
        decides = {"name", "version", "inputs", "facts", "prompts", "metrics", "primary"}
        return digest(self.model_dump(include=decides | ({"labels"} if self.labels else set())))

    def render(self, variant: str, inputs: dict[str, str]) -> str:
        """The prompt of `variant` with a row's inputs in it. An input's own braces stay as they are."""
        parts = []
        for literal, field, _, _ in string.Formatter().parse(self.prompts[variant]):
            parts.append(literal + (inputs[field] if field is not None else ""))
        return "".join(parts)

    def find_metrics(self) -> tuple[Metric, ...]:
        """The task's metrics, in its order. Raises ConfigError for a name that is not registered."""
        return tuple(find("metrics", name) for name in self.metrics)

    def primary_measure(self) -> tuple[Metric, Measure]:
        """The metric and measure that rank models. Raises TaskError when no metric of the task has it."""
        known: list[str] = []
        for metric in self.find_metrics():
            for measure in metric.measures:
                if measure.name == self.primary:
                    return metric, measure
                known.append(measure.name)
        raise TaskError(
            Fault(
                f"primary {self.primary!r} is no measure of the task's metrics",
                f"tasks/{self.name}.yaml",
                did_you_mean(self.primary, tuple(known)),
            )
        )


def load_task(name: str, folders: tuple[Path, ...] | None = None) -> Task:
    """Read and check `tasks/<name>.yaml` from the first folder that has it.

    Raises:
        TaskError: no such task, or every fault of its file at once.
    """
    folders = folders or overlay("tasks")
    for folder in folders:
        if (path := folder / f"{name}.yaml").is_file():
            return read_task(path)
    raise TaskError(Fault(f"no task {name!r}", do=did_you_mean(name, task_names(folders))))


def task_names(folders: tuple[Path, ...] | None = None) -> tuple[str, ...]:
    """Names of all tasks in `folders`, sorted."""
    return tuple(sorted({path.stem for folder in folders or overlay("tasks") for path in folder.glob("*.yaml")}))


def read_task(path: Path) -> Task:
    """Read and check one task file.

    Raises:
        TaskError: every fault of the file, with its place.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = str(path) if line is None else f"{path}:{line + 1}"
        raise TaskError(
            Fault("not YAML in UTF-8", where, "mend the file; `kommunbench tasks check` reads it again")
        ) from None
    if not isinstance(raw, dict):
        raise TaskError(Fault("a task is a mapping of fields", str(path), "see `kommunbench tasks show summarization`"))
    try:
        task = Task.model_validate(raw)
    except ValidationError as error:
        known = tuple(Task.model_fields)
        raise TaskError(
            *(
                Fault(
                    f"{'.'.join(map(str, fault['loc']))}: {plainly(fault)}",
                    str(path),
                    did_you_mean(str(fault["loc"][0]), known) if fault["type"] == "extra_forbidden" else "",
                )
                for fault in error.errors(include_input=False, include_url=False)
            )
        ) from None
    if task.name != path.stem:
        raise TaskError(Fault(f"name is {task.name!r}", str(path), f"a task is named as its file: {path.stem}"))
    return task
