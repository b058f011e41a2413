from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query, Trainable, TrainSettings
from kommunbench.models.batches import encode_pairs, in_buckets, in_parts
from kommunbench.models.open import open_model

SETTINGS = TrainSettings(rank=4, alpha=8, learning_rate=1e-2, epochs=4, batch_size=4, precision="float32", clip_norm=5)
PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n} kronor.") for n in range(10, 26)]
QUERIES = [Query(prompt, {}, "guideline_qa") for prompt, _ in PAIRS[:5]]
DECODING = Decoding(max_new_tokens=16)


def texts(model: Trainable) -> list[str]:
    return [completion.text for completion in model.generate(QUERIES, DECODING)]


def base_weights(model: object) -> dict[str, np.ndarray]:
    return {
        name.replace("base_layer.", ""): weight.detach().numpy().copy()
        for name, weight in model.network.named_parameters()
        if "lora_" not in name
    }


def loss(model: object) -> float:
    import torch

    from kommunbench.models.optimise import answer_loss

    rows = encode_pairs(model.network, model.tokenizer, PAIRS, 128)
    with torch.inference_mode():
        return float(answer_loss(model.network, model.tokenizer, rows))


def test_a_fresh_adapter_leaves_the_answers_alone(any_card: ModelCard) -> None:
    model = open_model(any_card, threads=1)
    before = texts(model)
    model.load_adapter(model.new_adapter(SETTINGS, seed=1), SETTINGS)
    assert texts(model) == before


def test_the_seed_decides_a_fresh_adapter(lfm2_card: ModelCard) -> None:
    one, same, other = (open_model(lfm2_card, threads=1).new_adapter(SETTINGS, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)
    assert all(array.dtype == np.float32 for array in one.values())


def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(any_card: ModelCard) -> None:
    model = open_model(any_card, threads=1)
    start, untouched, answers = loss(model), base_weights(model), texts(model)
    adapter = model.new_adapter(SETTINGS, seed=1)
    training = model.train(PAIRS, adapter, SETTINGS, seed=1)
    assert loss(model) < start - 0.3
    assert training.steps == 16
    assert training.examples == 16
    assert sorted(training.adapter) == sorted(adapter)
    assert all(training.adapter[name].shape == adapter[name].shape for name in adapter)
    after = base_weights(model)
    assert untouched.keys() == after.keys()
    assert all(np.array_equal(untouched[name], after[name]) for name in untouched)
    assert texts(model) != answers
    model.load_adapter(None, SETTINGS)
    assert texts(model) == answers


def test_the_same_seed_trains_the_same_weights(lfm2_card: ModelCard) -> None:
    runs = []
    for seed in (3, 3, 4):
        model = open_model(lfm2_card, threads=1)
        settings = SETTINGS.model_copy(update={"precision": "bfloat16", "dropout": 0.1})
        runs.append(model.train(PAIRS, model.new_adapter(settings, 1), settings, seed).adapter)
    assert all(np.array_equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert any(not np.array_equal(runs[0][name], runs[2][name]) for name in runs[0])


def test_folding_changes_neither_answers_nor_weights(any_card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    model = open_model(any_card, threads=1)
    model.train(PAIRS, model.new_adapter(SETTINGS, 1), SETTINGS, seed=1)
    weights, folded, start = base_weights(model), texts(model), loss(model)
    after = base_weights(model)
    assert all(np.array_equal(weights[name], after[name]) for name in weights)
    assert loss(model) == start
    monkeypatch.setattr("kommunbench.models.lora.FOLD_LIMIT", 0)
    assert texts(model) == folded


def test_swapping_adapters_does_not_mix_them(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    one = model.train(PAIRS, model.new_adapter(SETTINGS, 1), SETTINGS, seed=1).adapter
    first = texts(model)
    two = model.train(PAIRS[:4], model.new_adapter(SETTINGS, 2), SETTINGS, seed=2).adapter
    second = texts(model)
    wider = SETTINGS.model_copy(update={"rank": 6})
    model.load_adapter(model.new_adapter(wider, 3), wider)
    model.load_adapter(one, SETTINGS)
    assert texts(model) == first
    model.load_adapter(two, SETTINGS)
    assert texts(model) == second


def test_a_saved_adapter_opens_with_peft_and_answers_the_same(any_card: ModelCard, tmp_path: Path) -> None:
    from peft import PeftModel
    from safetensors.numpy import load_file

    model = open_model(any_card, threads=1)
    trained = model.train(PAIRS, model.new_adapter(SETTINGS, 1), SETTINGS, seed=1).adapter
    expected = texts(model)
    model.save_adapter(trained, SETTINGS, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    stored = load_file(tmp_path / "adapter_model.safetensors")
    assert stored.keys() == trained.keys()
    assert all(np.array_equal(stored[name], trained[name]) for name in stored)
    other = open_model(any_card, threads=1)
    other.network = PeftModel.from_pretrained(other.network, str(tmp_path)).get_base_model()
    assert texts(other) == expected


def test_an_adapter_of_another_shape_is_refused(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    adapter = dict(model.new_adapter(SETTINGS, 1))
    with pytest.raises(ModelError, match="do not fit"):
        model.load_adapter(adapter, SETTINGS.model_copy(update={"rank": 2}))
    adapter.pop(sorted(adapter)[0])
    with pytest.raises(ModelError, match="do not fit"):
        model.load_adapter(adapter, SETTINGS)


def test_fedprox_pulls_toward_the_start(lfm2_card: ModelCard) -> None:
    moved = []
    for mu in (0.0, 10.0):
        model = open_model(lfm2_card, threads=1)
        start = model.new_adapter(SETTINGS, 1)
        settings = SETTINGS.model_copy(update={"proximal_mu": mu})
        end = model.train(PAIRS, start, settings, seed=1).adapter
        moved.append(sum(float(((end[name] - start[name]) ** 2).sum()) for name in start))
    assert moved[1] < moved[0] / 2


def test_targets_by_name_train_those_alone(lfm2_card: ModelCard) -> None:
    card = lfm2_card.model_copy(update={"options": {"lora_targets": "q_proj, v_proj"}})
    adapter = open_model(card, threads=1).new_adapter(SETTINGS, 1)
    assert {name.split(".")[-3] for name in adapter} == {"q_proj", "v_proj"}
    wrong = lfm2_card.model_copy(update={"options": {"lora_targets": "no_such"}})
    with pytest.raises(ModelError, match="no_such"):
        open_model(wrong, threads=1).new_adapter(SETTINGS, 1)


def test_a_long_row_loses_the_start_of_its_prompt(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    prompt, answer = "ord " * 50 + "slut", "Det kostar 5 kronor."
    (row,) = encode_pairs(model.network, model.tokenizer, [(prompt, answer)], 40)
    assert len(row.prompt) + len(row.answer) == 40
    assert row.prompt == model.tokenizer(prompt)["input_ids"][-len(row.prompt) :]
    assert row.answer == [*model.tokenizer(" " + answer)["input_ids"], 1]


def test_a_pass_has_every_row_once() -> None:
    rows = list(range(37))
    encoded = [type("Row", (), {"prompt": [0] * (n % 7), "answer": [n]})() for n in rows]
    batches = in_buckets(encoded, 4, seed=1)
    seen: list[int] = []
    while len(seen) < 37:
        seen += [row.answer[0] for row in next(batches)]
    assert sorted(seen) == rows


def test_a_batch_in_parts_has_the_same_gradient(lfm2_card: ModelCard, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    for tokens in (10_000, 60):
        monkeypatch.setattr("kommunbench.models.lora.PART_TOKENS", tokens)
        model = open_model(lfm2_card, threads=1)
        ends.append(model.train(PAIRS, model.new_adapter(SETTINGS, 1), SETTINGS, seed=1).adapter)
    rows = encode_pairs(model.network, model.tokenizer, PAIRS[:4], 128)
    assert len(list(in_parts(rows, 60))) > 1
    assert [row for part in in_parts(rows, 60) for row in part] == rows
    for name in ends[0]:
        np.testing.assert_allclose(ends[0][name], ends[1][name], atol=2e-3)


def test_nothing_to_train_on_is_said(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    with pytest.raises(ModelError, match="nothing to train"):
        model.train([], model.new_adapter(SETTINGS, 1), SETTINGS, seed=1)
    frozen = open_model(lfm2_card.model_copy(update={"trainable": False}), threads=1)
    with pytest.raises(ModelError, match="not trainable"):
        frozen.new_adapter(SETTINGS, 1)


def test_the_learning_rate_falls_in_one_line_over_all_rounds() -> None:
    from kommunbench.models.optimise import share

    whole = TrainSettings(learning_rate=0.02, last_share=0.1, warmup_share=0)
    steps, rounds = 10, 4
    parts = [whole.in_round(number, rounds) for number in range(rounds)]
    rates = [part.learning_rate * share(step, steps, part) for part in parts for step in range(steps)]
    line = [0.02 * (1 - 0.9 * at / (steps * rounds)) for at in range(steps * rounds)]
    # Each round warms up over its first step, so that its first two steps have the full rate of the round's start.
    assert (
        max(abs(rate - wanted) for rate, wanted in zip(rates, line, strict=True)) < 0.02 * 0.9 / (steps * rounds) * 1.2
    )
    assert parts[0].learning_rate == 0.02
    assert parts[-1].learning_rate * parts[-1].last_share == pytest.approx(0.002)


def test_activations_worked_out_twice_give_the_same_weights(any_card: ModelCard) -> None:
    ends = []
    for checkpointing in ("off", "on"):
        settings = SETTINGS.model_copy(update={"epochs": 1, "checkpointing": checkpointing})
        model = open_model(any_card, threads=1)
        ends.append(model.train(PAIRS, model.new_adapter(settings, 1), settings, seed=1).adapter)
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_kept_moments_make_two_rounds_one_training(lfm2_card: ModelCard) -> None:
    """With a constant rate, whole passes and batches in one bucket, rounds differ by what the optimiser forgets."""
    steady = {"warmup_share": 0, "last_share": 1, "batch_size": 16, "epochs": 1, "optimiser": "kept"}
    settings = SETTINGS.model_copy(update=steady)
    model = open_model(lfm2_card, threads=1)
    start = model.new_adapter(settings, 1)
    whole = model.train(PAIRS, start, settings.model_copy(update={"epochs": 2}), seed=1).adapter
    half = model.train(PAIRS, start, settings, seed=1)
    kept = model.train(PAIRS, half.adapter, settings, seed=1, moments=half.moments).adapter
    fresh = model.train(PAIRS, half.adapter, settings, seed=1).adapter
    assert all(np.allclose(kept[name], whole[name], atol=1e-5) for name in whole)
    assert any(not np.allclose(fresh[name], whole[name], atol=1e-3) for name in whole)


def test_moments_of_another_adapter_are_refused(lfm2_card: ModelCard) -> None:
    model = open_model(lfm2_card, threads=1)
    settings = SETTINGS.model_copy(update={"epochs": 1, "optimiser": "kept"})
    moments = dict(model.train(PAIRS, model.new_adapter(settings, 1), settings, seed=1).moments)
    moments.pop("0000.exp_avg")
    with pytest.raises(ModelError, match="moments"):
        model.train(PAIRS, model.new_adapter(settings, 1), settings, seed=1, moments=moments)
