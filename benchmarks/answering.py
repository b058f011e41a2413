"""One way to answer a load's prompts, in a process of its own, as often as it is told: evaluation_speed.py starts it.

    python benchmarks/answering.py WAY MODEL LOAD.json OUT.json

A line on stdin: answer all prompts, write the answers to OUT, print seconds and processor seconds. WAY is
`kommunbench`, `lm_eval` or `transformers`; each imports what it needs alone, for lm_eval has an environment of its own.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = Callable[[], list[str]]


def kommunbench(folder: str, load: dict[str, Any]) -> Answer:
    """This project, as a site opens and asks a model."""
    from kommunbench.core.model import Decoding, ModelCard, Query
    from kommunbench.models.open import open_model

    model = open_model(ModelCard(name="load", family="huggingface", path=folder), threads=load["cores"])
    decoding = Decoding(max_new_tokens=load["max_new_tokens"], stop=tuple(load["stop"]), batch_size=load["batch_size"])
    queries = [Query(prompt, {}, "speed") for prompt in load["prompts"]]
    return lambda: [completion.text for completion in model.generate(queries, decoding)]


def lm_eval(folder: str, load: dict[str, Any]) -> Answer:
    """EleutherAI's harness: its model class for Hugging Face, and its `generate_until`."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=load["batch_size"])
    settings = {"until": load["stop"], "max_gen_toks": load["max_new_tokens"], "do_sample": False}
    requests = [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, dict(settings)), idx=index)
        for index, prompt in enumerate(load["prompts"])
    ]
    return lambda: [text.strip() for text in model.generate_until(requests, disable_tqdm=True)]


def transformers(folder: str, load: dict[str, Any]) -> Answer:
    """Plain transformers: `generate` on batches of prompts sorted by length, longest first."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompts, stop = load["prompts"], load["stop"]
    lengths = [len(ids) for ids in tokenizer(prompts)["input_ids"]]
    order = sorted(range(len(prompts)), key=lambda index: -lengths[index])

    def answer() -> list[str]:
        texts = [""] * len(prompts)
        for start in range(0, len(order), load["batch_size"]):
            chosen = order[start : start + load["batch_size"]]
            inputs = tokenizer([prompts[index] for index in chosen], padding=True, return_tensors="pt")
            with torch.inference_mode():
                made = model.generate(
                    **inputs,
                    max_new_tokens=load["max_new_tokens"],
                    do_sample=False,
                    stop_strings=stop,
                    tokenizer=tokenizer,
                )
            for index, ids in zip(chosen, made[:, inputs["input_ids"].shape[1] :], strict=True):
                text = tokenizer.decode(ids, skip_special_tokens=True)
                ends = [place for place in map(text.find, stop) if place >= 0]
                texts[index] = text[: min(ends, default=len(text))].strip()
        return texts

    return answer


def processor_seconds() -> float:
    """What this process and those that it waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main(way: str, folder: str, load_file: str, out: str) -> None:
    """Answer whenever a line comes in; results go to the real stdout, whatever a library prints."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    load = json.loads(Path(load_file).read_bytes())
    import torch

    torch.set_num_threads(load["cores"])
    answer: Answer = {"kommunbench": kommunbench, "lm_eval": lm_eval, "transformers": transformers}[way](folder, load)
    pipe.write("ready\n")
    for _ in sys.stdin:
        started, used = time.perf_counter(), processor_seconds()
        texts = answer()
        seconds = time.perf_counter() - started
        Path(out).write_text(json.dumps(texts), encoding="utf-8")
        pipe.write(f"{seconds} {processor_seconds() - used}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
