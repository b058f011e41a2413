"""The generation loop: greedy, in batches, with the very answers that one prompt at a time would give.

Prompts are sorted by length and padded on the left, identical prompts are answered once, and a row leaves the batch at
the token that ends it, so that no step is spent on finished rows.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from kommunbench.core.model import Completion, Decoding


@dataclass(slots=True)
class _Row:
    """One prompt under way."""

    place: int
    prompt: list[int]
    new: list[int] = field(default_factory=list)


@torch.inference_mode()
def generate(model: Any, tokenizer: Any, prompts: Sequence[str], decoding: Decoding) -> list[Completion]:
    """Greedy completions of `prompts`, in order.

    Args:
        model: a transformers causal or encoder-decoder model.
        tokenizer: its fast tokenizer.
        prompts: texts; one longer than the model can read loses its start.
        decoding: limits, stop strings and batch size.
    """
    room = prompt_room(model, decoding.max_new_tokens)
    distinct = list(dict.fromkeys(prompts))
    rows = [_Row(place, encode_prompt(tokenizer, prompt, room)) for place, prompt in enumerate(distinct)]
    longest_first = sorted(rows, key=lambda row: (-len(row.prompt), row.place))
    was_training = model.training
    model.eval()
    for start in range(0, len(rows), decoding.batch_size):
        _run(model, tokenizer, longest_first[start : start + decoding.batch_size], decoding)
    model.train(was_training)
    answers = {prompt: _finish(tokenizer, row, decoding.stop) for prompt, row in zip(distinct, rows, strict=True)}
    return [answers[prompt] for prompt in prompts]


def encode_prompt(tokenizer: Any, prompt: str, room: int) -> list[int]:
    """Token numbers of `prompt` with the tokenizer's own special tokens; of a longer one the last `room`.

    No token at all is a start token: a model has to begin from something.
    """
    ids: list[int] = tokenizer(prompt)["input_ids"]
    return ids[-room:] or [start_token(tokenizer)]


def prompt_room(model: Any, max_new_tokens: int) -> int:
    """Tokens that a prompt may have: what the model reads, less the answer where both share the same positions."""
    config = model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 1 << 30
    return max(1, positions if config.is_encoder_decoder else positions - max_new_tokens)


def pad_left(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask), both int64 (rows, longest): shorter rows are filled on the left, where the mask is 0."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def pad_right(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """As `pad_left`, with shorter rows filled on the right."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([list(row) + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return ids, mask


def padding_token(tokenizer: Any) -> int:
    """A token to fill rows with; it is always masked, so any will do."""
    return next((token for token in (tokenizer.pad_token_id, tokenizer.eos_token_id) if token is not None), 0)


def start_token(tokenizer: Any) -> int:
    """A token to begin an empty text with."""
    return next((token for token in (tokenizer.bos_token_id, tokenizer.eos_token_id) if token is not None), 0)


def _run(model: Any, tokenizer: Any, rows: list[_Row], decoding: Decoding) -> None:
    """Fill `row.new` of every row."""
    ends = _end_tokens(model, tokenizer)
    step = (_EncoderDecoder if model.config.is_encoder_decoder else _Causal)(model, tokenizer, rows)
    for _ in range(decoding.max_new_tokens):
        newest = step.forward().argmax(-1).tolist()
        for row, token in zip(rows, newest, strict=True):
            row.new.append(token)
        going = [
            index
            for index, row in enumerate(rows)
            if row.new[-1] not in ends and not _stopped(tokenizer, row.new, decoding.stop)
        ]
        if not going:
            return
        if len(going) < len(rows):
            rows = [rows[index] for index in going]
            step.keep(torch.tensor(going, device=model.device))
        step.append(torch.tensor([[row.new[-1]] for row in rows], device=model.device))


class _Causal:
    """A causal model's cache, mask and positions, row by row."""

    def __init__(self, model: Any, tokenizer: Any, rows: list[_Row]) -> None:
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

    def __init__(self, model: Any, tokenizer: Any, rows: list[_Row]) -> None:
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


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    stated = model.generation_config.eos_token_id
    listed = stated if isinstance(stated, list) else [stated]
    return frozenset(token for token in (*listed, tokenizer.eos_token_id) if token is not None)


def _stopped(tokenizer: Any, new: list[int], stop: tuple[str, ...]) -> bool:
    """Whether the newest token completes a stop string. Every token has at least a byte: a short tail is enough."""
    if not stop:
        return False
    tail = tokenizer.decode(new[-(max(len(text.encode()) for text in stop) + 1) :], skip_special_tokens=True)
    return any(text in tail for text in stop)


def _finish(tokenizer: Any, row: _Row, stop: tuple[str, ...]) -> Completion:
    text = tokenizer.decode(row.new, skip_special_tokens=True)
    cut = min((place for place in (text.find(end) for end in stop) if place >= 0), default=len(text))
    return Completion(text[:cut].strip(), prompt_tokens=len(row.prompt), new_tokens=len(row.new))
