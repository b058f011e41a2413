"""Hydra's door: the words after `kommunbench run` in, typed and checked settings out.

Past this module there is no DictConfig. Hydra composes conf/ with the tasks of the top-level tasks/ folder and with a
user's own conf/ and tasks/; pydantic checks the whole at once and every fault is shown together, with a suggestion.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from kommunbench.core.dp import DpSettings
from kommunbench.core.errors import ConfigError, Fault, KommunbenchError
from kommunbench.core.folders import CONF, overlay
from kommunbench.core.model import ModelCard, StrategySettings, TrainSettings, UpdateBounds
from kommunbench.core.modes import conflicts
from kommunbench.core.registry import did_you_mean
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
    earlier: tuple[str, ...] = Field((), description="runs to compare with: names in `results`, or folders")
    train: TrainSettings
    quorum: int = Field(ge=1)
    join_s: float = Field(ge=0)
    deadline_s: float = Field(gt=0)
    grace_s: float = Field(600, ge=0)
    detach: bool = Field(False, description="run on in the background")
    dry_run: bool = Field(False, description="say what would be asked of whom, and do nothing")
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
        do = did_you_mean(location[-1], _fields_beside(location))
    return Fault(f"{fault['msg']}".replace("Extra inputs are not permitted", "unknown setting"), ".".join(location), do)


def _fields_beside(location: list[str]) -> tuple[str, ...]:
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
    if (settings.dp.trains or settings.dp.noisy) and settings.privacy.name != "plain":
        do = "privacy=plain, or dp=none"
        faults.append(Fault("a site's ledger counts epsilon where privacy is plain", "dp", do))
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


_GROUPS = tuple(Settings.model_fields)


def run_hydra(words: list[str], job: Callable[[Settings, str], None]) -> None:
    """Compose `words` with Hydra and call `job(settings, resolved_yaml)` for each run that they ask for.

    Raises:
        ConfigError: words or settings that are wrong, all of them at once; KommunbenchError from `job`.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _open_hydra()

    def task_function(config: DictConfig) -> None:
        raw = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
        missing = [Fault("needs a value", str(key), f"{key}=...") for key in OmegaConf.missing_keys(config)]
        ConfigError.raise_if(missing)
        own = {**cast(dict[str, Any], raw), **_place()}
        job(read_settings(own), OmegaConf.to_yaml(OmegaConf.create(own)))

    failures: list[KommunbenchError] = []

    def guarded(config: DictConfig) -> None:
        """One job of a sweep that fails does not end the others, and Hydra prints no traceback of ours."""
        try:
            task_function(config)
        except KommunbenchError as error:
            failures.append(error)
            _remove_empty_folder()

    os.environ["HYDRA_FULL_ERROR"] = "1"  # hands its errors on, so that they are shown our way
    sys.argv = ["kommunbench run", *words]
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="run")(guarded)()
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(*_hydra_faults(words, error)) from None
    if failures:
        raise type(failures[0])(*dict.fromkeys(fault for failure in failures for fault in failure.faults))


def _place() -> dict[str, Any]:
    """What Hydra alone knows of a job: a sweep numbers its runs, and `--config-dir` names a folder with more."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    own = [str(source.path) for source in hydra.runtime.config_sources if source.provider == "command-line"]
    place: dict[str, Any] = {"config_dirs": own} if own else {}
    if hydra.mode == RunMode.MULTIRUN:
        place["name"] = Path(hydra.runtime.output_dir).name
    return place


def _remove_empty_folder() -> None:
    """Hydra makes a run's folder before it asks us; what cannot be run leaves nothing behind."""
    from hydra.core.hydra_config import HydraConfig

    folder = Path(HydraConfig.get().runtime.output_dir)
    with suppress(OSError):  # something is in it, and stays
        folder.rmdir()
        folder.parent.rmdir()


def compose_settings(words: Sequence[str]) -> Settings:
    """Settings as `kommunbench run WORDS` would have them, without running anything.

    Raises:
        ConfigError: words or settings that are wrong, all of them at once.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _open_hydra()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            raw = OmegaConf.to_container(compose("run", overrides=list(words)), resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(*_hydra_faults(list(words), error)) from None
    return read_settings(cast(dict[str, Any], raw))


def _open_hydra() -> None:
    """Let Hydra find the group `tasks` in the tasks/ folders, and a user's conf/ before ours.

    Tasks are stored one by one: were the folder above tasks/ on the search path, every folder beside it would be a
    configuration group (`results` among them).
    """
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    _add_users_conf()
    for folder in reversed(overlay("tasks")):
        for path in sorted(folder.glob("*.yaml")):
            ConfigStore.instance().store(path.name, OmegaConf.load(path), "tasks", f"tasks.{path.stem}")


@cache
def _add_users_conf() -> None:
    """Put a user's own conf/ on the search path, wherever it is by the time that something is composed."""
    from hydra.core.config_search_path import ConfigSearchPath
    from hydra.core.plugins import Plugins
    from hydra.plugins.search_path_plugin import SearchPathPlugin

    class UsersConf(SearchPathPlugin):
        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for folder in overlay("conf")[:-1]:
                search_path.prepend("kommunbench-user", f"file://{folder}")

    Plugins.instance().register(UsersConf)


_FLAG_WITH_A_VALUE = re.compile(r"--(cfg|package|config-(path|name|dir)|experimental-rerun|info)|-(c|p|cp|cn|cd|i)")


def _overrides(words: list[str]) -> list[str]:
    """The words that override something: neither Hydra's own flags nor the word after one of them."""
    pairs = zip(["", *words], words, strict=False)
    return [word for flag, word in pairs if not word.startswith("-") and not _FLAG_WITH_A_VALUE.fullmatch(flag)]


def _hydra_faults(words: list[str], error: Exception) -> list[Fault]:
    """A fault for each of `words` that cannot stand, tried one at a time; else what Hydra says of them together."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    overrides = _overrides(words)
    faults = [
        Fault("not an override", word, f"write {word}=...") for word in overrides if "=" not in word and word[0] != "~"
    ]
    overrides = [word for word in overrides if "=" in word]
    choices = [word for word in overrides if "." not in word.partition("=")[0]]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        wrong = {word: trouble for word in choices if (trouble := _trouble([word]))}
        good = [word for word in choices if word not in wrong]
        wrong |= {word: trouble for word in overrides if word not in choices and (trouble := _trouble([*good, word]))}
        faults += [_override_fault(word, trouble, _known(good, word)) for word, trouble in wrong.items()]
    return faults or [Fault(_first_line(error), do="kommunbench run --help")]


def _trouble(overrides: list[str]) -> Exception | None:
    """What Hydra says of `overrides` on top of the defaults, or None."""
    from hydra import compose
    from hydra.errors import HydraException

    try:
        compose("run", overrides=overrides)
    except HydraException as error:
        return error
    return None


def _known(choices: list[str], word: str) -> tuple[str, ...]:
    """Names of settings beside the one that `word` names, or of a group's options."""
    from hydra import compose
    from omegaconf import OmegaConf

    *parents, last = word.lstrip("+~").partition("=")[0].split(".")
    folders = overlay("tasks") if last == "tasks" else [folder / last for folder in overlay("conf")]
    if not parents and (options := {path.stem for folder in folders for path in folder.glob("*.yaml")}):
        return tuple(sorted(options))
    level = compose("run", overrides=choices)
    found = OmegaConf.select(level, ".".join(parents)) if parents else level
    keys = tuple(str(key) for key in found) if hasattr(found, "keys") else ()
    return tuple(dict.fromkeys((*keys, *_fields_beside([*parents, ""])))) if keys else ()


def _override_fault(word: str, error: Exception, known: tuple[str, ...]) -> Fault:
    key, _, value = word.lstrip("+~").partition("=")
    cause = str(error.__cause__ or error)
    if "Could not load" in cause or "Could not find" in cause:
        option = next((name for name in value.strip("[]").split(",") if name not in known), value)
        return Fault(f"there is no {option!r}", key, did_you_mean(option, known))
    if "Ambiguous value" in cause:
        return Fault("several values", key, f"{key}=[{value}] for all of them in one run; -m for a run each")
    if "is not in struct" in cause or "Key" in cause:
        head, last = key.partition(".")[0], key.rpartition(".")[2]
        if last in known:
            return Fault("has no value that could be replaced", key, f"+{key}={value}")
        return Fault("unknown setting", key, did_you_mean(last, known) if known else did_you_mean(head, _GROUPS))
    return Fault(_first_line(error), key)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
