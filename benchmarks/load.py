"""The load of evaluation_speed.py: models of random weights and prompts of invented text, the same for a seed."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
LOADS = Path(__file__).with_name("loads")
TOKENIZER = ROOT / "src" / "kommunbench" / "models" / "nano"
QUESTION = "\n\nSammanfatta texten.\nSammanfattning:"


class Load(NamedTuple):
    """One model and what it is asked. `inputs` are the texts, `references` an answer to each, `shots` before them."""

    name: str
    model: dict[str, Any]
    batch_size: int
    max_new_tokens: int
    stop: tuple[str, ...]
    cores: int
    seed: int
    inputs: tuple[str, ...]
    references: tuple[str, ...]
    shots: tuple[tuple[str, str], ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts, worked examples first."""
        worked = "".join(f"{text}{QUESTION} {answer}\n\n" for text, answer in self.shots)
        return tuple(f"{worked}{text}{QUESTION}" for text in self.inputs)

    def write_model(self, folder: Path) -> None:
        """The model as a folder that `from_pretrained` opens: safetensors, and nano's tokenizer."""
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
        torch.manual_seed(self.seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.model["width"],
            intermediate_size=self.model["feed_forward"],
            num_hidden_layers=self.model["layers"],
            num_attention_heads=self.model["heads"],
            num_key_value_heads=self.model["heads"],
            initializer_range=self.model["spread"],
            max_position_embeddings=2048,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def read_load(file: str, name: str) -> Load:
    """The load `name` of loads/<file>.yaml. Ends the program where its prompts are no longer those that were fixed."""
    whole = yaml.safe_load((LOADS / f"{file}.yaml").read_text(encoding="utf-8"))
    stated = whole["loads"][name]
    texts, answers = _texts(whole["seed"], stated["prompts"] + stated["shots"], whole["words"])
    first = stated["shots"]
    by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    worked = set(by_length[len(texts) // 2 :][:first])  # of middling length
    asked = [index for index in range(len(texts)) if index not in worked]
    load = Load(
        name=name,
        model=stated["model"],
        batch_size=stated["batch_size"],
        max_new_tokens=whole["max_new_tokens"],
        stop=tuple(whole["stop"]),
        cores=whole["cores"],
        seed=whole["seed"],
        inputs=tuple(texts[index] for index in asked),
        references=tuple(answers[index] for index in asked),
        shots=tuple((texts[index], answers[index]) for index in sorted(worked)),
    )
    digest = sha256(json.dumps(load.prompts).encode()).hexdigest()
    if digest != stated["digest"]:
        raise SystemExit(f"{name}: the prompts are {digest}, not those that {file}.yaml fixes: the text has changed")
    return load


def _texts(seed: int, count: int, words: dict[str, int]) -> tuple[list[str], list[str]]:
    """Case texts cut or joined to between `least` and `most` tokens, and an invented answer to each."""
    from transformers import AutoTokenizer

    from kommunbench.config.hydra import compose_settings
    from kommunbench.core.registry import find

    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    settings = compose_settings(["tasks=[summarization]"])
    generate = find("synthetic", "summarization")
    rows = [row for site in settings.federation.sites.values() for row in generate(site, "test", 1, settings.synthetic)]
    stream = [word for row in rows for word in row["input"].split(" ")]
    draw = random.Random(seed)
    least, most = words["least"], words["most"]
    question = len(tokenizer(QUESTION)["input_ids"])
    texts = []
    for index in range(count):
        wanted = least + (most - least) * index // max(1, count - 1) - question
        start = draw.randrange(len(stream) - most)
        text = " ".join(stream[start : start + most])
        cut = tokenizer(text, return_offsets_mapping=True)["offset_mapping"][wanted - 1][1]
        texts.append(text[:cut])
    draw.shuffle(texts)
    return texts, [row["references"][0] for row in rows[:count]]
