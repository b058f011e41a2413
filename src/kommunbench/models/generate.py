"""Greedy answers, many prompts at once, with the very tokens that one prompt at a time would give.

Identical prompts are answered once, the longest come first, and none is worked on after the token that ends it. The
architecture decides how: in slots (slots.py), or batch by batch (lockstep.py); a small model in several processes
(forks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch

from kommunbench.core.model import Completion, Decoding
from kommunbench.models.forks import can_fork, in_processes
from kommunbench.models.lockstep import run_in_step
from kommunbench.models.padding import start_token
from kommunbench.models.room import rows_at_once
from kommunbench.models.slots import Row, Slots, can_use_slots, run_in_slots

FORK_LIMIT = 50_000_000
"""Parameters up to which a process a core is faster than a thread a core: beyond, steps are long enough for threads."""


@torch.inference_mode()
def generate(model: Any, tokenizer: Any, prompts: Sequence[str], decoding: Decoding) -> list[Completion]:
    """Greedy completions of `prompts`, in order.

    Args:
        model: a transformers causal or encoder-decoder model.
        tokenizer: its fast tokenizer.
        prompts: texts; one longer than the model can read loses its start.
        decoding: limits, stop strings and batch size, the latter of each process and as long as memory lasts.
    """
    room = prompt_room(model, decoding.max_new_tokens)
    distinct = list(dict.fromkeys(prompts))
    rows = [Row(place, encode_prompt(tokenizer, prompt, room)) for place, prompt in enumerate(distinct)]
    longest_first = sorted(rows, key=lambda row: (-len(row.prompt), row.place))
    was_training = model.training
    model.eval()
    _answer(model, tokenizer, longest_first, decoding)
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


def _answer(model: Any, tokenizer: Any, rows: Sequence[Row], decoding: Decoding) -> None:
    """Fill `row.new` of all `rows`, the longest first."""
    ends = _end_tokens(model, tokenizer)

    def has_ended(row: Row) -> bool:
        return (
            len(row.new) == decoding.max_new_tokens
            or row.new[-1] in ends
            or _stopped(tokenizer, row.new, decoding.stop)
        )

    processes = min(torch.get_num_threads(), len(rows) // 2)
    if not rows:
        return
    longest = len(rows[0].prompt) + decoding.max_new_tokens
    if not can_use_slots(model, longest):
        size = rows_at_once(model, decoding.batch_size, longest)
        for start in range(0, len(rows), size):
            run_in_step(model, tokenizer, rows[start : start + size], has_ended)
    elif processes > 1 and can_fork(model.device) and model.num_parameters() <= FORK_LIMIT:
        slots = rows_at_once(model, min(decoding.batch_size, len(rows)), longest, processes)
        work = partial(_in_slots, model, rows, (slots, longest), has_ended)
        for number, new in in_processes(work, len(rows), processes):
            rows[number].new = new
    else:
        slots = rows_at_once(model, min(decoding.batch_size, len(rows)), longest)
        for _ in _in_slots(model, rows, (slots, longest), has_ended, iter(range(len(rows)))):
            pass


def _in_slots(
    model: Any, rows: Sequence[Row], room: tuple[int, int], has_ended: Callable[[Row], bool], numbers: Iterator[int]
) -> Iterator[tuple[int, list[int]]]:
    """Answer those of `rows` that `numbers` names in `room` (slots, tokens); give each one's number and new tokens."""
    number_of = {row.place: number for number, row in enumerate(rows)}
    for row in run_in_slots(Slots(model, *room), (rows[number] for number in numbers), has_ended):
        yield number_of[row.place], row.new


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


def _finish(tokenizer: Any, row: Row, stop: tuple[str, ...]) -> Completion:
    text = tokenizer.decode(row.new, skip_special_tokens=True)
    cut = min((place for place in (text.find(end) for end in stop) if place >= 0), default=len(text))
    return Completion(text[:cut].strip(), prompt_tokens=len(row.prompt), new_tokens=len(row.new))
