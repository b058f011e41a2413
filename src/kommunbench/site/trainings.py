"""What a simulated site keeps of its trainings from run to run: the very same training is not done again.

    <folder>/<digest>.safetensors   the trained adapter; in its metadata the order of its arrays and what it took

Training from the same adapter on the same pairs with the same settings, seed, threads and software gives the same
weights to the last bit, so a run that is asked for again, or with one more model, takes them over and goes on to the
evaluations that it has kept too. Only where the site's settings name a folder: weights may remember text, and a real
site keeps none of a run any longer than the run. Files are the owner's alone, go with the days of the policy like the
tallies beside them, and the oldest go when there is no room.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open
from safetensors.numpy import save

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Adapter, Model, Moments, Trainable, Training, TrainSettings
from kommunbench.site.private import write_private
from kommunbench.site.reuse import training_digest

ROOM_BYTES = 1 << 28
"""What a site's trainings may take on disk."""
_SPENT = ("examples", "steps", "tokens", "seconds")


class Lesson(NamedTuple):
    """What decides a training, besides the model, the software and the machine."""

    pairs: Sequence[tuple[str, str]]
    adapter: Adapter
    settings: TrainSettings
    seed: int
    moments: Moments | None


def trained(
    folder: Path | None, threads: int, model_digest: str, opened: Callable[[], Model], lesson: Lesson
) -> Training:
    """The training that is kept in `folder`, or else one by the model that `opened` gives, kept there from now on.

    Args:
        folder: None: nothing is kept, and every training is done.
        threads: of the machine's, since sums over more threads round otherwise.

    Raises:
        ModelError: the model cannot be trained.
    """
    path = None
    if folder is not None and lesson.settings.optimiser == "fresh":
        digest = training_digest(model_digest, *lesson[:4], threads)
        path = folder / f"{digest[:32]}.safetensors"
        if path.is_file():
            return _read(path)
    model = opened()
    if not isinstance(model, Trainable):
        raise ModelError(f"{model.card.name} cannot be trained")
    training = model.train(*lesson)
    if path is not None:
        _write(path, training)
        _make_room(path.parent)
    return training


def _read(path: Path) -> Training:
    with safe_open(path, "np") as file:
        told: Mapping[str, str] = file.metadata()
        adapter = {name: file.get_tensor(name) for name in json.loads(told["names"])}
    return Training(adapter=adapter, **json.loads(told["spent"]))


def _write(path: Path, training: Training) -> None:
    spent = {name: getattr(training, name) for name in _SPENT}
    told = {"names": json.dumps(list(training.adapter)), "spent": json.dumps(spent)}
    write_private(path, save(dict(training.adapter), told))


def _make_room(folder: Path) -> None:
    """Remove the oldest files until the others fit."""
    newest_first = sorted(folder.glob("*.safetensors"), key=lambda path: -path.stat().st_mtime_ns)
    sizes = accumulate(path.stat().st_size for path in newest_first)
    for path, size in zip(newest_first, sizes, strict=True):
        if size > ROOM_BYTES:
            path.unlink(missing_ok=True)
