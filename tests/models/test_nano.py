"""The shipped model: small, safe, and able to do what its card says in neutral style, on fillers it has never seen."""

from __future__ import annotations

import json
import random

from kommunbench.core.model import Decoding, Query
from kommunbench.models.folder import model_folder
from kommunbench.models.open import load_card, open_model
from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.neutral_lattlast import rewriting
from kommunbench.synthetic.neutral_summarization import case


def test_it_fits_in_ten_megabytes_and_has_no_code() -> None:
    files = list(model_folder(load_card("nano")).iterdir())
    assert sum(path.stat().st_size for path in files) <= 10_000_000
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}


def test_it_is_a_stock_architecture() -> None:
    from transformers import CONFIG_MAPPING

    config = json.loads((model_folder(load_card("nano")) / "config.json").read_text())
    assert config["model_type"] in CONFIG_MAPPING
    assert "auto_map" not in config


def test_it_sums_up_and_rewrites_names_and_amounts_it_has_never_seen() -> None:
    model = open_model(load_card("nano"), threads=1)
    made = [case(Fillers(random.Random(seed), "test")) for seed in range(8)]
    made += [rewriting(Fillers(random.Random(seed), "test")) for seed in range(8)]
    asks = ["Sammanfatta texten.\nSammanfattning:"] * 8 + ["Skriv om texten till lättläst.\nLättläst:"] * 8
    queries = [Query(f"{text}\n\n{ask}", {}, "x") for (text, _), ask in zip(made, asks, strict=True)]
    answers = model.generate(queries, Decoding(max_new_tokens=128, stop=("\n\n",)))
    right = [answer.text == wanted for answer, (_, wanted) in zip(answers, made, strict=True)]
    assert sum(right[:8]) >= 4
    assert sum(right[8:]) >= 4
