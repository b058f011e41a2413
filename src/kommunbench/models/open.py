"""A model's card, its digest, and the model itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kommunbench import __version__
from kommunbench.core.digests import digest, digest_files
from kommunbench.core.errors import Fault, ModelError, plainly
from kommunbench.core.folders import overlay
from kommunbench.core.model import Model, ModelCard
from kommunbench.core.registry import did_you_mean, find, names
from kommunbench.models.folder import FILES, model_folder


def open_model(card: ModelCard, **machine: Any) -> Model:
    """Open the model of `card`; `machine` (such as `threads`) says how to run it and never changes what it answers.

    Raises:
        ConfigError: no such family.
        ModelError: its files cannot be found or are not safe to load.
    """
    model: Model = find("models", card.family)(card, **machine)
    return model


def warm_up() -> None:
    """Import the libraries that models are opened with, so that no message to a site waits for it."""
    for library in ("torch", "transformers", "peft"):
        import_module(library)


def has_torch() -> bool:
    """Whether this process has imported torch, whose threads do not come along when it is forked."""
    return "torch" in sys.modules


def load_card(name: str, folders: tuple[Path, ...] | None = None) -> ModelCard:
    """Read and check `models/<name>.yaml` in the first of the conf/ `folders` that has it.

    Raises:
        ModelError: no such model, or every fault of its card at once.
    """
    folders = folders or overlay("conf")
    for folder in folders:
        if (path := folder / "models" / f"{name}.yaml").is_file():
            return read_card(path)
    raise ModelError(Fault(f"no model {name!r}", do=did_you_mean(name, card_names(folders))))


def card_names(folders: tuple[Path, ...] | None = None) -> tuple[str, ...]:
    """Names of all cards in the conf/ `folders`, sorted."""
    return tuple(sorted({path.stem for folder in folders or overlay("conf") for path in folder.glob("models/*.yaml")}))


def read_card(path: Path) -> ModelCard:
    """Read and check one card.

    Raises:
        ModelError: every fault of the file, with its place.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise ModelError(Fault("not YAML in UTF-8", str(path) if line is None else f"{path}:{line + 1}")) from None
    if not isinstance(raw, dict):
        raise ModelError(Fault("a model card is a mapping of fields", str(path), "see conf/models/nano.yaml"))
    faults = list(_faults(raw, path))
    family = raw.get("family")
    if isinstance(family, str) and family not in names("models"):
        faults.append(Fault(f"family: there is no {family!r}", str(path), did_you_mean(family, names("models"))))
    if raw.get("name", path.stem) != path.stem:
        faults.append(Fault(f"name is {raw['name']!r}", str(path), f"a model is named as its file: {path.stem}"))
    ModelError.raise_if(faults)
    return ModelCard.model_validate(raw)


def _faults(raw: dict[str, Any], path: Path) -> list[Fault]:
    try:
        ModelCard.model_validate(raw)
    except ValidationError as error:
        known = tuple(ModelCard.model_fields)
        return [
            Fault(
                f"{'.'.join(map(str, fault['loc']))}: {plainly(fault)}",
                str(path),
                did_you_mean(str(fault["loc"][0]), known) if fault["type"] == "extra_forbidden" else "",
            )
            for fault in error.errors(include_input=False, include_url=False)
        ]
    return []


def card_digest(card: ModelCard) -> str:
    """SHA-256 over the family, the options and every weight and tokenizer file; no weights are loaded.

    Options that a family names as its machine's (where a server is, say) are left out: they change no answer, and
    differ from site to site. A model without files has kommunbench's version stand for its code.

    Raises:
        ConfigError: no such family.
        ModelError: the files cannot be found, or are not safe to load.
    """
    family = find("models", card.family)
    aside: frozenset[str] = getattr(family, "machine_options", frozenset())
    options = {name: value for name, value in card.options.items() if name not in aside}
    if not card.path:
        return digest({"family": card.family, "options": options, "kommunbench": __version__})
    files: Sequence[Path] = getattr(family, "files", _files)(card)
    seen = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return digest({"family": card.family, "options": options, "files": _digest_files(seen)})


def reads_prompt(card: ModelCard) -> bool:
    """Whether answers follow the prompt; a baseline that reads the row's inputs is asked once, whatever the prompts."""
    return bool(getattr(find("models", card.family), "prompted", bool(card.path)))


def _files(card: ModelCard) -> list[Path]:
    folder = model_folder(card)
    return sorted({path for pattern in FILES for path in folder.glob(pattern)})


@cache
def _digest_files(seen: tuple[tuple[Path, int, int], ...]) -> str:
    return digest_files(path for path, _, _ in seen)
