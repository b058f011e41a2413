"""What the coordinator asks of a site, and the exact layout of what may come back.

A `RunSpec` is names, digests and typed numbers: never code, a path, a URL or a template. A `Request` is one message of
the run. From both, site and coordinator derive the same `slots`: so a reply carries numbers alone, in an order that
was fixed before any text was read, and no string made at a site ever leaves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from kommunbench.core.digests import digest
from kommunbench.core.dp import DpSettings
from kommunbench.core.example import Split
from kommunbench.core.masking import Masking, Step
from kommunbench.core.metric import Metric, Tally
from kommunbench.core.model import TrainSettings
from kommunbench.core.registry import find

Stage = Literal["base", "local", "federated", "central"]


CRITERIA = ("correct", "complete", "plain", "usable")
"""What staff at a site judge an answer by, from 1 to 5."""
RATED = (*(f"rated_{criterion}" for criterion in CRITERIA), "rated_agreement", "rated_by_metric")
"""Metrics of what staff said. They belong to no task: a site that allows it answers them on request."""
JUDGED = (*(f"judged_{criterion}" for criterion in CRITERIA), "judge_agreement")
"""Metrics of what a site's own judge said, and of how far it says what staff say; asked for together with theirs."""
OPINIONS = (*RATED, *JUDGED)
COST = "cost"
"""The metric of what answers took: of no task either, and a run that has it asks for it beside the task's own."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's; a digest that was worked out is not copied, since the copy may have another."""
        twin = super().model_copy(update=update, deep=deep)
        if "digest" not in type(self).model_fields:
            twin.__dict__.pop("digest", None)
        return twin


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
"""A name that comes from outside and may become part of a path: no separators, no leading dot."""


class TaskRef(_Frozen):
    """A task by name and digest, with what a run may set of its decoding and of its metrics' order."""

    name: Name
    digest: str
    metrics: tuple[Name, ...]
    max_new_tokens: int = Field(ge=1, le=4096)
    max_examples: int = Field(0, ge=0, description="evaluate at most so many test examples a site; 0: all")


class ModelRef(_Frozen):
    """A model by name and digest."""

    name: Name
    digest: str
    trainable: bool = False
    prompted: bool = True
    """It reads the prompt; a baseline that reads the row's inputs is asked once, whatever the prompts."""
    tasks: tuple[str, ...] = ()


class JudgeRef(_Frozen):
    """Whose numbers a run asks for: a model and a rubric, by digest, so that unlike judges are never added up."""

    name: Name
    digest: str
    rubric: str


Choice = Literal["same", "nearest"]
"""Worked examples: the same ones for every question, or for each those that are most like it."""


class PromptRef(_Frozen):
    """A way of asking: an instruction variant of the task, with `shots` worked examples from the site's train split."""

    name: Name
    variant: Name
    shots: int = Field(0, ge=0, le=16)
    choose: Choice = Field("same", exclude_if=lambda choice: choice == "same")
    """Left out where it is `same`, so that a run which does not use it has the digest that it always had."""


CENTRAL = "central"
"""The node that trains on everybody's synthetic data at once: what federation is held against, never a real site."""


class RunSpec(_Frozen):
    """One run, as every site sees it."""

    schema_version: int = 1
    run: Name
    kommunbench: str
    seed: int = Field(ge=0)
    tasks: tuple[TaskRef, ...]
    models: tuple[ModelRef, ...]
    prompts: tuple[PromptRef, ...]
    train: TrainSettings | None = None
    trained_model: str = ""
    rounds: int = Field(0, ge=0)
    stages: tuple[Stage, ...] = ("base", "federated")
    replicates: int = Field(1, ge=1, le=20, description="train so many times, with seeds seed, seed + 1, ...")
    batch_size: int = Field(32, ge=1)
    reuse: bool = True
    """Take over what a site evaluated before, where nothing that decides an answer or its score has changed."""
    privacy: Literal["plain", "secagg"] = "plain"
    """`secagg`: every reply is a step of a masked sum, and the coordinator sees sums over sites alone."""
    min_sites: int = Field(1, ge=1, description="with secagg: fewest sites behind any number of the sum")
    dp: DpSettings = DpSettings()
    readers: dict[Name, str] = Field(default_factory=dict)
    """By digest, the tagger and the encoder that answers are read with. A site that has others has none for the run."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole specification."""
        return digest(self.model_dump(mode="json"))

    def task(self, name: str) -> TaskRef:
        """The task of that name. Raises KeyError."""
        return {task.name: task for task in self.tasks}[name]


class Cell(NamedTuple):
    """One system on one task at one moment: what a row of the report is about."""

    task: str
    model: str
    prompt: str
    stage: Stage
    round: int
    split: Split
    seed: int = 0
    origin: str = ""
    """For stages `local` and `central`: where the adapter was trained."""
    run: str = ""
    """For a system of an earlier run: the digest of that run's specification; empty for the run at hand."""


class Pair(NamedTuple):
    """Two systems to compare on one measure, example by example. The right one may be of an earlier run."""

    left: Cell
    right: Cell
    metric: str
    measure: str


class Holding(NamedTuple):
    """Something that a site has or has not: a task or a model of that very digest, a task's data, leave to train."""

    kind: Literal["task", "data", "model", "training"]
    name: str


def holdings(spec: RunSpec) -> tuple[Holding, ...]:
    """Everything that a run needs of a site, in the order of the wire."""
    return (
        *(Holding("task", task.name) for task in spec.tasks),
        *(Holding("data", task.name) for task in spec.tasks),
        *(Holding("model", model.name) for model in spec.models),
        *([Holding("training", spec.trained_model)] if spec.train else ()),
    )


class Total(_Frozen):
    """A pooled tally that the coordinator sends back for the closing sums."""

    cell: Cell
    metric: str
    total: Tally


class Request(_Frozen):
    """One message to a site.

    Args:
        action: `work` evaluates `cells` and, with `train`, trains from the adapter that came along; `close` answers
            `totals` and `pairs` with sums of linearised scores and their squares; `ratings` answers what staff said
            of `cells`; `holdings` answers what of the specification the site holds, in codes and without a number.
        epochs: passes over the train split in place of the specification's; 0: the specification's.
        seed: of this replicate's training.
    """

    spec: RunSpec
    action: Literal["work", "close", "ratings", "holdings"] = "work"
    round: int = Field(0, ge=0)
    cells: tuple[Cell, ...] = ()
    train: bool = False
    epochs: float = Field(0, ge=0, le=10_000)
    seed: int = 0
    totals: tuple[Total, ...] = ()
    pairs: tuple[Pair, ...] = ()
    masking: Masking | None = None
    judge: JudgeRef | None = None
    """With `ratings`: also what this judge said."""

    @cached_property
    def work(self) -> Request:
        """What is asked, whichever step of a masked sum it comes with: the same in all of them."""
        if self.masking is None:
            return self
        work = self.model_copy(update={"masking": None})
        work.__dict__.pop("digest", None)  # pydantic copies what was cached, too
        return work

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the whole request."""
        return digest(self.model_dump(mode="json"))

    @property
    def signed(self) -> str:
        """The digest that a receipt names: of a step of a masked sum, what all of its members are asked alike."""
        if self.masking is None:
            return self.digest
        return step_digest(self.work.digest, self.masking.session, self.masking.step)

    @property
    def opinions(self) -> tuple[str, ...]:
        """Metrics of a request for ratings: staff's, and the judge's where one is named."""
        return OPINIONS if self.judge else RATED

    def slots(self) -> tuple[Slot, ...]:
        """Every tally and sum that a reply to this request has, in the order of the wire."""
        if self.action == "work":
            return tuple(
                Slot((cell, name), find("metrics", name))
                for cell in self.cells
                for name in self.spec.task(cell.task).metrics
            )
        if self.action == "ratings":
            return tuple(Slot((cell, name), find("metrics", name)) for cell in self.cells for name in self.opinions)
        if self.action == "holdings":
            return tuple(Slot(tuple(holding), bare=True) for holding in holdings(self.spec))
        single = [
            Slot((total.cell, total.metric, measure.name))
            for total in self.totals
            for measure in find("metrics", total.metric).measures
        ]
        return (*single, *(Slot(tuple(pair)) for pair in self.pairs))


def step_digest(work: str, session: str, step: Step) -> str:
    """Of one step of a masked sum: what was asked (the digest of the request without the step), in which session."""
    return digest([work, session, step])


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in the reply's vector: a metric's tally of a cell, or (n, sum u, sum u^2) of a measure or a pair.

    A bare one has no number, and its code is all that is said of it.
    """

    key: tuple[object, ...]
    metric: Metric | None = None
    bare: bool = False

    @property
    def width(self) -> int:
        """Number of integers."""
        if self.bare:
            return 0
        return 3 if self.metric is None else len(self.metric.names)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The systems that it is about: one, or two for a pair; none where it is bare."""
        return tuple(part for part in self.key if isinstance(part, Cell))

    @property
    def metric_name(self) -> str:
        """The metric of its numbers, which a closing sum's key names before the measure."""
        return str(self.key[1] if self.metric is not None else self.key[-2])

    @property
    def support(self) -> tuple[int, ...]:
        """Indices that count examples of a kind, to which the door's `min_cell` applies; index 0 is always n."""
        if self.metric is None:
            return ()
        return tuple(index for index, part in enumerate(self.metric.fields, start=2) if part.support)
