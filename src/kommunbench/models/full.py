"""Full tuning: every weight of the base is what is trained and sent, through the same path as a LoRA adapter.

It learns most and costs most: a message is as large as the model in float32, and a site keeps the base beside what it
trains. A site's policy has to allow it (`full_tuning`, `max_adapter_mib`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Adapter, TrainSettings
from kommunbench.models.lora import Lora

WRAPPED = ".base_layer."
"""What PEFT puts into a weight's name when the same model has LoRA layers too."""


class Full(Lora):
    """All weights of a base model in the place of one adapter; the base's own are kept, to go back to."""

    _own: dict[str, torch.Tensor] | None = None

    def fresh(self, settings: TrainSettings, seed: int) -> Adapter:  # noqa: ARG002
        """The base's own weights: the seed decides nothing."""
        self._wrap(settings)
        return {name: weight.cpu().numpy().copy() for name, weight in (self._own or {}).items()}

    def load(self, adapter: Adapter | None, settings: TrainSettings) -> None:
        """Copy `adapter` over the base's weights, or the base's own back with None.

        Raises:
            ModelError: its names or shapes are not those of this model.
        """
        if adapter is None and self._loaded is None:
            return
        self._wrap(settings)
        slots, own = self._slots(), self._own or {}
        if adapter is not None and {name: array.shape for name, array in adapter.items()} != {
            name: tuple(slot.shape) for name, slot in slots.items()
        }:
            raise ModelError(Fault("the weights' names or shapes are not those of the model"))
        with torch.no_grad():
            for name, slot in slots.items():
                slot.copy_(own[name] if adapter is None else torch.from_numpy(np.ascontiguousarray(adapter[name])))
                slot.requires_grad_(adapter is not None)
        self._loaded = adapter

    @contextmanager
    def folded(self) -> Iterator[None]:
        """There is nothing to fold: the weights are where they belong."""
        yield

    def save(self, adapter: Adapter, settings: TrainSettings, folder: Path, base: str) -> None:  # noqa: ARG002
        """Write `adapter_model.safetensors`, every weight by its name in the model."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.ascontiguousarray(array) for name, array in adapter.items()}
        save_file(arrays, folder / "adapter_model.safetensors")

    def merged(self) -> Any:
        """The base: the weights are in it."""
        return self.base

    def _wrap(self, settings: TrainSettings) -> None:  # noqa: ARG002
        """Keep the base's own weights, once.

        Raises:
            ModelError: they are not float32, so that what is sent and what is kept would differ by rounding.
        """
        if self._own is not None:
            return
        slots = self._slots()
        few_bits = getattr(self.base, "is_quantized", False)
        if few_bits or any(slot.dtype != torch.float32 for slot in slots.values()):
            raise ModelError(Fault("full tuning is of float32 weights", "options", "dtype: float32, quantize: no"))
        self._own = {name: slot.detach().clone() for name, slot in slots.items()}

    def _slots(self) -> dict[str, torch.Tensor]:
        """Every weight once, tied ones too, by the name that the model itself gives it, sorted."""
        named = {name.replace(WRAPPED, "."): weight for name, weight in self.base.named_parameters()}
        return {name: named[name] for name in sorted(named) if ".lora_" not in name}
