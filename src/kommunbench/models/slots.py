"""Continuous batching: the batch is a set of slots, and a slot whose answer has ended takes the next prompt at once.

Orca (Yu et al. 2022) calls it iteration-level scheduling. A slot is a row of one key and value cache, filled from its
left edge. A prompt is read alone, without padding, into a free slot; then all slots take a step together, each masked
to its own length. So no step is spent on a row that has ended, no row is copied to make the cache longer, and a prompt
that begins as one in a slot takes the keys and values of that beginning over and reads the rest alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

SHARED_LEAST = 32
"""Tokens that a prompt must share with another for it to be worth a mask."""
KNOWN = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma3_text", "gpt2", "gpt_neox", "phi3", "olmo2", "smollm3"})
"""Architectures, by their configuration's `model_type`, that tests/models/test_slots.py compares with transformers' own
`generate`: causal, every layer attends, and positions and 4D masks are taken as given."""


@dataclass(slots=True)
class Row:
    """One prompt under way."""

    place: int
    prompt: list[int]
    new: list[int] = field(default_factory=list)


def can_use_slots(model: Any, longest: int) -> bool:
    """Whether `model` answers prompts of up to `longest` tokens, their answers included, the same in slots."""
    config = model.config
    window = getattr(config, "sliding_window", None) or longest
    return (
        config.model_type in KNOWN
        and config._attn_implementation == "sdpa"
        and set(getattr(config, "layer_types", None) or ()) <= {"full_attention", "sliding_attention"}
        and window >= longest
        and not any(kind in str(getattr(config, "rope_parameters", "")) for kind in ("dynamic", "longrope"))
    )  # those two kinds turn by the longest row there is


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, (slots, heads, tokens, width of a head); `Slots` says which of them are meant."""

    is_sliding = False

    def __init__(self, slots: Slots) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots = slots
        self.kept: tuple[torch.Tensor, ...] = ()

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.kept = tuple(
            new.new_zeros(self.slots.count, new.shape[1], self.slots.tokens, new.shape[3])
            for new in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *args: Any,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys, values = self.kept
        return self.slots.put(keys, key_states), self.slots.put(values, value_states)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Give slot `target` the first `tokens` tokens of slot `source`."""
        for kept in self.kept:
            kept[target, :, :tokens] = kept[source, :, :tokens]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1


class Slots:
    """The cache of `count` slots of `tokens` tokens each, and the model that fills it."""

    def __init__(self, model: Any, count: int, tokens: int) -> None:
        self.model, self.count, self.tokens = model, count, tokens
        self.layers = [_Layer(self) for _ in range(model.config.num_hidden_layers)]
        self.cache = Cache(layers=list(self.layers))
        self.rows: list[Row] = []
        """Those under way: row i is in slot i."""
        self._read: list[list[int]] = [[] for _ in range(count)]
        """Prompts whose keys and values lie in the slots, those of ended rows too."""
        self._target = slice(0, 0)
        self._start = 0
        self._ends: torch.Tensor | None = None
        self._width = 0

    def put(self, kept: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Write `new` where the call at hand wants it, and give all that it attends to."""
        if self._ends is None:
            end = self._start + new.shape[2]
            kept[self._target, :, self._start : end] = new
            return kept[self._target, :, :end]
        kept[torch.arange(len(new), device=new.device), :, self._ends] = new[:, :, 0]
        return kept[: len(new), :, : self._width]

    def read(self, row: Row, slot: int) -> torch.Tensor:
        """Read the prompt of `row` into `slot`; the next token's logits, (1, vocabulary)."""
        source, shared = self._longest_start(row.prompt)
        for layer in self.layers if shared else ():
            layer.copy(source, slot, shared)
        self._target, self._start, self._ends = slice(slot, slot + 1), shared, None
        positions = torch.arange(shared, len(row.prompt), device=self.model.device)
        mask = None
        if shared:
            mask = torch.arange(len(row.prompt), device=self.model.device) <= positions[:, None]
            mask = mask[None, None]
        self._read[slot] = row.prompt
        return self._logits([row.prompt[shared:]], positions[None], mask)

    def step(self) -> torch.Tensor:
        """Take every row's newest token in; logits of the next, (rows, vocabulary)."""
        ends = [len(row.prompt) + len(row.new) - 1 for row in self.rows]
        self._width = max(ends) + 1
        self._ends = torch.tensor(ends, device=self.model.device)
        mask = torch.arange(self._width, device=self.model.device) <= self._ends[:, None]
        return self._logits([row.new[-1:] for row in self.rows], self._ends[:, None], mask[:, None, None])

    def leave(self, slot: int) -> None:
        """The row in `slot` has ended and nothing takes its place: the last row moves there."""
        last = len(self.rows) - 1
        if slot < last:
            length = len(self.rows[last].prompt) + len(self.rows[last].new)
            for layer in self.layers:
                layer.copy(last, slot, length)
            self.rows[slot] = self.rows[last]
            self._read[slot] = self._read[last]
        self.rows.pop()

    def _longest_start(self, prompt: list[int]) -> tuple[int, int]:
        """The slot whose prompt shares the longest beginning with `prompt`, and its tokens; at least one is left."""
        shared = [_shared(prompt, other) for other in self._read]
        most = max(shared)
        return (shared.index(most), most) if most >= SHARED_LEAST else (0, 0)

    def _logits(self, ids: list[list[int]], positions: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        output = self.model(
            input_ids=torch.tensor(ids, device=self.model.device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits


def run_in_slots(slots: Slots, rows: Iterator[Row], has_ended: Callable[[Row], bool]) -> Iterator[Row]:
    """Answer `rows`, greedily, and yield each when it has ended."""
    going = slots.rows
    while True:
        while len(going) < slots.count and (row := next(rows, None)) is not None:
            row.new.append(int(slots.read(row, len(going)).argmax(-1)))
            if has_ended(row):
                yield row
            else:
                going.append(row)
        if not going:
            return
        for row, token in zip(going, slots.step().argmax(-1).tolist(), strict=True):
            row.new.append(token)
        for slot in reversed(range(len(going))):
            if has_ended(going[slot]):
                yield going[slot]
                slots.leave(slot)


def _shared(one: list[int], other: list[int]) -> int:
    """Tokens that both begin with, the last of `one` not counted."""
    most = min(len(one) - 1, len(other))
    if one[:most] == other[:most]:
        return most
    return next(index for index in range(most) if one[index] != other[index])
