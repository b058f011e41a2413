"""The adapter alone as a torch module: NVFLARE wants a module for what the server starts from."""

from __future__ import annotations

import torch


class PeftWeights(torch.nn.Module):
    """Its state dict is the adapter, under PEFT's names."""

    def __init__(self, weights: dict[str, torch.Tensor] | None = None) -> None:
        super().__init__()
        for name, tensor in (weights or {}).items():
            owner: torch.nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if part not in owner._modules:
                    owner.add_module(part, torch.nn.Module())
                owner = owner._modules[part]
            owner.register_parameter(last, torch.nn.Parameter(tensor))
