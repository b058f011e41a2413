"""Training rows as tensors: prompt and answer encoded, rows of about one length together."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from kommunbench.models.padding import pad_left, pad_right, padding_token, start_token

UNSCORED = -100
"""The target of a token on which there is no loss."""
BUCKET = 8
"""Batches that are sorted by length together: padding against shuffling."""


class Encoded(NamedTuple):
    """Token numbers of one row; the answer ends with the end-of-sequence token."""

    prompt: list[int]
    answer: list[int]


def encode_pairs(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], max_length: int) -> list[Encoded]:
    """Encode (prompt, answer) pairs, in order.

    A causal model's answer follows a space (nothing, within a chat template), and both share `max_length`; an
    encoder-decoder has it for each. Too long a prompt loses its start, too long an answer its end.
    """
    if not pairs:
        return []  # tokenizers take no empty list
    together = not model.config.is_encoder_decoder
    encoded = tokenizer([prompt for prompt, _ in pairs])["input_ids"]
    prompts = [ids or [start_token(tokenizer)] for ids in encoded]
    space = getattr(tokenizer, "joint", " ") if together else ""
    answers = tokenizer([space + answer for _, answer in pairs], add_special_tokens=False)["input_ids"]
    rows = []
    for prompt, answer in zip(prompts, answers, strict=True):
        answer = [*answer[: max_length // 2 if together else max_length - 1], tokenizer.eos_token_id]
        rows.append(Encoded(prompt[-(max_length - len(answer) if together else max_length) :], answer))
    return rows


def in_buckets(rows: Sequence[Encoded], batch_size: int, seed: int) -> Iterator[list[Encoded]]:
    """Batches without end, pass after pass: shuffled, then sorted by length within BUCKET batches, then shuffled."""
    draw = np.random.default_rng(seed)
    while True:
        order = draw.permutation(len(rows)).tolist()
        batches = []
        for start in range(0, len(order), batch_size * BUCKET):
            near = order[start : start + batch_size * BUCKET]
            near.sort(key=lambda place: (len(rows[place].prompt) + len(rows[place].answer), place))
            batches += [near[at : at + batch_size] for at in range(0, len(near), batch_size)]
        for index in draw.permutation(len(batches)):
            yield [rows[place] for place in batches[index]]


def in_parts(batch: Sequence[Encoded], tokens: int) -> Iterator[list[Encoded]]:
    """The rows of `batch` in order, in parts of at most `tokens` with padding, or one row where that is longer."""
    part: list[Encoded] = []
    for row in batch:
        width = max(len(other.prompt) + len(other.answer) for other in (*part, row))
        if part and width * (len(part) + 1) > tokens:
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def collate(model: Any, tokenizer: Any, batch: Sequence[Encoded]) -> tuple[dict[str, Any], torch.Tensor]:
    """(inputs of the model's forward, targets (rows, positions of its logits)); UNSCORED outside the answers.

    A causal row is padded on the left, so that all answers end at the right edge and, where the architecture can,
    logits are computed for the last positions alone.
    """
    pad = padding_token(tokenizer)
    if model.config.is_encoder_decoder:
        return _collate_encoder_decoder(model, batch, pad)
    ids, mask = pad_left([row.prompt + row.answer for row in batch], pad)
    targets, scored = pad_left([row.answer for row in batch], 0)
    targets = targets.masked_fill(scored == 0, UNSCORED)
    inputs: dict[str, Any] = {"input_ids": ids[:, :-1], "attention_mask": mask[:, :-1]}
    accepted = inspect.signature(model.forward).parameters
    if "position_ids" in accepted:
        inputs["position_ids"] = (mask[:, :-1].cumsum(-1) - 1).clamp(min=0)
    inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    if "logits_to_keep" in accepted:
        inputs["logits_to_keep"] = targets.shape[1]
    else:
        width = ids.shape[1] - 1 - targets.shape[1]
        targets = torch.nn.functional.pad(targets, (width, 0), value=UNSCORED)
    return inputs, targets.to(model.device)


def _collate_encoder_decoder(model: Any, batch: Sequence[Encoded], pad: int) -> tuple[dict[str, Any], torch.Tensor]:
    ids, mask = pad_right([row.prompt for row in batch], pad)
    targets, scored = pad_right([row.answer for row in batch], pad)
    start = torch.full((len(batch), 1), model.config.decoder_start_token_id)
    decoder_ids = torch.cat([start, targets[:, :-1]], dim=1)
    inputs = {"input_ids": ids, "attention_mask": mask, "decoder_input_ids": decoder_ids}
    targets = targets.masked_fill(scored == 0, UNSCORED)
    return {name: tensor.to(model.device) for name, tensor in inputs.items()}, targets.to(model.device)
