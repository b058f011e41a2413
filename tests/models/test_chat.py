"""Chat templates: the right roles, one start token, the template whole however long the prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Decoding, ModelCard, Query, TrainSettings
from kommunbench.models.batches import encode_pairs
from kommunbench.models.chat import ChatTokenizer
from kommunbench.models.huggingface import HuggingFace
from kommunbench.models.open import card_digest, open_model

TEMPLATE = (
    "<end>{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% if enable_thinking is not false %}<think>{% endif %}{% endif %}"
)
ROLELESS = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE


@pytest.fixture
def chat_card(lfm2_card: ModelCard, tmp_path: Path) -> ModelCard:
    """The small model, with a template in its tokenizer's configuration."""
    return with_template(lfm2_card, tmp_path / "chat", TEMPLATE)


def with_template(card: ModelCard, folder: Path, template: str) -> ModelCard:
    shutil.copytree(card.path, folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    return card.model_copy(update={"path": str(folder)})


def opened(card: ModelCard, **options: str) -> HuggingFace:
    model = open_model(card.model_copy(update={"options": options}), threads=1, device="cpu")
    assert isinstance(model, HuggingFace)
    return model


def test_a_template_is_used_where_there_is_one_unless_the_card_says_off(
    lfm2_card: ModelCard, chat_card: ModelCard
) -> None:
    assert isinstance(opened(chat_card).tokenizer, ChatTokenizer)
    assert isinstance(opened(chat_card, chat="on").tokenizer, ChatTokenizer)
    assert not isinstance(opened(chat_card, chat="off").tokenizer, ChatTokenizer)
    assert not isinstance(opened(lfm2_card).tokenizer, ChatTokenizer)
    for options in ({"chat": "on"}, {"system": "Svara kort."}):
        with pytest.raises(ModelError, match=r"no chat template.*chat: off"):
            opened(lfm2_card, **options)


def test_chat_and_system_are_in_the_digest(chat_card: ModelCard) -> None:
    stated = [{}, {"chat": "on"}, {"chat": "off"}, {"system": "Svara kort."}]
    assert len({card_digest(chat_card.model_copy(update={"options": options})) for options in stated}) == 4


def test_the_prompt_is_the_users_and_the_system_text_the_systems(chat_card: ModelCard) -> None:
    tokenizer = opened(chat_card, system="Svara kort.").tokenizer
    assert tokenizer.render("Vem?") == "<end>[system]Svara kort.\n[user]Vem?\n[assistant]"
    plain = AutoTokenizer.from_pretrained(chat_card.path)
    messages = [{"role": "system", "content": "Svara kort."}, {"role": "user", "content": "Vem?"}]
    expected = plain.apply_chat_template(messages, add_generation_prompt=True, enable_thinking=False)["input_ids"]
    assert tokenizer("Vem?")["input_ids"] == expected, "with the template's own special tokens, once"
    assert tokenizer(["Vem?"])["input_ids"] == [expected]


def test_a_template_without_a_system_role_has_the_text_before_the_users(lfm2_card: ModelCard, tmp_path: Path) -> None:
    tokenizer = opened(with_template(lfm2_card, tmp_path / "m", ROLELESS), system="Svara kort.").tokenizer
    assert tokenizer.render("Vem?") == "<end>[user]Svara kort.\n\nVem?\n[assistant]"


def test_a_long_prompt_is_cut_within_the_template(chat_card: ModelCard) -> None:
    model = opened(chat_card)
    long = " ".join(f"ord {number}" for number in range(300))
    fitted = model.tokenizer.fit(long, 100)
    assert 90 < len(model.tokenizer(fitted)["input_ids"]) <= 100
    assert long.endswith(fitted)
    (answer,) = model.generate([Query(long, {}, "t")], Decoding(max_new_tokens=8))
    assert answer.prompt_tokens <= 256 - 8
    assert model.tokenizer.fit("Vem?", 100) == "Vem?"
    assert model.tokenizer.fit(long, 3) == "", "a template that fills the room leaves nothing of the prompt"


def test_the_answer_follows_the_template_in_training_as_when_it_is_asked(chat_card: ModelCard) -> None:
    model = opened(chat_card)
    (row,) = encode_pairs(model.network, model.tokenizer, [("Vem?", "Åsa.")], 64)
    assert model.tokenizer.decode(row.prompt + row.answer) == "<end>[user]Vem?\n[assistant]Åsa.<end>"
    settings = TrainSettings(rank=2, epochs=2, batch_size=2, learning_rate=1e-2, precision="float32")
    pairs = [(f"Fråga {number}: " + "ord " * 300, "Ja.") for number in range(4)]
    before = model.losses(pairs, 64)
    trained = model.train(pairs, model.new_adapter(settings, 1), settings.model_copy(update={"max_length": 64}), seed=1)
    assert trained.examples == 4
    assert model.losses(pairs, 64) < before
