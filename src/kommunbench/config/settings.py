"""What a run may be told, typed: pydantic checks the whole at once; all faults are shown together, with suggestions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from kommunbench.core.dp import DpSettings
from kommunbench.core.errors import ConfigError, Fault, plainly
from kommunbench.core.model import ModelCard, StrategySettings, TrainSettings, UpdateBounds
from kommunbench.core.modes import conflicts
from kommunbench.core.registry import did_you_mean
from kommunbench.core.spec import Choice
from kommunbench.core.task import Bilingual, Task
from kommunbench.report.scorecard import Scorecard
from kommunbench.report.scorecard_check import check_scorecards
from kommunbench.synthetic.organisation import Organisation, Recipe
from kommunbench.synthetic.population import Population, populate
from kommunbench.tracking.settings import TrackingSettings


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SyntheticFederation(_Frozen):
    """Organisations that are made up; conf/federation/pilot.yaml."""

    name: str
    kind: Literal["synthetic"]
    generate: Population | None = Field(
        None, description="organisations made up by the number, before those of `sites`"
    )
    sites: dict[str, Organisation] = Field(default_factory=dict, validate_default=True)
    policy: dict[str, Any] = Field(default_factory=dict, description="site.yaml of every site, as release/ reads it")
    note: Bilingual | None = Field(
        None, description="what every output says of the data; by default that it is made up"
    )

    @field_validator("sites", mode="before")
    @classmethod
    def _whole(cls, sites: Any, info: ValidationInfo) -> Any:
        """An organisation's name is its key; those that are made up by the number come first."""
        if not isinstance(sites, dict):
            return sites
        named = {name: {"name": name, **site} if isinstance(site, dict) else site for name, site in sites.items()}
        made: Population | None = info.data.get("generate")
        found = {organisation.name: organisation for organisation in populate(made)} if made else {}
        if not {**found, **named} and "generate" in info.data:
            raise ValueError("a federation has at least one site: name them, or `generate` them")
        return {**found, **named}


class FolderFederation(_Frozen):
    """Real text on this machine: `path`/<site>/<task>.jsonl."""

    name: str
    kind: Literal["folder"]
    path: Path
    sites: tuple[str, ...] = ()
    train_sites: tuple[str, ...] = ()
    policy: dict[str, Any] = Field(default_factory=dict, description="for a site without a site.yaml of its own")


class DeployedFederation(_Frozen):
    """Real sites, as approved in the coordinator's folder `path`."""

    name: str
    kind: Literal["deployed"]
    path: Path
    sites: tuple[str, ...] = ()


class EngineSettings(_Frozen):
    """What runs the Flower apps."""

    name: Literal["local", "ray", "deployment"]
    workers: int = Field(2, ge=1)
    threads: int = Field(1, ge=1)


class PromptSettings(_Frozen):
    """A way of asking."""

    name: str
    variant: str
    shots: int = Field(0, ge=0, le=16)
    choose: Choice = "same"


class PrivacySettings(_Frozen):
    """What the coordinator may see."""

    name: Literal["plain", "secagg"] = "plain"
    min_sites: int = Field(1, ge=1, description="fewest sites behind any number of a masked sum")
    threshold: int = Field(0, ge=0, description="so many sites take masks off; 0: two thirds, and one")
    step_s: float = Field(120, gt=0, description="a site may take so long to answer a step after its work is done")


class Settings(_Frozen):
    """One run's settings, whole and checked."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    results: Path
    seed: int = Field(ge=0)
    replicates: int = Field(ge=1, le=20)
    federation: Annotated[SyntheticFederation | FolderFederation | DeployedFederation, Field(discriminator="kind")]
    synthetic: Recipe
    tasks: dict[str, Task] = Field(min_length=1)
    models: dict[str, ModelCard] = Field(min_length=1)
    prompt: dict[str, PromptSettings] = Field(min_length=1)
    scorecard: dict[str, Scorecard] = Field(default_factory=dict)
    engine: EngineSettings
    strategy: StrategySettings
    updates: UpdateBounds
    privacy: PrivacySettings
    dp: DpSettings
    tracking: TrackingSettings
    trained_model: str
    stages: tuple[Literal["base", "federated", "local", "central"], ...] = ("base", "federated")
    rounds: int = Field(ge=1, le=1000)
    evaluate_every: int = Field(ge=1)
    max_examples: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    reuse: bool = True
    costs: bool = Field(True, description="ask what answers took, by system; with noised tallies never")
    earlier: tuple[str, ...] = Field((), description="runs to compare with: names in `results`, or folders")
    start_from: str = Field("", description="go on from an adapter: a run, or models:/NAME@champion of `tracking.uri`")
    train: TrainSettings
    quorum: int = Field(ge=1)
    join_s: float = Field(ge=0)
    deadline_s: float = Field(gt=0)
    grace_s: float = Field(600, ge=0)
    detach: bool = Field(False, description="run on in the background")
    dry_run: bool | Literal["json"] = Field(
        False, description="ask sites what they hold for the run, in codes; measure nothing"
    )
    config_dirs: tuple[Path, ...] = Field(
        (), description="folders of `--config-dir`, with models/ and tasks/ of their own"
    )

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.results / self.name

    @property
    def trains(self) -> bool:
        """Whether anything is fine-tuned."""
        return self.strategy.name != "none"


def read_settings(raw: dict[str, Any]) -> Settings:
    """Check a composed configuration.

    Raises:
        ConfigError: every fault at once, by dotted name.
    """
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(*(_fault(fault) for fault in error.errors(include_input=False, include_url=False))) from None
    ConfigError.raise_if(_disagreements(settings))
    return settings


def _fault(fault: Any) -> Fault:
    location = [
        str(part) for part in fault["loc"] if part not in ("synthetic", "folder", "deployed") or fault["loc"][0] == part
    ]
    do = ""
    if fault["type"] == "extra_forbidden":
        do = did_you_mean(location[-1], names_beside(location))
    return Fault(plainly(fault), ".".join(location), do)


def names_beside(location: list[str]) -> tuple[str, ...]:
    """Names of the settings on the level where an unknown one was found."""
    beside: dict[str, type[BaseModel]] = {
        "": Settings,
        "train": TrainSettings,
        "dp": DpSettings,
        "strategy": StrategySettings,
        "updates": UpdateBounds,
        "engine": EngineSettings,
        "models": ModelCard,
        "tasks": Task,
        "prompt": PromptSettings,
        "privacy": PrivacySettings,
        "tracking": TrackingSettings,
        "synthetic": Recipe,
    }
    model = beside.get(location[0] if len(location) > 1 else "")
    return tuple(model.model_fields) if model else ()


def _sites_cannot_hide(settings: Settings) -> list[Fault]:
    """What does not go with noise on mean updates (dp=client), which is made for one mean of cut updates a round."""
    if not settings.dp.hides_sites:
        return []
    where, faults = "dp.site_noise_multiplier", []
    if settings.privacy.name != "plain":
        faults.append(Fault("masked updates cannot be cut one by one", where, "privacy=plain, or dp=none"))
    if settings.trains and settings.strategy.name not in ("fedavg", "fedprox"):
        what = f"{settings.strategy.name} is no plain mean, so the noise would not be the one that epsilon counts"
        faults.append(Fault(what, where, "strategy=fedavg or fedprox"))
    for stage in settings.stages:
        if stage in ("local", "central"):
            faults.append(Fault(f"stage {stage} shows adapters without the noise", where, f"leave {stage} out"))
    return faults


def _disagreements(settings: Settings) -> list[Fault]:
    faults = list(check_scorecards(settings.scorecard.values(), settings.tasks))
    if isinstance(settings.federation, DeployedFederation) != (settings.engine.name == "deployment"):
        do = "federation=deployed goes with engine=deployment, every other with engine=local or ray"
        faults.append(Fault(f"cannot run a {settings.federation.kind} federation", "engine", do))
    faults += conflicts(settings.privacy.name, settings.strategy.name, settings.stages, settings.privacy.min_sites)
    if settings.earlier and settings.privacy.name != "plain":
        faults.append(Fault("masked sums of two runs may be over different sites", "earlier", "privacy=plain"))
    for name, task in settings.tasks.items():
        for prompt in settings.prompt.values():
            if prompt.variant not in task.prompts:
                do = did_you_mean(prompt.variant, tuple(task.prompts))
                faults.append(Fault(f"task {name} has no instruction variant {prompt.variant!r}", "prompt", do))
    if settings.dp.noisy and any(prompt.shots for prompt in settings.prompt.values()):
        do = "prompt=[plain], or dp.tallies=exact dp.tally_epsilon=0"
        faults.append(Fault("a worked example is in every answer, so no noise on sums hides it", "dp.tallies", do))
    if settings.dp.trains and settings.train.method != "lora":
        what = f"{settings.train.method} has no gradient by example"
        faults.append(Fault(what, "train.method", "train.method=lora, or dp=none"))
    if (settings.dp.trains or settings.dp.noisy) and settings.privacy.name != "plain":
        do = "privacy=plain, or dp=none"
        faults.append(Fault("a site's ledger counts epsilon where privacy is plain", "dp", do))
    if settings.train.encoding != "float32" and settings.privacy.name != "plain":
        faults.append(Fault("masked weights cross in fixed point of their own", "train.encoding", "float32"))
    if settings.train.optimiser == "kept" and settings.dp.trains:
        faults.append(Fault("private training begins every round afresh", "train.optimiser", "fresh, or dp=none"))
    faults += _sites_cannot_hide(settings)
    if settings.trains:
        card = settings.models.get(settings.trained_model)
        if card is None:
            do = f"{did_you_mean(settings.trained_model, tuple(settings.models))}; or strategy=none to train nothing"
            faults.append(Fault(f"{settings.trained_model!r} is not among the models of the run", "trained_model", do))
        if "central" in settings.stages and not isinstance(settings.federation, SyntheticFederation):
            do = "leave `central` out; federated against local-only needs no pooling"
            faults.append(Fault("`central` pools every site's text, which only synthetic data allows", "stages", do))
        if card is not None and not card.trainable:
            faults.append(
                Fault(f"{card.name} cannot be trained", "trained_model", "strategy=none evaluates it as it is")
            )
    return faults
