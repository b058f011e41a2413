"""Where a model's files lie, and that they are nothing but data: safetensors, JSON, tokenizer tables.

Nothing is ever downloaded, no pickle is read and no code that comes with a model runs. What decides an answer must lie
in the folder, since the digest is made of what lies there: no link, index or adapter may lead out of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import ModelCard
from kommunbench.core.registry import did_you_mean

BUILTIN = Path(__file__).resolve().parent
SHIPPED = "builtin:"
WEIGHTS = "*.safetensors"
GGUF = "*.gguf"
FILES = (WEIGHTS, "*.json", "*.model", "*.txt", "*.jinja")
"""What decides a model's answers: weights, configuration, tokenizer, chat template."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
CONFIGURATIONS = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")


def model_folder(card: ModelCard) -> Path:
    """The folder with the model's files: one shipped in the package, a local one, or a snapshot in the hub's cache.

    Raises:
        ModelError: there is no such folder, or every reason why it is not safe to load.
    """
    where = f"models.{card.name}.path"
    if card.path.startswith(SHIPPED):
        folder = root = _shipped(card)
    elif (local := Path(card.path).expanduser()).is_dir():
        folder = root = local
    else:
        folder = _cached(card)
        root = folder.parents[1]  # the cache's folder of this model: a snapshot's files are links into its blobs
    ModelError.raise_if(folder_faults(folder, root, where))
    return folder


def folder_faults(folder: Path, root: Path, where: str) -> Iterator[Fault]:
    """Everything that makes `folder` unsafe or incomplete as a model; links may lead to files below `root` alone."""
    if not any(folder.glob(WEIGHTS)):
        pickled = any(path for pattern in PICKLES for path in folder.glob(pattern))
        what = "has only pickled weights, which are programs" if pickled else "has no safetensors weights"
        yield Fault(what, where, "get the model as safetensors; pickles are never read")
    inside = root.resolve()
    for path in sorted(path for pattern in FILES for path in folder.glob(pattern)):
        if not path.resolve().is_relative_to(inside):
            yield Fault(f"{path.name} is a link that leads out of the folder", where, "copy the file itself")
    if (folder / "adapter_config.json").exists():
        do = "give the whole model: `kommunbench model export` merges an adapter into its base"
        yield Fault("is an adapter that names a base elsewhere", where, do)
    yield from _code_faults(folder, where)
    yield from _index_faults(folder, where)


def _code_faults(folder: Path, where: str) -> Iterator[Fault]:
    do = "no code that comes with a model is run; where transformers has the architecture itself, take the entry out"
    for name in CONFIGURATIONS:
        stated = _json(folder / name)
        for entry in ("auto_map", "trust_remote_code", "custom_pipelines"):
            if stated.get(entry):
                yield Fault(f"{name} asks for code of its own ({entry})", where, do)


def _index_faults(folder: Path, where: str) -> Iterator[Fault]:
    """Shards are named by an index, and a name could be a path."""
    for index in sorted(folder.glob("*.safetensors.index.json")):
        shards = _json(index).get("weight_map", {})
        named = set(shards.values()) if isinstance(shards, dict) else {None}
        if not all(isinstance(name, str) and name.endswith(".safetensors") and "/" not in name for name in named):
            yield Fault(f"{index.name} names shards that are not safetensors of the folder", where, "get it anew")


def _json(path: Path) -> dict[str, Any]:
    """A file's JSON object; empty where there is none, which whoever opens the model then says."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _shipped(card: ModelCard) -> Path:
    folder = BUILTIN / card.path.removeprefix(SHIPPED)
    if folder.parent != BUILTIN or not (folder / "config.json").is_file():
        there = tuple(path.parent.name for path in BUILTIN.glob("*/config.json"))
        name = card.path.removeprefix(SHIPPED)
        raise ModelError(
            Fault(f"no model {name!r} in the package", f"models.{card.name}.path", did_you_mean(name, there))
        )
    return folder


def _cached(card: ModelCard) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    where = f"models.{card.name}.path"
    if card.path.startswith(("/", "~", ".")):
        do = "is the name right, and the stick or disk that it is on there?"
        raise ModelError(Fault(f"there is no folder {card.path}", where, do))
    try:
        return Path(snapshot_download(card.path, revision=card.revision or None, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError):
        revision = f" --revision {card.revision}" if card.revision else ""
        raise ModelError(
            Fault(
                f"{card.path!r} is neither a folder nor in the hub's cache",
                where,
                f"give a folder, or fetch it first, where there is a network: `hf download {card.path}{revision}`",
            )
        ) from None
