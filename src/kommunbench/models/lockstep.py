"""Batches in step, for every architecture that transformers can generate with: prompts padded to one length, one token
a row a step, and a row leaves the batch at the token that ends it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch

from kommunbench.models.padding import pad_left, pad_right, padding_token
from kommunbench.models.slots import Row


def run_in_step(model: Any, tokenizer: Any, rows: Sequence[Row], has_ended: Callable[[Row], bool]) -> None:
    """Fill `row.new` of every row of one batch, greedily."""
    rows = list(rows)
    step = (_EncoderDecoder if model.config.is_encoder_decoder else _Causal)(model, tokenizer, rows)
    while True:
        for row, token in zip(rows, step.forward().argmax(-1).tolist(), strict=True):
            row.new.append(token)
        going = [index for index, row in enumerate(rows) if not has_ended(row)]
        if not going:
            return
        if len(going) < len(rows):
            rows = [rows[index] for index in going]
            step.keep(torch.tensor(going, device=model.device))
        step.append(torch.tensor([[row.new[-1]] for row in rows], device=model.device))


class _Causal:
    """A causal model's cache, mask and positions, row by row."""

    def __init__(self, model: Any, tokenizer: Any, rows: Sequence[Row]) -> None:
        self.model = model
        ids, mask = pad_left([row.prompt for row in rows], padding_token(tokenizer))
        self.ids, self.mask = ids.to(model.device), mask.to(model.device)
        self.cache: Any = None
        accepted = inspect.signature(model.forward).parameters
        self.with_positions = "position_ids" in accepted
        self.extra = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}

    def forward(self) -> torch.Tensor:
        """Logits of the next token, (rows, vocabulary)."""
        inputs: dict[str, Any] = dict(self.extra)
        if self.with_positions:
            positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
            inputs["position_ids"] = positions[:, -self.ids.shape[1] :]
        output = self.model(
            input_ids=self.ids, attention_mask=self.mask, past_key_values=self.cache, use_cache=True, **inputs
        )
        self.cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every row but these."""
        self.cache.reorder_cache(rows)
        self.mask = self.mask[rows]

    def append(self, tokens: torch.Tensor) -> None:
        """The tokens just made, (rows, 1)."""
        self.ids = tokens
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)


class _EncoderDecoder:
    """An encoder-decoder's encoded prompts and the decoder's cache, row by row."""

    def __init__(self, model: Any, tokenizer: Any, rows: Sequence[Row]) -> None:
        self.model = model
        # Encoders count positions from the left edge, so rows are padded on the right.
        ids, mask = pad_right([row.prompt for row in rows], padding_token(tokenizer))
        self.mask = mask.to(model.device)
        self.encoded = model.get_encoder()(input_ids=ids.to(model.device), attention_mask=self.mask)
        start = model.generation_config.decoder_start_token_id
        start = model.config.decoder_start_token_id if start is None else start
        self.ids = torch.full((len(rows), 1), start, device=model.device)
        self.cache: Any = None

    def forward(self) -> torch.Tensor:
        """Logits of the next token, (rows, vocabulary)."""
        output = self.model(
            encoder_outputs=self.encoded,
            attention_mask=self.mask,
            decoder_input_ids=self.ids,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.cache = output.past_key_values
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every row but these."""
        self.cache.reorder_cache(rows)
        self.mask = self.mask[rows]
        self.encoded.last_hidden_state = self.encoded.last_hidden_state[rows]

    def append(self, tokens: torch.Tensor) -> None:
        """The tokens just made, (rows, 1)."""
        self.ids = tokens
