"""What a model's folder must not hold: pickles in place of weights, code, ways out of the folder."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.folder import model_folder
from kommunbench.models.open import card_digest, open_model


@pytest.fixture
def card(lfm2_card: ModelCard, tmp_path: Path) -> ModelCard:
    """A model of its own, to be spoilt."""
    shutil.copytree(lfm2_card.path, tmp_path / "m")
    return lfm2_card.model_copy(update={"path": str(tmp_path / "m")})


class Planted:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.touch, (self.mark,))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.is_file() else {}), **changes}))


def refused(card: ModelCard, match: str) -> None:
    """Neither registered nor opened."""
    for attempt in (card_digest, open_model):
        with pytest.raises(ModelError, match=match) as caught:
            attempt(card)
        assert f"models.{card.name}.path" in str(caught.value)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_pickled_weights_are_refused(card: ModelCard, tmp_path: Path, name: str) -> None:
    (Path(card.path) / "model.safetensors").unlink()
    (Path(card.path) / name).write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    refused(card, "only pickled weights")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_beside_safetensors_is_never_read(card: ModelCard, tmp_path: Path) -> None:
    before = card_digest(card)
    (Path(card.path) / "pytorch_model.bin").write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    open_model(card, threads=1).generate([Query("Fråga:", {}, "t")], Decoding(max_new_tokens=2))
    assert not (tmp_path / "ran").exists()
    assert card_digest(card) == before


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("known", [True, False])
def test_code_that_comes_with_a_model_is_refused(card: ModelCard, tmp_path: Path, file: str, known: bool) -> None:
    folder, planted = Path(card.path), tmp_path / "ran"
    changes = {"auto_map": {"AutoConfig": "c.C", "AutoModelForCausalLM": "c.C", "AutoTokenizer": ["c.C", None]}}
    edit(folder / file, **changes, **({} if known else {"model_type": "ours"}))
    (folder / "c.py").write_text(f"open({str(planted)!r}, 'w')\nclass C: pass\n")
    refused(card, rf"{file} asks for code of its own \(auto_map\)")
    assert not planted.exists()


def test_a_folder_that_asks_to_be_trusted_is_refused(card: ModelCard) -> None:
    edit(Path(card.path) / "config.json", trust_remote_code=True)
    refused(card, "trust_remote_code")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_link_out_of_the_folder_is_refused(card: ModelCard, tmp_path: Path, name: str) -> None:
    path = Path(card.path) / name
    path.rename(tmp_path / name)
    path.symlink_to(tmp_path / name)
    refused(card, f"{name} is a link that leads out of the folder")


def test_a_link_within_the_folder_and_a_folder_that_is_a_link_are_no_matter(card: ModelCard, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(card.path)
    path = Path(card.path) / "model.safetensors"
    path.rename(path.with_name("weights"))
    path.symlink_to("weights")
    assert model_folder(card.model_copy(update={"path": str(tmp_path / "elsewhere")})).name == "elsewhere"


@pytest.mark.parametrize("shard", ["../other/model.safetensors", "pytorch_model.bin", 3])
def test_an_index_names_safetensors_of_the_folder_alone(card: ModelCard, shard: object) -> None:
    edit(Path(card.path) / "model.safetensors.index.json", weight_map={"lm_head.weight": shard})
    refused(card, "names shards")


def test_an_adapter_is_no_model_since_its_base_is_elsewhere(card: ModelCard) -> None:
    edit(Path(card.path) / "adapter_config.json", base_model_name_or_path="/elsewhere", peft_type="LORA")
    refused(card, "is an adapter")


def test_everything_that_is_wrong_with_a_folder_comes_at_once(card: ModelCard) -> None:
    edit(Path(card.path) / "config.json", auto_map={"AutoConfig": "c.C"}, trust_remote_code=True)
    edit(Path(card.path) / "adapter_config.json")
    with pytest.raises(ModelError) as caught:
        open_model(card)
    assert len(caught.value.faults) == 3


def test_a_snapshot_in_the_hubs_cache_may_link_into_the_caches_blobs_and_nowhere_else(
    card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "hub" / "models--kommun--modell"
    snapshot = cached / "snapshots" / ("a" * 40)
    for folder in (cached / "blobs", cached / "refs", snapshot):
        folder.mkdir(parents=True)
    (cached / "refs" / "main").write_text("a" * 40)
    for path in Path(card.path).iterdir():
        shutil.copyfile(path, cached / "blobs" / path.name)
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    hub = card.model_copy(update={"path": "kommun/modell"})
    assert model_folder(hub) == model_folder(hub.model_copy(update={"revision": "a" * 40})) == snapshot
    assert card_digest(hub) == card_digest(card)
    with pytest.raises(ModelError, match=r"hf download kommun/modell --revision bbbb"):
        model_folder(hub.model_copy(update={"revision": "b" * 40}))
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(Path(card.path) / "config.json")
    with pytest.raises(ModelError, match="leads out"):
        model_folder(hub)
