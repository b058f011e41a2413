from __future__ import annotations

import pytest

from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.open import open_model

PROMPTS = [
    "Nämnden i Lövvik",
    "Biblioteket i Norrhult har öppet på söndagar. Kostnaden blev 96 000 kronor.\n\nSammanfatta texten.",
    "1 §",
    "Fråga: Vad gör jag om kunden inte öppnar?\nSvar:",
    "Nämnden i Lövvik",
    "x",
    "Personalen ringer på två gånger och väntar fem minuter. Taket läcker.",
]


def queries(prompts: list[str]) -> list[Query]:
    return [Query(prompt, {"input": prompt}, "summarization") for prompt in prompts]


def plain(model: object, prompt: str, new: int) -> list[int]:
    """transformers' own generate() on one prompt."""
    import torch

    ids = model.tokenizer(prompt, return_tensors="pt")
    with torch.inference_mode():
        out = model.network.generate(
            input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], max_new_tokens=new, do_sample=False
        )[0].tolist()
    return out[1:] if model.network.config.is_encoder_decoder else out[ids["input_ids"].shape[1] :]


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_answers_are_those_of_one_prompt_at_a_time(any_card: ModelCard, batch_size: int) -> None:
    model = open_model(any_card, threads=1)
    got = model.generate(queries(PROMPTS), Decoding(max_new_tokens=24, batch_size=batch_size))
    expected = [plain(model, prompt, 24) for prompt in PROMPTS]
    assert [c.text for c in got] == [model.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in expected]
    assert [c.new_tokens for c in got] == [len(ids) for ids in expected]
    assert [c.prompt_tokens for c in got] == [len(model.tokenizer(prompt)["input_ids"]) for prompt in PROMPTS]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_each_row_ends_before_its_own_stop_string(any_card: ModelCard, batch_size: int) -> None:
    model = open_model(any_card, threads=1)
    whole = [model.tokenizer.decode(plain(model, prompt, 24), skip_special_tokens=True) for prompt in PROMPTS]
    letters = sorted({letter for text in whole for letter in text})
    stop = next(letter for letter in letters if 1 <= sum(letter in text for text in whole) < len(whole))
    got = model.generate(queries(PROMPTS), Decoding(max_new_tokens=24, batch_size=batch_size, stop=(stop,)))
    assert [c.text for c in got] == [text.split(stop)[0].strip() for text in whole]
    for completion, text in zip(got, whole, strict=True):
        assert (completion.new_tokens < 24) or stop not in text[:-8]


def test_a_prompt_longer_than_the_model_keeps_its_end(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    long = "a b c d e f g h i j " * 60 + "Lövvik"
    ids = model.tokenizer(long)["input_ids"]
    got = model.generate(queries([long]), Decoding(max_new_tokens=8))[0]
    assert len(ids) > 256
    assert got.prompt_tokens == 256 - 8
    assert got == model.generate(queries([model.tokenizer.decode(ids[-248:])]), Decoding(max_new_tokens=8))[0]
