"""Weights in few bits: near the whole ones, trainable beside, and refused in a sentence where the library is absent."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query, TrainSettings
from kommunbench.models.open import card_digest, open_model
from tiny_models import make

PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n} kronor.") for n in range(8)]
QUERIES = [Query(prompt, {}, "t") for prompt, _ in PAIRS[:4]]
SETTINGS = TrainSettings(rank=4, epochs=6, batch_size=4, learning_rate=1e-2, precision="float32")


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    """Wide enough for blocks of 64 weights."""
    return make(tmp_path_factory.mktemp("wide"), "llama", width=128)


def few(card: ModelCard, bits: str, library: str, **options: str) -> ModelCard:
    return card.model_copy(update={"options": {"quantize": bits, "quantizer": library, **options}})


def opened(card: ModelCard) -> Any:
    return open_model(card, threads=1, device="cpu")


@pytest.mark.parametrize(("bits", "library"), [("8bit", "bitsandbytes"), ("4bit", "bitsandbytes"), ("8bit", "torchao")])
def test_few_bits_answer_nearly_as_all_and_a_lora_beside_them_learns(card: ModelCard, bits: str, library: str) -> None:
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed: pip install kommunbench[{library}]")
    whole, model = opened(card), opened(few(card, bits, library))
    kinds = {type(weight.data).__module__.partition(".")[0] for weight in model.network.parameters()}
    smaller = model.network.get_memory_footprint() < 0.8 * whole.network.get_memory_footprint()
    assert smaller or library in kinds, "torchao's tensors do not tell how small they are"
    base = model.losses(PAIRS, 64)
    assert base == pytest.approx(whole.losses(PAIRS, 64), rel=0.05)
    answers = [answer.text for answer in model.generate(QUERIES, Decoding(max_new_tokens=8))]
    fresh = model.new_adapter(SETTINGS, 1)
    model.load_adapter(fresh, SETTINGS)
    assert [answer.text for answer in model.generate(QUERIES, Decoding(max_new_tokens=8))] == answers
    assert model.losses(PAIRS, 64) == pytest.approx(base, abs=1e-4)
    trained = model.train(PAIRS, fresh, SETTINGS, seed=1).adapter
    assert np.mean(model.losses(PAIRS, 64)) < np.mean(base) - 0.2
    whole.load_adapter(trained, SETTINGS)
    assert np.mean(whole.losses(PAIRS, 64)) < np.mean(base) - 0.2, "the adapter is float32 and fits the whole model"
    model.load_adapter(None, SETTINGS)
    assert model.losses(PAIRS, 64) == pytest.approx(base, abs=1e-4)
    with pytest.raises(ModelError, match="quantize: no"):
        model.new_adapter(SETTINGS.model_copy(update={"method": "full"}), 1)


@pytest.mark.parametrize("library", ["bitsandbytes", "torchao"])
def test_a_library_that_is_not_there_is_named(card: ModelCard, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kommunbench.models.quantize.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=rf"8bit need {library}, which is not installed .*kommunbench\[{library}\]"):
        opened(few(card, "8bit", library))


def test_torchao_has_no_four_bits_here(card: ModelCard) -> None:
    with pytest.raises(ModelError, match="quantizer: bitsandbytes"):
        opened(few(card, "4bit", "torchao"))


def test_bits_and_library_are_in_the_digest(card: ModelCard) -> None:
    cards = [card, *(few(card, bits, library) for bits in ("8bit", "4bit") for library in ("bitsandbytes", "torchao"))]
    assert len({card_digest(each) for each in cards}) == 5
