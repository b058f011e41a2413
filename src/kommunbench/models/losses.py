"""How well a model foretells given answers: one number a row, for whoever asks what it remembers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from kommunbench.models.batches import UNSCORED, collate, encode_pairs, in_parts

PART_TOKENS = 4096
"""Tokens that go through the model at once."""


@torch.inference_mode()
def answer_losses(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], max_length: int) -> list[float]:
    """Mean cross-entropy of each pair's answer given its prompt, in nats a token, in order.

    Computed in float32 without dropout; padding changes no number but for rounding.
    """
    rows = encode_pairs(model, tokenizer, pairs, max_length)
    order = sorted(range(len(rows)), key=lambda place: (len(rows[place].prompt) + len(rows[place].answer), place))
    was_training = model.training
    model.eval()
    found: list[float] = []
    for part in in_parts([rows[place] for place in order], PART_TOKENS):
        inputs, targets = collate(model, tokenizer, part)
        logits = model(**inputs, use_cache=False).logits.float()
        loss = cross_entropy(logits.transpose(1, 2), targets, ignore_index=UNSCORED, reduction="none")
        found += (loss.sum(dim=1) / (targets != UNSCORED).sum(dim=1)).tolist()
    model.train(was_training)
    return [loss for _, loss in sorted(zip(order, found, strict=True))]
