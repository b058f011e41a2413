from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from kommunbench.core.model import Decoding, ModelCard, Query, TrainSettings
from kommunbench.models.open import card_digest, open_model
from kommunbench.models.pretrain import PretrainSettings, Progress, pretrain, train_tokenizer

SETTINGS = PretrainSettings(
    vocabulary=320, tokenizer_texts=200, width=32, feed_forward=64, layers="ca", drill_share=0, heads=2, positions=256,
    tokens=60_000, batch_tokens=600, threads=1,
)  # fmt: skip


@dataclass(frozen=True)
class Pair:
    prompt: str
    answer: str


def corpus() -> Iterator[Pair]:
    for n in count():
        yield Pair(f"Skriv {n % 7}{n % 3}.\nSvar:", f"{n % 7}{n % 3}.")
        yield Pair("", f"I Lövvik finns {n % 9} hus på Ågatan.")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Progress]]:
    folder, seen = tmp_path_factory.mktemp("made"), []
    pretrain(corpus, folder, SETTINGS, seen.append)
    return folder, seen


def card(folder: Path) -> ModelCard:
    return ModelCard(name="made", family="huggingface", path=str(folder), trainable=True)


@pytest.mark.slow
def test_what_it_makes_opens_and_has_learned(made: tuple[Path, list[Progress]]) -> None:
    folder, seen = made
    assert seen[-1].loss < seen[0].loss / 3
    assert seen[-1].tokens >= SETTINGS.tokens
    model = open_model(card(folder), threads=1)
    answers = model.generate(
        [Query(f"Skriv {a}{b}.\nSvar:", {}, "x") for a in range(7) for b in range(3)], Decoding(max_new_tokens=8)
    )
    right = [
        answer.text == f"{a}{b}."
        for answer, (a, b) in zip(answers, [(a, b) for a in range(7) for b in range(3)], strict=True)
    ]
    assert sum(right) >= 18
    settings = TrainSettings(rank=2, epochs=1)
    assert model.train([("Säg hej.\nSvar:", "hej")], model.new_adapter(settings, 1), settings, 1).steps == 1


@pytest.mark.slow
def test_the_same_settings_give_the_same_model(made: tuple[Path, list[Progress]], tmp_path: Path) -> None:
    short = SETTINGS.model_copy(update={"tokens": 5_000})
    digests = []
    for name, settings in (("a", short), ("b", short), ("c", short.model_copy(update={"seed": 2}))):
        pretrain(corpus, tmp_path / name, settings)
        digests.append(card_digest(card(tmp_path / name)))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_it_writes_safetensors_alone(made: tuple[Path, list[Progress]]) -> None:
    names = {path.name for path in made[0].iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert all(name.endswith((".json", ".safetensors")) for name in names)


def test_a_name_or_number_has_the_same_tokens_wherever_it_stands() -> None:
    tokenizer = train_tokenizer([next(corpus()) for _ in range(50)], SETTINGS)

    def tokens(text: str) -> list[str]:
        return tokenizer.tokenize(text)

    first, inside = tokens("Örnvik ligger"), tokens("nära Örnvik ligger")
    assert inside[-len(first) :] == first
    assert tokens("Pris 12 500")[-6:] == tokens("av 12 500")[-6:]
    assert all(sum(letter.isdigit() for letter in token) <= 1 for token in tokens("2026-03-14, 021-00 00 17"))
    for text in ("Åsa Öberg\n\n• 12,5 tkr – ”ja”", " mellanslag", "§ 4 日本 €"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]).strip() == text.strip()
