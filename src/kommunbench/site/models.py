"""`site model`: models get in by the site's own hand, from a folder or from the hub's cache on this machine.

A model is a card in conf/models/ and, where it was copied from a folder, its files in models/. Only safetensors
weights are taken: a pickle is a program. The policy may then name it by the digest that is shown.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from kommunbench.core.errors import Fault, KommunbenchError, ModelError
from kommunbench.core.folders import overlay
from kommunbench.core.model import ModelCard
from kommunbench.models.folder import FILES, PICKLES, WEIGHTS, model_folder
from kommunbench.models.open import card_digest, card_names, load_card
from kommunbench.site.home import SiteHome

LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
CARDS = ("README.md", "MODEL_CARD.md")


class Installed(NamedTuple):
    """One model at the site. `digest` is empty where its files are not on this machine."""

    name: str
    family: str
    path: str
    digest: str
    files: int
    bytes: int
    licence: str
    own: bool


def add_model(home: SiteHome, source: str, name: str, trainable: bool) -> Installed:
    """Copy a folder's safetensors model into the site's folder, or point at one in the hub's cache, and write its card.

    A ready card of that name and source is taken as it is, with the commit that this machine has.

    Raises:
        ModelError: no such model, no safetensors weights, or the name is taken.
    """
    path = home.conf / "models" / f"{name}.yaml"
    ready = load_card(name, overlay("conf")) if name in card_names(overlay("conf")) else None
    if path.is_file() or (ready is not None and ready.path != source):
        raise ModelError(Fault(f"there is a model {name!r} already", str(path), f"--name, or site model remove {name}"))
    folder, kept = Path(source).expanduser(), source
    if folder.is_dir():
        kept = str(_copy(folder, home.models / name))
    card = ready or ModelCard(name=name, family="huggingface", path=kept, trainable=trainable)
    if not folder.is_dir():
        card = card.model_copy(update={"revision": model_folder(card).name})  # the cache names a snapshot by its commit
    try:
        card_digest(card)
    except ModelError:
        if folder.is_dir():
            shutil.rmtree(home.models / name)
        raise
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = {name: value for name, value in card.model_dump(mode="json").items() if value}
    path.write_text(yaml.safe_dump(written, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return describe(card, own=True)


def _copy(source: Path, target: Path) -> Path:
    """What decides a model's answers, its card and its licence; nothing else of the folder."""
    if not any(source.glob(WEIGHTS)):
        there = [pattern for pattern in PICKLES if any(source.glob(pattern))]
        what = "has only pickled weights, which are programs" if there else "has no safetensors weights"
        raise ModelError(Fault(what, str(source), "get the model as safetensors; pickles are never read"))
    target.mkdir(parents=True, exist_ok=False, mode=0o700)
    for pattern in (*FILES, *CARDS, *LICENCES):
        for path in source.glob(pattern):
            shutil.copyfile(path, target / path.name)
    return target


def describe(card: ModelCard, own: bool) -> Installed:
    """Files, size, licence and digest of a card's model."""
    files: list[Path] = []
    licence = found = ""
    try:
        found = card_digest(card)
        if card.path:
            folder = model_folder(card)
            files = sorted({path for pattern in FILES for path in folder.glob(pattern)})
            licence = _licence(folder)
    except KommunbenchError:
        pass  # a card whose files are not here is listed as such: its digest is empty
    size = sum(path.stat().st_size for path in files)
    return Installed(card.name, card.family, card.path, found, len(files), size, licence, own)


def _licence(folder: Path) -> str:
    """What the model's own files say: a model card's `license`, a configuration's, or the name of a licence file."""
    for name in CARDS:
        lines = (
            (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()[:60]
            if (folder / name).is_file()
            else []
        )
        for line in lines:
            if line.startswith("license:"):
                return line.partition(":")[2].strip()
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        config = {}
    stated = str(config.get("license", ""))
    return stated or next((name for name in LICENCES if (folder / name).is_file()), "not stated")


def list_models(home: SiteHome) -> list[Installed]:
    """Every model that a run could ask this site for, its own first."""
    own = card_names((home.conf,))
    built_in = [name for name in card_names(overlay("conf")) if name not in own]
    return [
        *(describe(load_card(name, (home.conf,)), own=True) for name in own),
        *(describe(load_card(name), own=False) for name in built_in),
    ]


def remove_model(home: SiteHome, name: str) -> int:
    """Take a model that the site added away, card and copied files. How many bytes that freed.

    Raises:
        ModelError: the site has added none of that name.
    """
    path = home.conf / "models" / f"{name}.yaml"
    if not path.is_file():
        do = "there is " + (", ".join(card_names((home.conf,))) or "none that the site added")
        raise ModelError(Fault(f"the site has added no model {name!r}", str(path.parent), do))
    folder = home.models / name
    size = sum(file.stat().st_size for file in folder.glob("*")) if folder.is_dir() else 0
    path.unlink()
    if folder.is_dir():
        shutil.rmtree(folder)
    return size
