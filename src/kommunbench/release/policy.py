"""What a site lets out: the policy that its own IT wrote, and the questions that the door asks of it.

`site.yaml` lies in the site's own folder and may be owned by root; conf/site.yaml is its commented template. Nothing
that a run sends becomes part of a policy: what it asks for beyond this one is refused, and where it asks for less it
gets less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints

from kommunbench.core.answer import Code
from kommunbench.core.digests import digest
from kommunbench.core.endpoints import checked_server, own_network
from kommunbench.core.example import Split
from kommunbench.core.spec import COST, JUDGED, OPINIONS, Cell, ModelRef, Request, RunSpec, Slot, TaskRef
from kommunbench.core.task import Task

INSTALLED: Literal["installed"] = "installed"
EVALUATED: Split = "test"
"""The one split that is evaluated. Under another name the same examples would count as another set (past.py)."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Approved = Literal["installed"] | dict[str, Literal["installed"] | Digest]
Verdict = Literal["allow", "deny"]
Training = Literal["deny", "private", "allow"]
_WINDOW = r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"
Hours = Annotated[str, StringConstraints(pattern=rf"^(always|{_WINDOW}( and {_WINDOW})*)$")]
Whole = Annotated[int, Field(strict=True)]
"""An integer, and not `yes`, `10.0` or `"10"`."""
Server = Annotated[str, Field(strict=True), AfterValidator(checked_server)]
"""`host:port` on the site's own network."""
OwnNetwork = Annotated[str, Field(strict=True), AfterValidator(lambda text: str(own_network(text)))]
"""A network of this machine or a private one."""
Amount = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number, and not `yes` or `"10"`."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What municipal IT has installed at this site: (digest, metrics) by task name, digest by model name."""

    tasks: Mapping[str, tuple[str, tuple[str, ...]]]
    models: Mapping[str, str]


class ReleasePolicy(BaseModel):
    """One site's rules. Every default is the careful choice.

    Names in `tasks` and `models` are bound to a digest: `installed` stands for the digest of the site's own installed
    copy, so a name alone never matches. Until `with_installed` has said what that is, nothing is approved.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    min_examples: Whole = Field(10, ge=1, description="fewest scored examples behind any number or adapter that leaves")
    min_cell: Whole = Field(5, ge=1, description="counts of a kind of example between 1 and this, exclusive, stay")
    min_difference: Whole = Field(
        10, ge=1, description="sets of two runs are equal or differ by at least so many examples; 1: no rule"
    )
    min_sites: Whole = Field(
        1, ge=1, description="fewest sites in any sum that the coordinator can read; above 1: masked sums alone"
    )
    tasks: Approved = INSTALLED
    models: Approved = INSTALLED
    metrics: Literal["all"] | tuple[str, ...] = "all"
    endpoints: dict[Server, OwnNetwork] = Field(
        default_factory=dict, description="servers on the site's own network that may be asked for answers"
    )
    rounding: Whole = Field(
        1, ge=1, le=1000, description="counts leave as multiples of this, other sums as coarsely; 1: as they are"
    )
    training: Training = "deny"
    full_tuning: Verdict = Field("deny", description="may a model's every weight be trained, and not an adapter alone")
    max_adapter_mib: Amount = Field(512, gt=0, description="largest adapter that is trained, in MiB of float32")
    received_adapters: Verdict = Field(
        "deny",
        description="may a run bring weights that models answer with here, though this site trains nothing",
    )
    adapters: Literal["deny", "approve", "allow"] = "deny"
    max_update_norm: Amount = Field(0, ge=0, description="farthest (L2) that weights may move in a round; 0: any")
    memorisation: Literal["stop", "measure", "skip"] = "stop"
    max_exposure_bits: Amount = Field(4, ge=0, description="mean exposure of planted canaries that weights may have")
    max_membership_auc: Amount = Field(0.75, ge=0.5, le=1, description="how well weights may tell who was trained on")
    results: Literal["deny", "approve", "allow"] = "allow"
    answers: Literal["forget", "keep"] = Field("forget", description="keep models' answers at the site, to judge them")
    ratings: Verdict = Field("deny", description="may sums of what staff said of answers leave")
    max_examples: Whole = Field(0, ge=0, description="most examples of a task that a run may evaluate; 0: no limit")
    max_new_tokens: Whole = Field(1024, ge=1, le=4096, description="longest answer that a run may ask a model for")

    hours: Hours = Field("always", description="`18:00-06:00`, local time, when replies may leave; `A and B`: in both")
    runs_a_year: Whole = Field(0, ge=0, description="most runs that numbers leave to in 365 days; 0: no limit")
    max_minutes: Whole = Field(0, ge=0, description="most minutes of work that one run may ask for; 0: no limit")
    retention_days: Whole = Field(
        365, ge=0, description="what is kept of a run goes after so many days, the ledger excepted; 0: never by itself"
    )

    noise: Literal["optional", "required"] = Field("optional", description="may exact sums leave, or noised ones alone")
    epsilon_a_run: Amount = Field(
        8.0, ge=0, description="most epsilon that one run's noised releases may cost an example"
    )
    epsilon_a_year: Amount = Field(8.0, ge=0, description="most epsilon in 365 days, all runs added; 0: none at all")
    delta_a_year: Amount = Field(1e-4, ge=0, le=0.01, description="most delta in 365 days, all runs added")

    _installed: Installed | None = PrivateAttr(None)

    @property
    def digest(self) -> str:
        """SHA-256 over every setting; the ledger names the policy by it."""
        return digest(self.model_dump(mode="json"))

    def with_installed(self, tasks: Iterable[Task], models: Mapping[str, str]) -> ReleasePolicy:
        """The same policy, knowing this site's own tasks and the measured digest of each model that it has."""
        known = {task.name: (task.digest, task.metrics) for task in tasks}
        return self._knowing(Installed(known, dict(models)))

    def _knowing(self, installed: Installed | None) -> ReleasePolicy:
        policy = self.model_copy()
        policy._installed = installed
        return policy

    def checked(self) -> ReleasePolicy:
        """The same policy, validated again: `model_copy(update=...)` and `model_construct` validate nothing.

        Raises:
            pydantic.ValidationError: a setting is out of bounds.
        """
        return ReleasePolicy.model_validate(self.model_dump())._knowing(self._installed)

    def open_at(self, moment: datetime) -> bool:
        """Whether replies may leave at `moment`, a local time. A window that ends before it begins crosses midnight."""
        clock = f"{moment:%H:%M}"
        windows = [] if self.hours == "always" else [window.split("-") for window in self.hours.split(" and ")]
        return all(begin <= clock < end if begin < end else clock >= begin or clock < end for begin, end in windows)

    def examples(self, task: TaskRef) -> int:
        """How many examples of `task` to evaluate at most; 0: all."""
        limits = [limit for limit in (self.max_examples, task.max_examples) if limit]
        return min(limits, default=0)

    def sites(self, spec: RunSpec) -> int:
        """Fewest sites that must stand behind a number of a masked sum: what the run asks for, or more. At least 2."""
        return max(self.min_sites, spec.min_sites, 2)

    def sum_code(self, request: Request) -> Code:
        """TOO_FEW_SITES where the reply would show this site's own numbers and only sums over sites may be seen."""
        if request.action == "holdings":
            return Code.OK  # there is no number in it
        masked = request.spec.privacy == "secagg"
        if masked is not (request.masking is not None):
            return Code.BAD_REQUEST
        return Code.OK if masked or self.min_sites == 1 else Code.TOO_FEW_SITES

    def task_code(self, task: TaskRef) -> Code:
        """OK where the very task that is installed here is asked for, approved, and within the limits."""
        here = self._installed.tasks.get(task.name) if self._installed else None
        if here is None or here[0] != task.digest or not _approves(self.tasks, task.name, task.digest):
            return Code.TASK_NOT_APPROVED
        return Code.OK if task.max_new_tokens <= self.max_new_tokens else Code.OVER_LIMIT

    def model_code(self, model: ModelRef) -> Code:
        """OK where the very model that is installed here is asked for and approved."""
        here = self._installed.models.get(model.name) if self._installed else None
        approved = here == model.digest and _approves(self.models, model.name, model.digest)
        return Code.OK if approved else Code.MODEL_NOT_APPROVED

    def metric_code(self, task: TaskRef, metric: str) -> Code:
        """OK where the installed task names the metric, staff gave it or it is the cost, and the policy allows it."""
        here = self._installed.tasks.get(task.name) if self._installed else None
        known = here is not None and (metric in (*here[1], COST) or (metric in OPINIONS and self.ratings == "allow"))
        return Code.OK if known and (self.metrics == "all" or metric in self.metrics) else Code.METRIC_NOT_ALLOWED

    def cell_code(self, spec: RunSpec, cell: Cell) -> Code:
        """OK where a site may evaluate this cell at all: results may leave, its task and its model are approved."""
        if self.results == "deny":
            return Code.METRIC_NOT_ALLOWED
        tasks = [task for task in spec.tasks if task.name == cell.task]
        models = [model for model in spec.models if model.name == cell.model]
        if len(tasks) != 1 or len(models) != 1 or cell.split != EVALUATED:
            return Code.BAD_REQUEST
        if cell.stage != "base" and self.training == "deny" and self.received_adapters == "deny":
            return Code.MODEL_NOT_APPROVED  # weights that a run brings are not those that are approved by digest
        task = self.task_code(tasks[0])
        return task if task is not Code.OK else self.model_code(models[0])

    def holding_code(self, request: Request, slot: Slot) -> Code:
        """OK where what a bare slot asks about is here and approved: what a run would hear, without its numbers."""
        spec, (kind, name) = request.spec, slot.key
        if kind == "training":
            return self.adapter_code(request.model_copy(update={"action": "work", "train": True}))
        if kind == "model":
            return next((self.model_code(model) for model in spec.models if model.name == name), Code.BAD_REQUEST)
        if kind == "data" and self.results == "deny":
            return Code.METRIC_NOT_ALLOWED
        if kind == "data" and self.noise == "required" and not spec.dp.noisy:
            return Code.NOISE_REQUIRED
        if kind == "data" and self.min_sites > 1 and spec.privacy == "plain":
            return Code.TOO_FEW_SITES
        return next((self.task_code(task) for task in spec.tasks if task.name == name), Code.BAD_REQUEST)

    def judge_code(self, request: Request, slot: Slot) -> Code:
        """OK where the slot is not about a judge, or about one that is installed here and approved, by digest."""
        if request.judge is None or slot.metric is None or slot.metric.name not in JUDGED:
            return Code.OK
        return self.model_code(ModelRef(name=request.judge.name, digest=request.judge.digest))

    def slot_code(self, spec: RunSpec, slot: Slot) -> Code:
        """OK where the slot's cells are approved and its metric is allowed for their tasks."""
        if self.noise == "required" and not spec.dp.noisy:
            return Code.NOISE_REQUIRED
        if spec.dp.noisy and (spec.privacy != "plain" or any(prompt.shots for prompt in spec.prompts)):
            return Code.BAD_REQUEST  # masked sums have no line of epsilon; a worked example is in every answer
        for cell in slot.cells:
            code = self.cell_code(spec, cell)
            if code is Code.OK:
                code = self.metric_code(spec.task(cell.task), slot.metric_name)
            if code is Code.OK and slot.metric_name == COST and shows_examples(spec, cell):
                code = Code.METRIC_NOT_ALLOWED  # what is in every prompt could be measured: an example's own length
            if code is not Code.OK:
                return code
        return Code.OK

    def training_code(self, request: Request) -> Code:
        """OK where the site may train as asked: its policy allows training, the model and every task of the run."""
        spec = request.spec
        if self.training == "deny":
            return Code.TRAINING_DENIED
        if spec.train is not None and spec.train.method == "full" and self.full_tuning == "deny":
            return Code.TRAINING_DENIED
        if self.training == "private" and not spec.dp.trains:
            return Code.NOISE_REQUIRED
        if spec.dp.trains and spec.privacy != "plain":
            return Code.BAD_REQUEST  # what leaves masked has no line of its epsilon in the ledger
        models = [model for model in spec.models if model.name == spec.trained_model]
        if request.action != "work" or not request.train or len(models) != 1:
            return Code.BAD_REQUEST
        verdicts = [self.model_code(models[0]), *(self.task_code(task) for task in spec.tasks)]
        return next((code for code in verdicts if code is not Code.OK), Code.OK)

    def adapter_code(self, request: Request) -> Code:
        """OK where an adapter trained for `request` may leave, at once or when a person has approved it."""
        code = self.training_code(request)
        return Code.ADAPTER_DENIED if code is Code.OK and self.adapters == "deny" else code


def shows_examples(spec: RunSpec, cell: Cell) -> bool:
    """Whether the cell's prompts hold worked examples of the train split."""
    return any(prompt.shots for prompt in spec.prompts if prompt.name == cell.prompt)


def _approves(approved: Approved, name: str, wanted: str) -> bool:
    entry = approved if isinstance(approved, str) else approved.get(name)
    return entry in (INSTALLED, wanted)
