"""LoRA in transformers and PEFT as one would write it from their guides, with rows of about one length together.

The peers of benchmarks/training_speed.py share it, so that they differ only in how they federate. It imports nothing of
kommunbench: each peer runs in an environment of its own.
"""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer

CHUNK = 8
"""Batches that are sorted by length together, as transformers' `group_by_length` does."""


class Load:
    """What the driver wrote: the model's folder, each site's (prompt, answer) pairs, and the settings."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.settings = json.loads((self.folder / "load.json").read_text(encoding="utf-8"))
        self.sites = sorted(self.settings["sites"])
        self.rounds = self.settings["rounds"]
        self.train = self.settings["train"]

    def pairs(self, site: str) -> list[tuple[str, str]]:
        text = (self.folder / "pairs" / f"{site}.jsonl").read_text(encoding="utf-8")
        return [tuple(json.loads(line)) for line in text.splitlines()]


class Learner:
    """A PEFT model and its tokenizer; `train` is one site's local pass."""

    def __init__(self, load: Load) -> None:
        self.settings = load.train
        folder = load.folder / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        base = AutoModelForCausalLM.from_pretrained(folder)
        torch.manual_seed(1)
        config = LoraConfig(
            r=self.settings["rank"],
            lora_alpha=self.settings["alpha"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        self.model = get_peft_model(base, config)

    def weights(self) -> dict[str, torch.Tensor]:
        state = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        return {name: state[name].detach().clone() for name in sorted(state)}

    def load(self, weights: dict[str, torch.Tensor]) -> None:
        set_peft_model_state_dict(self.model, weights)

    def encode(self, pairs: list[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        longest = self.settings["max_length"]
        rows = []
        for prompt, answer in pairs:
            target = self.tokenizer(" " + answer, add_special_tokens=False)["input_ids"]
            target = [*target[: longest // 2], self.tokenizer.eos_token_id]
            source = self.tokenizer(prompt)["input_ids"][-(longest - len(target)) :]
            rows.append((source + target, [-100] * len(source) + target))
        return rows

    def train(self, rows: list[tuple[list[int], list[int]]], seed: int) -> float:
        """One pass in batches; the mean of the batches' losses."""
        self.model.train()
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=self.settings["learning_rate"], weight_decay=0.0)
        losses = []
        for batch in _batches(rows, self.settings["batch_size"], seed):
            width = max(len(ids) for ids, _ in batch)
            ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in batch])
            labels = torch.tensor([row + [-100] * (width - len(row)) for _, row in batch])
            mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row, _ in batch])
            loss = self.model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, self.settings["clip_norm"])
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            losses.append(loss.item())
        return sum(losses) / len(losses)


@cache
def opened(folder: str) -> tuple[Load, Learner, dict]:
    """A load, its model on one thread, and a place for encoded rows by site: once a process."""
    torch.set_num_threads(1)
    load = Load(folder)
    return load, Learner(load), {}


def _batches(rows: list[tuple[list[int], list[int]]], size: int, seed: int) -> list[list[tuple[list[int], list[int]]]]:
    draw = random.Random(seed)
    order = draw.sample(range(len(rows)), len(rows))
    batches = []
    for start in range(0, len(order), size * CHUNK):
        near = sorted(order[start : start + size * CHUNK], key=lambda place: len(rows[place][0]))
        batches += [[rows[place] for place in near[at : at + size]] for at in range(0, len(near), size)]
    draw.shuffle(batches)
    return batches


def average(updates: list[tuple[dict[str, torch.Tensor], int]]) -> dict[str, torch.Tensor]:
    """The mean weighted by rows (FedAvg, McMahan et al. 2017)."""
    total = sum(count for _, count in updates)
    return {name: sum(weights[name] * (count / total) for weights, count in updates) for name in updates[0][0]}
