"""GGUF by llama.cpp answers as the same weights do by transformers; without the extra it is said how to get it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.open import card_digest, open_model
from tiny_gguf import write_gguf
from tiny_models import make

needs_extra = pytest.mark.skipif(
    not (find_spec("llama_cpp") and find_spec("gguf")),
    reason="the extra is not installed: pip install kommunbench[gguf]",
)
TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]"
PROMPTS = ["Fråga: Vad gör jag om kunden inte öppnar?\nSvar:", "Nämnden i Lövvik", "1 § Personalen ringer", "Å"]
QUERIES = [Query(prompt, {}, "t") for prompt in PROMPTS]
DECODING = Decoding(max_new_tokens=12)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    return make(tmp_path_factory.mktemp("llama"), "llama")


def card(llama: ModelCard, path: Path, template: str = "", **options: Any) -> ModelCard:
    return ModelCard(name="m", family="gguf", path=str(write_gguf(Path(llama.path), path, template)), options=options)


def texts(card: ModelCard, queries: list[Query] = QUERIES) -> list[str]:
    return [answer.text for answer in open_model(card, threads=1, device="cpu").generate(queries, DECODING)]


@needs_extra
def test_it_answers_as_the_same_weights_do_by_transformers(llama: ModelCard, tmp_path: Path) -> None:
    assert texts(card(llama, tmp_path / "m.gguf")) == texts(llama)


@needs_extra
def test_the_files_own_chat_template_is_used(llama: ModelCard, tmp_path: Path) -> None:
    file = card(llama, tmp_path / "m.gguf", TEMPLATE, system="Svara kort.")
    model: Any = open_model(file, threads=1, device="cpu")
    assert model.tokenizer.render("Vem?") == "[system]Svara kort.\n[user]Vem?\n[assistant]"
    off = file.model_copy(update={"options": {"chat": "off"}})
    assert texts(off) == texts(llama) != texts(file)
    with pytest.raises(ModelError, match="no chat template"):
        open_model(card(llama, tmp_path / "n.gguf", chat="on"))


@needs_extra
def test_what_is_no_gguf_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF and then nothing")
    with pytest.raises(ModelError, match="not GGUF"):
        open_model(ModelCard(name="m", family="gguf", path=str(tmp_path / "m.gguf")))


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr("kommunbench.models.gguf.find_spec", lambda _: None)
    with pytest.raises(ModelError, match=r"pip install kommunbench\[gguf\]"):
        open_model(ModelCard(name="m", family="gguf", path=str(tmp_path)))


def test_one_file_and_the_digest_is_its(tmp_path: Path) -> None:
    model = ModelCard(name="m", family="gguf", path=str(tmp_path))
    with pytest.raises(ModelError, match="has 0 GGUF files"):
        card_digest(model)
    (tmp_path / "a.gguf").write_bytes(b"one")
    first = card_digest(model)
    assert card_digest(model.model_copy(update={"path": str(tmp_path / "a.gguf")})) == first
    (tmp_path / "a.gguf").write_bytes(b"another")
    assert card_digest(model) != first
    (tmp_path / "b.gguf").symlink_to("/etc/hostname")
    with pytest.raises(ModelError, match="has 2 GGUF files"):
        card_digest(model)
    (tmp_path / "a.gguf").unlink()
    with pytest.raises(ModelError, match="leads out"):
        card_digest(model)


def test_every_fault_of_a_card_comes_at_once() -> None:
    wrong = ModelCard(name="m", family="gguf", trainable=True, options={"chat": "yes", "context": -1, "kontext": 3})
    with pytest.raises(ModelError) as caught:
        open_model(wrong)
    assert len(caught.value.faults) == 4
