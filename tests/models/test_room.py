from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models import room
from kommunbench.models.open import open_model
from kommunbench.models.room import activation_bytes, cache_bytes, checkpointing, free_bytes, rows_at_once
from kommunbench.models.slots import Row, Slots
from tiny_models import make


def kept_bytes(network: object, tokens: int) -> int:
    """What torch really keeps between a step's forward and backward, by its own hooks."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.zeros((1, tokens), dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(input_ids=ids, use_cache=False, logits_to_keep=1)
    return sum(kept.values())


def test_activations_are_worked_out_twice_where_they_do_not_fit(
    lfm2_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = open_model(lfm2_card, threads=1).network
    for free, expected in ((1 << 40, False), (1 << 10, True)):
        monkeypatch.setattr(room, "free_bytes", lambda _, free=free: free)
        with checkpointing(network, "auto", 128):
            assert network.is_gradient_checkpointing is expected
        assert network.is_gradient_checkpointing is False


@pytest.fixture(scope="module")
def llama() -> LlamaForCausalLM:
    """Wide enough that what is kept grows with width, layers and tokens, as in models that people use."""
    shape = {"hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4, "num_key_value_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, num_hidden_layers=3, **shape)).train()


def test_checkpointing_keeps_far_less(llama: LlamaForCausalLM) -> None:
    full = kept_bytes(llama, 200)
    with checkpointing(llama, "on", 200):
        assert kept_bytes(llama, 200) < 0.8 * full


def test_the_estimate_of_activations_is_of_the_right_size(llama: LlamaForCausalLM) -> None:
    grown = kept_bytes(llama, 240) - kept_bytes(llama, 40)  # without weights and what is kept once
    assert 0.8 < activation_bytes(llama, 200) / grown < 1.25


def test_keys_and_values_take_what_the_slots_of_a_model_hold(llama: LlamaForCausalLM) -> None:
    slots = Slots(llama.eval(), 3, 40)
    with torch.inference_mode():
        slots.read(Row(0, list(range(20))), 0)
    held = sum(kept.nbytes for layer in slots.layers for kept in layer.kept)
    assert cache_bytes(llama, 3 * 40) == held


@pytest.mark.parametrize(("free", "expected"), [(1 << 40, 8), (2 * 5 * 1000, 5), (10, 1)])
def test_as_many_rows_at_once_as_wanted_or_as_fit(monkeypatch: pytest.MonkeyPatch, free: int, expected: int) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda _: free)
    monkeypatch.setattr(room, "cache_bytes", lambda *_: 1000)
    model = SimpleNamespace(device=torch.device("cpu"))
    assert rows_at_once(model, 8, 40) == expected
    assert rows_at_once(model, 8, 40, processes=2) == max(1, min(8, expected // 2 if free < 1 << 40 else 8))


@pytest.mark.parametrize("architecture", ["llama", "lfm2", "t5"])
def test_answers_are_the_same_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    model = open_model(make(tmp_path, architecture), threads=1)
    queries = [Query("ord " * count, {}, "task") for count in (3, 9, 5, 7)]
    decoding = Decoding(max_new_tokens=6, batch_size=4)
    wide = model.generate(queries, decoding)
    monkeypatch.setattr(room, "free_bytes", lambda _: 1)
    assert model.generate(queries, decoding) == wide


def test_memory_that_is_free_is_the_machines_or_what_the_service_may_have(tmp_path: Path) -> None:
    cpu, machine = torch.device("cpu"), psutil.virtual_memory().available
    assert free_bytes(cpu, tmp_path / "absent") == pytest.approx(machine, rel=0.5)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(cpu, tmp_path) == pytest.approx(machine, rel=0.5)
    (tmp_path / "memory.max").write_text("5000\n")
    assert free_bytes(cpu, tmp_path) == 4000
