"""Hydra's door: the words after `kommunbench run` in, typed and checked settings out.

Past this module there is no DictConfig. Hydra composes conf/ with the tasks of the top-level tasks/ folder and with a
user's own conf/ and tasks/; `settings.py` checks what came of it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

from kommunbench.config.settings import Settings, names_beside, read_settings
from kommunbench.core.errors import ConfigError, Fault, KommunbenchError
from kommunbench.core.folders import CONF, overlay
from kommunbench.core.registry import did_you_mean

_GROUPS = tuple(Settings.model_fields)
_STORED: dict[str, tuple[Path, int]] = {}
"""Of each task that Hydra has been given: the file and when it was changed, since reading them all takes a third of the
time that settings are composed in."""


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
            stamp = (path, path.stat().st_mtime_ns)
            if _STORED.get(path.name) != stamp:
                ConfigStore.instance().store(path.name, OmegaConf.load(path), "tasks", f"tasks.{path.stem}")
                _STORED[path.name] = stamp


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
    return tuple(dict.fromkeys((*keys, *names_beside([*parents, ""])))) if keys else ()


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
