"""Whether a training step's activations fit in memory, or are worked out twice (Chen et al. 2016).

Batches go through in parts of a fixed size whatever the machine (`lora.PART_TOKENS`), since other parts round otherwise
and a site's weights would depend on what else runs there; working activations out again gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import psutil
import torch

KEPT_OF_WIDTH, KEPT_OF_INNER = 11, 4
"""Numbers that a layer of a Llama keeps for its way back, a token, for each of its width and of its inner width; fused
attention keeps no matrix of its own. Counted with torch's saved-tensor hooks; tests count again."""
SHARE = 0.5
"""Share of the free memory that activations may have; the rest is gradients, logits and whoever else is there."""
INNER = ("intermediate_size", "ffn_dim", "d_ff", "n_inner")
"""What configurations call the inner width of a layer; four times the width where they do not say."""
CGROUP = Path("/sys/fs/cgroup")


@contextmanager
def checkpointing(model: Any, wanted: Literal["auto", "on", "off"], tokens: int) -> Iterator[None]:
    """Inside, `model` keeps only each layer's input of a step where that is wanted, or needed for `tokens` at once."""
    needed = wanted == "on" or (wanted == "auto" and activation_bytes(model, tokens) > SHARE * free_bytes(model.device))
    if not needed or not getattr(model, "supports_gradient_checkpointing", False):
        yield
        return
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    try:
        yield
    finally:
        model.gradient_checkpointing_disable()


def activation_bytes(model: Any, tokens: int) -> int:
    """Bytes that a step over `tokens` keeps for its way back in float32, about."""
    config = model.config.get_text_config()
    layers = getattr(config, "num_hidden_layers", 0) + (getattr(config, "num_decoder_layers", 0) or 0)
    width = int(config.hidden_size)
    inner = next((size for name in INNER if (size := getattr(config, name, None))), 4 * width)
    return 4 * (KEPT_OF_WIDTH * width + KEPT_OF_INNER * int(inner)) * layers * tokens


def free_bytes(device: torch.device, cgroup: Path = CGROUP) -> int:
    """Memory that this process may still take: of the GPU, or of the machine and of its service's own limit."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return free  # no such limit here, or another version of control groups
    return free if limit == "max" else min(free, int(limit) - int(used))
