"""What a site carries from one round of training to the next, where the run's settings say so; none of it leaves.

What rounding for the network took away (error feedback: Seide et al. 2014; Karimireddy et al. 2019), so that it is made
good later, and what the optimiser remembers. One safetensors file a round and seed below carried/<run>/, mode 0600: a
round that is asked for again starts from the same. Weights may remember text, so the files go as what is kept of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from kommunbench.core.encoding import rounded
from kommunbench.core.model import Adapter, Moments, Training, TrainSettings
from kommunbench.core.spec import Request

FOLDER = "carried"
LOST, MOMENTS = "lost", "moments"


class Carried:
    """What a site has from the round before the one that is asked for, and keeps for the next."""

    def __init__(self, home: Path, request: Request) -> None:
        self._folder = home / FOLDER / request.spec.run
        self._path = self._folder / f"{request.seed}-{request.round}.safetensors"
        before = self._folder / f"{request.seed}-{request.round - 1}.safetensors"
        self._found = load(before.read_bytes()) if before.is_file() else {}

    @property
    def moments(self) -> Moments | None:
        """The optimiser's, or None where nothing was kept."""
        return self._part(MOMENTS) or None

    def rounded(self, training: Training, sent: Adapter, settings: TrainSettings) -> Training:
        """The training with weights as they cross the network; what that took away and the moments are kept."""
        if settings.encoding == "float32" and training.moments is None:
            return training
        kept = {f"{MOMENTS}/{name}": array for name, array in (training.moments or {}).items()}
        weights = training.adapter
        if settings.encoding != "float32":
            lost = self._part(LOST)
            due = {name: array + lost[name] if name in lost else array for name, array in weights.items()}
            weights = rounded(due, sent, settings.encoding)
            kept |= {f"{LOST}/{name}": due[name] - weights[name] for name in due}
        self._save(kept)
        return replace(training, adapter=weights, moments=None)

    def _part(self, part: str) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(f"{part}/"): array for name, array in self._found.items() if name.startswith(f"{part}/")
        }

    def _save(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600)
        self._path.write_bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}))
