"""Rows of tokens of unlike lengths as one tensor and its mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


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
