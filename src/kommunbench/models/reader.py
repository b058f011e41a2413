"""Models of a site's own that read answers and give none: `conf/readers/tagger.yaml` and `conf/readers/encoder.yaml`.

    path: /srv/models/suc-tagger      a folder on this machine, never anything else
    layer: 9                          of an encoder: whose hidden states are compared; default the last

Only whoever owns the machine writes these files. A run says by digest which readers its numbers are read with, so that
sites with others are not added up; it never says where they are. Nothing is downloaded, no pickle is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kommunbench.core.digests import digest, digest_files
from kommunbench.core.errors import Fault, ModelError, plainly
from kommunbench.models.folder import FILES, folder_faults

TAGGER, ENCODER = "tagger", "encoder"
READERS = (TAGGER, ENCODER)


class ReaderCard(BaseModel):
    """One reader, as its file states it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    path: Path
    layer: int = Field(-1, ge=-1, le=1000)


def reader_cards(conf: tuple[Path, ...]) -> dict[str, ReaderCard]:
    """The readers that the first of the `conf` folders with a file for it states.

    Raises:
        ModelError: every fault of the files.
    """
    found = dict[str, ReaderCard]()
    faults = list[Fault]()
    for name in READERS:
        path = next((path for folder in conf if (path := folder / "readers" / f"{name}.yaml").is_file()), None)
        if path is not None:
            try:
                stated = yaml.safe_load(path.read_text(encoding="utf-8"))
                found[name] = ReaderCard.model_validate(stated)
            except (yaml.YAMLError, UnicodeDecodeError):
                faults.append(Fault("not YAML in UTF-8", str(path)))
            except ValidationError as error:
                what = [f"{'.'.join(map(str, fault['loc']))}: {plainly(fault)}" for fault in error.errors()]
                faults += [Fault(one, str(path), "it takes `path`, and for an encoder `layer`") for one in what]
    ModelError.raise_if(faults)
    return found


def reader_digest(name: str, card: ReaderCard) -> str:
    """SHA-256 over the reader's kind, its layer and its files.

    Raises:
        ModelError: the folder is not there, or is not safe to load.
    """
    folder = card.path.expanduser()
    where = f"readers/{name}.yaml: path"
    if not folder.is_dir():
        raise ModelError(Fault(f"{folder} is no folder", where, "give one on this machine; nothing is downloaded"))
    if name == ENCODER:
        ModelError.raise_if(folder_faults(folder, folder, where))
    files = sorted({path for pattern in FILES for path in folder.glob(pattern)})
    seen = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return digest({"reader": name, "layer": card.layer, "files": _digest_files(seen)})


@cache
def _digest_files(seen: tuple[tuple[Path, int, int], ...]) -> str:
    return digest_files(path for path, _, _ in seen)


def reader_digests(conf: tuple[Path, ...]) -> Mapping[str, str]:
    """The digest of every reader there is. Raises ModelError."""
    return {name: reader_digest(name, card) for name, card in reader_cards(conf).items()}


def open_reader(name: str, card: ReaderCard) -> object:
    """The `core.model.Tagger` or `Encoder` of a card; its libraries are imported now. Raises ModelError."""
    made: Callable[[ReaderCard], object] = import_module(f"kommunbench.models.{name}").READER
    return made(card)
