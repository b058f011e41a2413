from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.folders import CONF
from kommunbench.core.model import Model, ModelCard, Trainable
from kommunbench.models.folder import model_folder
from kommunbench.models.open import card_digest, card_names, load_card, open_model


def write_card(folder: Path, name: str, text: str) -> tuple[Path, ...]:
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return (folder, CONF)


def test_every_shipped_card_is_read() -> None:
    cards = {name: load_card(name, (CONF,)) for name in card_names((CONF,))}
    assert {"nano", "lead", "copy", "retrieval"} <= cards.keys()
    assert cards["nano"].trainable
    assert not cards["lead"].trainable


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'nano'"):
        load_card("nanno", (CONF,))


def test_a_users_card_comes_before_the_built_in(tmp_path: Path) -> None:
    folders = write_card(tmp_path, "lead", "name: lead\nfamily: lead\noptions: {sentences: 5}\n")
    assert load_card("lead", folders).options == {"sentences": 5}
    assert load_card("copy", folders).family == "copy"


def test_all_faults_of_a_card_come_at_once(tmp_path: Path) -> None:
    folders = write_card(tmp_path, "mine", "name: other\nfamily: hugingface\nrevison: main\ntrainable: perhaps\n")
    with pytest.raises(ModelError) as caught:
        load_card("mine", folders)
    told = str(caught.value)
    assert len(caught.value.faults) == 4
    assert "did you mean 'revision'?" in told
    assert "did you mean 'huggingface'?" in told
    assert "trainable" in told
    assert "named as its file: mine" in told
    assert told.count("mine.yaml") == 4


@pytest.mark.parametrize("text", ["- a\n- b\n", "name: [\n", "", "name: \udce5"])
def test_what_is_no_card_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"mine\.yaml"):
        load_card("mine", (tmp_path,))


def test_the_digest_follows_every_file_and_option(lfm2_card: ModelCard, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(lfm2_card.path, folder)
    card = lfm2_card.model_copy(update={"path": str(folder)})
    first = card_digest(card)
    assert first == card_digest(lfm2_card), "where the files lie does not matter"
    assert first != card_digest(card.model_copy(update={"options": {"dtype": "bfloat16"}}))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": "<pad>"}))
    second = card_digest(card)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert len({first, second, card_digest(card)}) == 3


def test_a_baselines_digest_follows_its_options() -> None:
    card = load_card("lead", (CONF,))
    assert card_digest(card) == card_digest(load_card("lead", (CONF,)))
    assert card_digest(card) != card_digest(card.model_copy(update={"options": {"sentences": 3}}))


def test_digests_and_cards_need_no_torch() -> None:
    code = (
        "import sys; from kommunbench.models.open import load_card, card_digest, open_model; "
        "[card_digest(load_card(name)) for name in ('lead', 'nano')]; open_model(load_card('retrieval')); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'peft')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=CONF.parent, check=False).returncode == 0


@pytest.mark.parametrize("path", ["builtin:nanno", "builtin:../../core", "no/such-model", "/no/such/folder"])
def test_a_model_that_is_not_there_is_said(path: str) -> None:
    with pytest.raises(ModelError, match=r"models\.mine\.path"):
        model_folder(ModelCard(name="mine", family="huggingface", path=path))


def test_wrong_options_come_at_once(lfm2_card: ModelCard) -> None:
    card = lfm2_card.model_copy(update={"options": {"dtyp": "float32", "dtype": "float8", "lora_targets": 3}})
    with pytest.raises(ModelError) as caught:
        open_model(card)
    assert len(caught.value.faults) == 3


def test_families_keep_their_promises(lfm2_card: ModelCard) -> None:
    assert isinstance(open_model(lfm2_card), Trainable)
    for name in ("lead", "copy", "retrieval"):
        model = open_model(load_card(name, (CONF,)), threads=1)
        assert isinstance(model, Model)
        assert not isinstance(model, Trainable)
        assert model.digest == card_digest(model.card)
