"""The adapter alone as a torch module: NVFLARE wants a module, by its class, for what the server starts from."""

from __future__ import annotations

import torch
from safetensors.torch import load_file


class PeftWeights(torch.nn.Module):
    """Its state dict is the adapter in `path`, under PEFT's names."""

    def __init__(self, path: str) -> None:
        super().__init__()
        for name, tensor in load_file(path).items():
            owner: torch.nn.Module = self
            *parts, last = name.split(".")
            for part in parts:
                if part not in owner._modules:
                    owner.add_module(part, torch.nn.Module())
                owner = owner._modules[part]
            owner.register_parameter(last, torch.nn.Parameter(tensor))
