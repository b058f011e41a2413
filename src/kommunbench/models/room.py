"""What fits in memory: how many prompts are answered at once, and whether a training step's activations are kept.

Activations that do not fit are worked out twice (Chen et al. 2016). Batches of a training go through in parts of a
fixed size whatever the machine (`lora.PART_TOKENS`), since others round otherwise and a site's weights would depend on
what else runs there; working activations out again gives the same numbers.
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
"""Share of the free memory that activations, or keys and values, may have; the rest is gradients, logits and others."""
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


def rows_at_once(model: Any, wanted: int, tokens: int, processes: int = 1) -> int:
    """How many rows of up to `tokens` tokens are answered at once: `wanted`, or fewer where their keys and values would
    not fit; as many in each of the `processes` that answer side by side. It changes no answer, only when it comes.
    """
    of_a_row = cache_bytes(model, tokens)
    fitting = int(SHARE * free_bytes(model.device) / processes / of_a_row) if of_a_row else wanted
    return max(1, min(wanted, fitting))


def cache_bytes(model: Any, tokens: int) -> int:
    """Bytes that the keys and values of `tokens` take; 0 where the configuration does not say, as without attention."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 0
    width = getattr(config, "head_dim", None) or (int(config.hidden_size) // heads if heads else 0)
    layers: Any = getattr(config, "num_decoder_layers", None) or getattr(config, "num_hidden_layers", 0)
    kept = getattr(config, "num_key_value_heads", None) or heads
    return int(2 * kept * width * layers * tokens * model.dtype.itemsize)


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
