"""A tagger and an encoder from a folder on this machine, against NLTK, bert-score and a plain count; no download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Encoder, Tagger
from kommunbench.models.encoder import match
from kommunbench.models.reader import ReaderCard, open_reader, reader_cards, reader_digest, reader_digests

SENTENCES = [
    [tuple(word.split("/")) for word in line.split()]
    for line in (
        "Nämnden/NN|UTR|SIN beslutade/VB|PRT|AKT inte/AB om/PP avgiften/NN|UTR|SIN ./MAD",
        "Hon/PN|UTR|SIN ringer/VB|PRS|AKT ofta/AB till/PP Åsa/PM|NOM ./MAD",
        "Beslutade/PC|PRF avgifter/NN|UTR|PLU gäller/VB|PRS|AKT från/PP mars/NN|UTR|SIN ./MAD",
    )
] * 5
TEXTS = ["Nämnden i Lövvik lagar taket på badhuset.", "Badhuset får nytt tak.", "Avgiften höjs inte i år.", "Å!"]


@pytest.fixture(scope="module")
def trained() -> Any:
    """NLTK's own tagger, trained on three sentences."""
    from nltk.tag.perceptron import PerceptronTagger

    tagger = PerceptronTagger(load=False)
    tagger.train(SENTENCES, nr_iter=5)
    return tagger


@pytest.fixture(scope="module")
def tagger_folder(trained: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as NLTK saves it."""
    folder = tmp_path_factory.mktemp("tagger")
    for part, stated in zip(("weights", "tagdict", "classes"), trained.encode_json_obj(), strict=True):
        (folder / f"averaged_perceptron_tagger_swe.{part}.json").write_text(json.dumps(stated), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights and a vocabulary of letters."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("encoder")
    letters = "abcdefghijklmnopqrstuvwxyzåäö0123456789.!,"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"), strip_accents=False, model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, initializer_range=0.5, **sizes)
    BertModel(config).save_pretrained(folder)
    return folder


def test_tags_are_those_of_nltk(trained: Any, tagger_folder: Path) -> None:
    tagger = open_reader("tagger", ReaderCard(path=tagger_folder))
    assert isinstance(tagger, Tagger)
    for sentence in SENTENCES[:3]:
        words = [word for word, _ in sentence]
        assert tagger.tags(words) == [tag for _, tag in trained.tag(words)]
    assert tagger.tags(["Nämnden", "beslutade"]) == ["NN|UTR|SIN", "VB|PRT|AKT"]
    assert tagger.tags([]) == []


@pytest.mark.parametrize("layer", [1, 2])
def test_likeness_is_that_of_bert_score(encoder_folder: Path, layer: int) -> None:
    from bert_score import BERTScorer

    encoder = open_reader("encoder", ReaderCard(path=encoder_folder, layer=layer))
    assert isinstance(encoder, Encoder)
    answers = [text for text in TEXTS for _ in TEXTS]
    references = [[text] for _ in TEXTS for text in TEXTS]
    references[5] = TEXTS[:3]
    theirs = BERTScorer(model_type=str(encoder_folder), num_layers=layer, batch_size=4).score(answers, references)
    ours = encoder.similarities(list(zip(answers, references, strict=True)))
    np.testing.assert_allclose(np.array(ours).T, np.array([part.numpy() for part in theirs]), atol=1e-5)
    assert ours[0] == pytest.approx((1, 1, 1), abs=1e-12)
    assert encoder.similarities([("", ["Ja."]), (" ", ["Ja."])]) == [(0.0, 0.0, 0.0)] * 2
    assert encoder.similarities([("Lång text. " * 60, ["Ja."])])[0][0] <= 1


def test_matching_is_each_tokens_nearest_by_a_plain_count() -> None:
    draw = np.random.default_rng(1)
    for _ in range(200):
        answer, reference = (draw.normal(size=(draw.integers(3, 9), 5)) for _ in range(2))
        answer, reference = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (answer, reference))
        own, expected = (np.array([False, *[True] * (len(rows) - 2), False]) for rows in (answer, reference))
        precision = np.mean([max(float(a @ r) for r in reference) for a, mine in zip(answer, own, strict=True) if mine])
        recall = np.mean(
            [max(float(a @ r) for a in answer) for r, mine in zip(reference, expected, strict=True) if mine]
        )
        f1 = 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0
        assert match(answer, own, reference, expected) == pytest.approx((precision, recall, f1), abs=1e-12)


def test_what_a_card_says_is_a_folder_here_and_its_digest_follows_every_file(
    tmp_path: Path, tagger_folder: Path, encoder_folder: Path
) -> None:
    readers = tmp_path / "readers"
    readers.mkdir()
    assert reader_digests((tmp_path,)) == {}
    (readers / "tagger.yaml").write_text(f"path: {tagger_folder}\n", encoding="utf-8")
    (readers / "encoder.yaml").write_text(f"path: {encoder_folder}\nlayer: 1\n", encoding="utf-8")
    digests = reader_digests((tmp_path / "empty", tmp_path))
    assert set(digests) == {"tagger", "encoder"}
    assert reader_digest("encoder", ReaderCard(path=encoder_folder, layer=2)) != digests["encoder"]
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in tagger_folder.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    assert reader_digest("tagger", ReaderCard(path=copied)) == digests["tagger"]
    (copied / "averaged_perceptron_tagger_swe.tagdict.json").write_text('{"ofta": "AB"}', encoding="utf-8")
    assert reader_digest("tagger", ReaderCard(path=copied)) != digests["tagger"]


@pytest.mark.parametrize("text", ["paht: /srv/x\n", "path: [\n", "path: /srv/x\nlayer: top\n", "- path\n"])
def test_a_card_that_is_none_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "readers" / "tagger.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=str(path)):
        reader_cards((tmp_path,))


def test_no_folder_no_weights_and_pickles_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing is downloaded"):
        reader_digest("encoder", ReaderCard(path=Path("KB/bert-base-swedish-cased")))
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="pickled"):
        reader_digest("encoder", ReaderCard(path=tmp_path))
    with pytest.raises(ModelError, match=r"\*\.weights\.json"):
        open_reader("tagger", ReaderCard(path=tmp_path))
