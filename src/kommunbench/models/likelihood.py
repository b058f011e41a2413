"""How likely a model finds given beginnings of its answer: what confidence is made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch

from kommunbench.models.generate import encode_prompt, prompt_room


@torch.inference_mode()
def log_likelihoods(
    model: Any, tokenizer: Any, questions: Sequence[tuple[str, Sequence[str]]], max_new_tokens: int
) -> list[list[float]]:
    """For each (prompt, beginnings), the log-probability in nats that the answer begins with each of them.

    The prompt is cut as when an answer of `max_new_tokens` is generated; a causal model's answer follows a space
    (nothing, within a chat template), as in training. What the beginnings share is read once. Every prompt goes through
    the model by itself, without padding: the numbers are the same whatever else is asked. An empty beginning is certain
    (0 nats).
    """
    was_training = model.training
    model.eval()
    space = "" if model.config.is_encoder_decoder else getattr(tokenizer, "joint", " ")
    found = []
    for prompt, beginnings in questions:
        texts = [space + text for text in beginnings]
        answers = [tokenizer(text, add_special_tokens=False)["input_ids"] if text.strip() else [] for text in texts]
        room = prompt_room(model, max(max_new_tokens, *map(len, answers)))
        found.append(_of_one(model, encode_prompt(tokenizer, prompt, room), answers))
    model.train(was_training)
    return found


def _of_one(model: Any, prompt: list[int], answers: list[list[int]]) -> list[float]:
    """Sums of the tokens' log-probabilities: what all answers share, then where each goes on by itself."""
    longest = max(answers, key=len)
    if not longest:
        return [0.0] * len(answers)
    scored = [answer for answer in answers if answer]
    columns = zip(*(answer[:-1] for answer in scored), strict=False)  # each is left one token of its own
    shared = [tokens[0] for tokens in takewhile(lambda tokens: len(set(tokens)) == 1, columns)]
    reader = (_EncoderDecoder if model.config.is_encoder_decoder else _Causal)(model, prompt, shared)
    common = float(_picked(reader.first[:-1], shared).sum()) if shared else 0.0
    own = [answer[len(shared) :] for answer in scored]
    sums = _picked(reader.first[-1:].expand(len(own), -1), [answer[0] for answer in own])
    if (width := max(map(len, own)) - 1) > 0:
        padded = torch.tensor([answer[:-1] + [answer[0]] * (width - len(answer) + 1) for answer in own])
        logs = reader.go_on(padded.to(model.device))
        for row, answer in enumerate(own):
            sums[row] += _picked(logs[row], answer[1:]).sum()
    rest = iter(sums.tolist())
    return [common + next(rest) if answer else 0.0 for answer in answers]


def _picked(logs: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    """The log-probability of each token, float64, from rows of (positions, vocabulary); rows beyond are left out."""
    return logs[: len(tokens)].gather(1, torch.tensor([tokens], device=logs.device).T)[:, 0].double()


class _Causal:
    """A causal model that has read the prompt and what all answers share."""

    def __init__(self, model: Any, prompt: list[int], shared: list[int]) -> None:
        self.model = model
        output = model(input_ids=torch.tensor([prompt + shared], device=model.device), use_cache=True)
        self.first = output.logits[0, len(prompt) - 1 :].float().log_softmax(-1)
        self.cache = output.past_key_values

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of what follows each of `tokens` [answers, width], [answers, width, vocabulary]."""
        self.cache.reorder_cache(torch.zeros(len(tokens), dtype=torch.long, device=tokens.device))
        output = self.model(input_ids=tokens, past_key_values=self.cache, use_cache=True)
        logs: torch.Tensor = output.logits.float().log_softmax(-1)
        return logs


class _EncoderDecoder:
    """An encoder-decoder that has read the prompt, with what all answers share in its decoder."""

    def __init__(self, model: Any, prompt: list[int], shared: list[int]) -> None:
        self.model = model
        self.encoded = model.get_encoder()(input_ids=torch.tensor([prompt], device=model.device))
        start = model.generation_config.decoder_start_token_id
        start = model.config.decoder_start_token_id if start is None else start
        output = model(
            encoder_outputs=self.encoded,
            decoder_input_ids=torch.tensor([[start, *shared]], device=model.device),
            use_cache=True,
        )
        self.first = output.logits[0].float().log_softmax(-1)
        self.cache = output.past_key_values

    def go_on(self, tokens: torch.Tensor) -> torch.Tensor:
        """As the causal model's."""
        rows = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
        self.cache.reorder_cache(rows)
        self.encoded.last_hidden_state = self.encoded.last_hidden_state[rows]
        output = self.model(
            encoder_outputs=self.encoded, decoder_input_ids=tokens, past_key_values=self.cache, use_cache=True
        )
        logs: torch.Tensor = output.logits.float().log_softmax(-1)
        return logs
