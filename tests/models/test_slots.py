"""Continuous batching gives the tokens that transformers' own `generate` gives, one prompt at a time."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
import torch

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard
from kommunbench.models import forks, slots
from kommunbench.models.forks import in_processes
from kommunbench.models.generate import generate
from kommunbench.models.open import open_model
from tiny_models import LINES, make_causal

EVERYDAY = ("llama", "gpt2", "mistral", "qwen3")
ARCHITECTURES = [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow) for name in sorted(slots.KNOWN)]
WORKED = "\n".join(LINES)[:220]


def prompts() -> list[str]:
    """Of many lengths, one twice, some that begin alike, as worked examples make them."""
    draw = random.Random(3)
    words = " ".join(LINES).split()
    alone = [" ".join(draw.choices(words, k=draw.randint(1, 20))) for _ in range(9)]
    return [*alone, alone[4], *(f"{WORKED}\n\n{text}" for text in alone[:4]), WORKED]


def plain(model: object, prompt: str, new: int) -> list[int]:
    ids = model.tokenizer(prompt, return_tensors="pt")
    with torch.inference_mode():
        out = model.network.generate(**ids, max_new_tokens=new, do_sample=False)
    return out[0, ids["input_ids"].shape[1] :].tolist()


def cut(text: str, stop: str) -> str:
    return text.split(stop)[0].strip()


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kommunbench.models.generate.FORK_LIMIT", 0)


def opened(folder: Path, architecture: str, **settings: object) -> object:
    return open_model(make_causal(folder, architecture, **settings), threads=1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokens_are_those_of_one_prompt_at_a_time(architecture: str, tmp_path: Path, one_process: None) -> None:
    model = opened(tmp_path, architecture)
    expected = [plain(model, prompt, 12) for prompt in prompts()]
    assert slots.can_use_slots(model.network, 400)
    for count in (1, 4):
        got = generate(model.network, model.tokenizer, prompts(), Decoding(max_new_tokens=12, batch_size=count))
        texts = [model.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in expected]
        assert [completion.text for completion in got] == texts
        assert [completion.new_tokens for completion in got] == [len(ids) for ids in expected]


def test_a_slot_takes_the_next_prompt_when_its_row_ends(tmp_path: Path, one_process: None) -> None:
    model = opened(tmp_path, "llama")
    whole = [model.tokenizer.decode(plain(model, prompt, 24), skip_special_tokens=True) for prompt in prompts()]
    letters = sorted({letter for text in whole for letter in text})
    stop = next(letter for letter in letters if 4 <= sum(letter in text for text in whole) < len(whole) - 2)
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    with model.network.register_forward_hook(count) and torch.inference_mode():
        got = generate(
            model.network, model.tokenizer, prompts(), Decoding(max_new_tokens=24, batch_size=4, stop=(stop,))
        )
    assert [completion.text for completion in got] == [cut(text, stop) for text in whole]
    distinct = {prompt: completion.new_tokens for prompt, completion in zip(prompts(), got, strict=True)}
    batches = -(-len(distinct) // 4)
    assert steps < len(distinct) + batches * 23  # as many reads, and fewer steps than batches of four would take


def test_what_a_prompt_shares_with_one_in_a_slot_is_not_read_again(tmp_path: Path, one_process: None) -> None:
    model = opened(tmp_path, "llama")
    read: list[int] = []
    model.network.register_forward_pre_hook(
        lambda _module, _args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    alike = [f"{WORKED}\n\nFråga {number}" for number in range(5)]
    generate(model.network, model.tokenizer, alike, Decoding(max_new_tokens=1, batch_size=2))
    lengths = [len(model.tokenizer(prompt)["input_ids"]) for prompt in alike]
    assert read[0] == max(lengths)
    assert sum(read[1:]) <= 4 * 3


def test_a_prompt_longer_than_the_window_goes_batch_by_batch(tmp_path: Path, one_process: None) -> None:
    model = opened(tmp_path, "mistral", sliding_window=32)
    assert not slots.can_use_slots(model.network, 33)
    got = generate(model.network, model.tokenizer, prompts(), Decoding(max_new_tokens=8, batch_size=4))
    expected = [plain(model, prompt, 8) for prompt in prompts()]
    assert [completion.text for completion in got] == [
        model.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in expected
    ]


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("bloom", {"n_head": 4}),
        ("gemma2", {}),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}}),
    ],
)
def test_another_architecture_is_left_to_the_plain_way(
    architecture: str, settings: dict[str, object], tmp_path: Path
) -> None:
    assert not slots.can_use_slots(opened(tmp_path, architecture, **settings).network, 10)


def test_processes_give_what_one_gives(any_card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model(any_card, threads=1)
    decoding = Decoding(max_new_tokens=12, batch_size=4, stop=("e",))
    alone = generate(model.network, model.tokenizer, prompts(), decoding)
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    assert generate(model.network, model.tokenizer, prompts(), decoding) == alone


@pytest.mark.skipif(not forks.can_fork(torch.device("cpu")), reason="processes are forked on Linux alone")
def test_every_row_is_worked_on_once_and_a_process_that_dies_is_an_error() -> None:
    done = dict(in_processes(lambda rows: ((row, [row, os.getpid()]) for row in rows), 20, 3))
    assert {row: tokens[0] for row, tokens in done.items()} == {row: row for row in range(20)}
    assert os.getpid() not in {tokens[1] for tokens in done.values()}

    def die(rows: object) -> object:
        next(iter(rows))
        os._exit(9)

    with pytest.raises(ModelError, match="ended"):
        list(in_processes(die, 5, 2))
