"""DoRA and full tuning go the way of LoRA: fresh, loaded, trained, folded, sent and taken out again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Adapter, Decoding, ModelCard, Query, TrainSettings
from kommunbench.models.huggingface import HuggingFace
from kommunbench.models.open import open_model
from tiny_models import make

Method = Literal["lora", "dora", "full"]
PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n} kronor.") for n in range(10, 18)]
QUERIES = [Query(prompt, {}, "guideline_qa") for prompt, _ in PAIRS[:3]]


def settings(method: Method) -> TrainSettings:
    rate = 1e-3 if method == "full" else 1e-2
    return TrainSettings(
        method=method, rank=4, alpha=8, learning_rate=rate, epochs=6, batch_size=4, precision="float32", clip_norm=5
    )


@pytest.fixture(
    scope="module", params=["lfm2", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gpt2", "t5"))]
)
def card(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make(tmp_path_factory.mktemp(request.param), request.param)


def opened(card: ModelCard) -> HuggingFace:
    model = open_model(card, threads=1, device="cpu")
    assert isinstance(model, HuggingFace)
    return model


def texts(model: HuggingFace) -> list[str]:
    return [answer.text for answer in model.generate(QUERIES, Decoding(max_new_tokens=12))]


@pytest.mark.parametrize("method", ["dora", "full"])
def test_fresh_changes_nothing_training_does_and_none_goes_back(card: ModelCard, method: Method) -> None:
    model, asked = opened(card), settings(method)
    base, before = texts(model), model.losses(PAIRS, 128)
    fresh = model.new_adapter(asked, seed=1)
    assert texts(model) == base
    model.load_adapter(fresh, asked)
    assert texts(model) == base
    assert model.losses(PAIRS, 128) == pytest.approx(before, abs=1e-5)
    trained = model.train(PAIRS, fresh, asked, seed=1).adapter
    learnt = model.losses(PAIRS, 128)
    assert np.mean(learnt) < np.mean(before) - 0.2
    assert trained.keys() == fresh.keys()
    assert all(array.dtype == np.float32 for array in trained.values())
    answers = texts(model)
    model.load_adapter(None, asked)
    assert texts(model) == base
    assert model.losses(PAIRS, 128) == before, "to the last bit"
    again = opened(card)
    again.load_adapter(trained, asked)
    assert texts(again) == answers
    assert all(np.array_equal(fresh[name], model.new_adapter(asked, seed=1)[name]) for name in fresh)


def test_folding_a_dora_changes_neither_answers_nor_weights(card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = opened(card), settings("dora")
    model.train(PAIRS, model.new_adapter(asked, 1), asked, seed=1)
    folded, losses = texts(model), model.losses(PAIRS, 128)
    assert texts(model) == folded
    assert model.losses(PAIRS, 128) == losses
    monkeypatch.setattr("kommunbench.models.lora.FOLD_LIMIT", 0)
    assert texts(model) == folded


def test_the_methods_do_not_mix_in_one_process(card: ModelCard) -> None:
    model = opened(card)
    base, learnt, adapters = texts(model), {}, {}
    methods: tuple[Method, ...] = ("lora", "full", "dora")
    for method in methods:
        asked = settings(method)
        adapters[method] = model.train(PAIRS, model.new_adapter(asked, 1), asked, seed=1).adapter
        learnt[method] = model.losses(PAIRS, 128)
    for method in reversed(methods):
        model.load_adapter(adapters[method], settings(method))
        assert model.losses(PAIRS, 128) == pytest.approx(learnt[method], abs=1e-4)
        alone = opened(card)
        alone.load_adapter(adapters[method], settings(method))
        assert alone.losses(PAIRS, 128) == pytest.approx(learnt[method], abs=1e-4)
        model.load_adapter(None, settings(method))
        assert texts(model) == base


def test_full_names_every_weight_once_and_dora_the_rows_lengths(card: ModelCard) -> None:
    model = opened(card)
    names = [name for name, _ in model.network.named_parameters()]
    assert sorted(model.new_adapter(settings("full"), 1)) == sorted(names)
    lora, dora = (model.new_adapter(settings(method), 1) for method in ("lora", "dora"))
    assert lora.keys() < dora.keys()
    assert all(name.endswith("lora_magnitude_vector") for name in dora.keys() - lora.keys())


def test_what_was_saved_opens_as_others_open_it(lfm2_card: ModelCard, tmp_path: Path) -> None:
    for method in ("dora", "full"):
        model, asked = opened(lfm2_card), settings(method)
        trained = model.train(PAIRS, model.new_adapter(asked, 1), asked, seed=1).adapter
        answers = texts(model)
        model.save_adapter(trained, asked, tmp_path / method)
        stored = load_file(tmp_path / method / "adapter_model.safetensors")
        assert {name: array.tolist() for name, array in stored.items()} == {
            name: array.tolist() for name, array in trained.items()
        }
        plain = AutoModelForCausalLM.from_pretrained(lfm2_card.path)
        if method == "dora":
            plain = PeftModel.from_pretrained(plain, str(tmp_path / method)).get_base_model()
        else:
            plain.load_state_dict({**plain.state_dict(), **tensors(stored)})
        other = opened(lfm2_card)
        other.network = plain.eval()
        assert texts(other) == answers


def tensors(arrays: Adapter) -> dict[str, object]:
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def test_full_tuning_is_of_float32_and_nothing_but_lora_is_private(lfm2_card: ModelCard) -> None:
    half = opened(lfm2_card.model_copy(update={"options": {"dtype": "bfloat16"}}))
    with pytest.raises(ModelError, match="dtype: float32"):
        half.new_adapter(settings("full"), 1)
    model = opened(lfm2_card)
    for method in ("dora", "full"):
        with pytest.raises(ModelError, match=r"train\.method=lora"):
            model.train_privately(PAIRS, {}, settings(method), 1.0)


def test_other_weights_than_the_models_are_refused(lfm2_card: ModelCard) -> None:
    model, asked = opened(lfm2_card), settings("full")
    fresh = dict(model.new_adapter(asked, 1))
    name, weight = fresh.popitem()
    for wrong in (fresh, {**fresh, name: weight[None]}, {**fresh, "other": weight}):
        with pytest.raises(ModelError, match="not those of the model"):
            model.load_adapter(wrong, asked)
