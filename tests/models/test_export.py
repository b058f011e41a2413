"""Merged export: the folder answers as base and adapter did, is a model like any other, and only of the right base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query, TrainSettings
from kommunbench.models.export import ORIGIN, export_gguf, export_merged
from kommunbench.models.open import card_digest, open_model
from tiny_models import make

PAIRS = [(f"Fråga: Vad kostar {n}?\nSvar:", f"Det kostar {n} kronor.") for n in range(10, 18)]
QUERIES = [Query(prompt, {}, "t") for prompt, _ in PAIRS[:3]]


def answers(model: Any) -> list[str]:
    return [answer.text for answer in model.generate(QUERIES, Decoding(max_new_tokens=10))]


@pytest.mark.parametrize(
    ("architecture", "method"), [("llama", "lora"), ("lfm2", "dora"), ("t5", "lora"), ("lfm2", "full")]
)
def test_the_merged_model_answers_as_base_and_adapter_did(tmp_path: Path, architecture: str, method: Any) -> None:
    card = make(tmp_path / "base", architecture)
    (tmp_path / "base" / "LICENSE").write_text("Fri.")
    model: Any = open_model(card, threads=1, device="cpu")
    asked = TrainSettings(method=method, rank=4, learning_rate=3e-3, epochs=6, batch_size=4, precision="float32")
    trained = model.train(PAIRS, model.new_adapter(asked, 1), asked, seed=1).adapter
    expected, losses = answers(model), model.losses(PAIRS, 128)
    target = tmp_path / "merged"
    size = export_merged(card, model.digest, trained, asked, target, {"run": "norr-1"})
    assert size > 1000
    merged = card.model_copy(update={"path": str(target)})
    other: Any = open_model(merged, threads=1, device="cpu")
    assert answers(other) == expected
    assert other.losses(PAIRS, 128) == pytest.approx(losses, abs=1e-4)
    assert card_digest(merged) != card_digest(card)
    assert {path.suffix for path in target.iterdir()} <= {".safetensors", ".json", ".jinja", ".yaml", ""}
    origin = yaml.safe_load((target / ORIGIN).read_text())
    assert (origin["run"], origin["base_digest"], origin["method"]) == ("norr-1", model.digest, method)
    assert (target / "LICENSE").read_text() == "Fri."
    assert not [name for name in json.loads((target / "config.json").read_text()) if "lora" in name or "peft" in name]


def test_only_into_the_base_that_it_was_trained_on_and_a_new_folder(lfm2_card: ModelCard, tmp_path: Path) -> None:
    asked = TrainSettings(rank=4)
    with pytest.raises(ModelError, match="not the base"):
        export_merged(lfm2_card, "0" * 64, {}, asked, tmp_path / "m", {})
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "x").touch()
    with pytest.raises(ModelError, match="something already"):
        export_merged(lfm2_card, card_digest(lfm2_card), {}, asked, tmp_path / "there", {})
    few = lfm2_card.model_copy(update={"options": {"quantize": "8bit"}})
    with pytest.raises(ModelError, match="few bits"):
        export_merged(few, card_digest(few), {}, asked, tmp_path / "m", {})


def test_a_converter_that_is_not_there_or_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such converter"):
        export_gguf(tmp_path, tmp_path / "convert_hf_to_gguf.py")
    (tmp_path / "c.py").write_text("import sys; sys.exit('no such architecture')")
    with pytest.raises(ModelError, match="failed: no such architecture"):
        export_gguf(tmp_path, tmp_path / "c.py")
    (tmp_path / "c.py").write_text("import sys; open(sys.argv[sys.argv.index('--outfile') + 1], 'w').write('GGUF')")
    assert export_gguf(tmp_path, tmp_path / "c.py").read_text() == "GGUF"
