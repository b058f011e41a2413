"""The ready cards of models that municipalities ask about: composed by their own command, and said where absent."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from kommunbench.config.hydra import compose_settings
from kommunbench.core.errors import ModelError
from kommunbench.core.folders import CONF
from kommunbench.core.model import ModelCard
from kommunbench.models.open import card_digest, card_names, load_card
from kommunbench.site.home import SiteHome
from kommunbench.site.models import add_model
from kommunbench.site.setup import make_site

READY = [name for name in card_names((CONF,)) if "/" in load_card(name, (CONF,)).path]
CLASSES = ("GPT-SW3", "Viking", "EuroLLM", "Gemma", "Qwen", "Mistral", "Llama", "Swedish BART")


def text(name: str) -> str:
    lines = (CONF / "models" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("# ") for line in lines if line.startswith("#"))


def test_there_is_one_of_every_class() -> None:
    said = " ".join(map(text, READY))
    assert [kind for kind in CLASSES if kind not in said] == []


@pytest.mark.parametrize("name", READY)
def test_its_own_command_composes_it(name: str) -> None:
    command = re.search(rf"kommunbench run (models=\[{name}\] strategy=none)", text(name))
    assert command
    card = compose_settings(command[1].split()).models[name]
    assert card == load_card(name, (CONF,))
    assert (card.revision, card.trainable) == ("", True)


@pytest.mark.parametrize("name", READY)
def test_a_model_that_is_not_here_says_how_to_fetch_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    card = load_card(name, (CONF,))
    with pytest.raises(ModelError, match=rf"models\.{name}\.path.*`hf download {card.path}`"):
        card_digest(card)
    assert f"`hf download {card.path}`" in text(name)
    assert "Licence: " in text(name)


@pytest.mark.parametrize("name", READY)
def test_the_memory_that_it_states_follows_from_its_weights(name: str) -> None:
    said = text(name)
    whole, wide = map(float, re.findall(r"Weights: ([\d.]+) thousand million, ([\d.]+) of them", said)[0])
    stated = [float(number) for number in re.findall(r"= ([\d.]+) GB", said)]
    narrow = whole - wide
    expected = [2 * whole, narrow + 2 * wide, (0.5 + 4 / 64) * narrow + 2 * wide]
    assert stated == pytest.approx(expected, abs=0.051)


def test_a_site_pins_the_commit_that_it_has(
    lfm2_card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "c" * 40
    cached = tmp_path / "hub" / "models--LumiOpen--Viking-7B"
    shutil.copytree(lfm2_card.path, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 1)
    added = add_model(home, "LumiOpen/Viking-7B", "viking_7b", trainable=False)
    raw = yaml.safe_load((home.conf / "models" / "viking_7b.yaml").read_text())
    assert (raw["revision"], raw["options"]) == (commit, {"dtype": "bfloat16"})
    assert added.digest == card_digest(load_card("viking_7b", (CONF,))), "what the coordinator's card would ask for"
    with pytest.raises(ModelError, match="already"):
        add_model(home, "other/model", "viking_7b", trainable=False)
