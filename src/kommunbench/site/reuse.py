"""When two evaluations are the same: a digest over everything that decides the integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kommunbench.core.digests import digest, digest_bytes
from kommunbench.core.folders import PACKAGE
from kommunbench.core.model import Adapter, Decoding, TrainSettings
from kommunbench.core.spec import PromptRef
from kommunbench.core.task import Task

LIBRARIES = ("torch", "transformers", "tokenizers", "peft", "numpy", "sacrebleu", "rouge-score", "nltk")
"""Other versions of these may answer or count otherwise."""


def evaluation_digest(
    data: tuple[str, int], task: Task, model: str, prompt: tuple[PromptRef, int], decoding: Decoding, adapter: str
) -> str:
    """SHA-256 of one evaluation.

    Args:
        data: the registration's digest and how many examples at most (0: all).
        model: its measured digest.
        prompt: the way of asking, and the seed that chooses its worked examples.
        adapter: `adapter_digest`, or empty for the base.

    The number of prompts at once is not in it: it changes no answer. Our own code is, and the libraries' versions.
    """
    way, seed = prompt
    return digest(
        {
            "software": software(),
            "data": data,
            "task": task.digest,
            "model": model,
            "adapter": adapter,
            "prompt": (way.variant, way.shots, *((seed, way.choose) if way.shots else ())),
            "decoding": (decoding.max_new_tokens, decoding.stop),
        }
    )


def training_digest(
    model: str,
    pairs: Sequence[tuple[str, str]],
    adapter: Adapter,
    settings: TrainSettings,
    seed: int,
    threads: int,
) -> str:
    """SHA-256 of one training; it stays at the site, as whoever guesses the pairs could check them by it."""
    return digest(
        {
            "software": software(),
            "model": model,
            "pairs": [list(pair) for pair in pairs],
            "adapter": adapter_digest(adapter, settings),
            "settings": settings.model_dump(mode="json"),
            "seed": seed,
            "threads": threads,
        }
    )


def adapter_digest(adapter: Adapter | None, settings: TrainSettings | None) -> str:
    """SHA-256 over names, shapes and float32 weights, and how they are scaled; empty without an adapter."""
    if adapter is None or settings is None:
        return ""
    total = sha256(f"{settings.rank}:{settings.alpha}".encode())
    for name in sorted(adapter):
        weights = np.ascontiguousarray(adapter[name], dtype="<f4")
        total.update(f"{name}{weights.shape}".encode())
        total.update(weights.tobytes())
    return total.hexdigest()


@cache
def software() -> str:
    """SHA-256 over kommunbench's own code, what other packages add to it, and the libraries' versions."""
    return digest(
        {
            "kommunbench": _files(PACKAGE),
            "others": {f"{point.group}:{point.name}": _module(point.module) for point in _points()},
            "libraries": {name: _version(name) for name in LIBRARIES},
        }
    )


def _points() -> list[EntryPoint]:
    groups = ("kommunbench.metrics", "kommunbench.models", "kommunbench.synthetic")
    return [point for group in groups for point in entry_points(group=group)]


def _module(name: str) -> Mapping[str, str]:
    top = find_spec(name.partition(".")[0])
    if top is None:
        return {}
    places = top.submodule_search_locations
    if places:
        return {path: found for place in places for path, found in _files(Path(place)).items()}
    return {name: digest_bytes(Path(top.origin).read_bytes())} if top.origin else {}


def _files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): digest_bytes(path.read_bytes()) for path in sorted(folder.rglob("*.py"))}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
