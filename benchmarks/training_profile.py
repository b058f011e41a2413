"""Where the time of one site's training goes: kommunbench's own steps and the plain loop's, by torch's profiler.

    python benchmarks/training_profile.py [--site c] [--repetitions N]

The load is that of benchmarks/training_speed.py: one pass over one site's rows, one thread. First both are timed, turn
by turn, in processor seconds, which neighbours on the machine change little; then each is profiled once.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.profiler import ProfilerActivity, profile
from training_speed import HERE, make_load

from kommunbench.core.model import ModelCard, TrainSettings
from kommunbench.models.batches import encode_pairs, in_buckets
from kommunbench.models.open import open_model

sys.path.insert(0, str(HERE / "peers"))
from lora_loop import Learner, Load, _batches

KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm"),
    "attention": ("aten::_scaled_dot_product_flash_attention_for_cpu",),
    "softmax and loss": ("aten::_log_softmax", "aten::nll_loss", "aten::_softmax"),
    "AdamW and clipping": ("aten::_foreach", "aten::addc", "aten::lerp_", "aten::sqrt", "aten::linalg_vector_norm"),
    "sums, products, activations": ("aten::add", "aten::mul", "aten::silu", "aten::pow", "aten::mean", "aten::neg"),
    "copies": ("aten::copy_", "aten::cat", "aten::clone", "aten::zero_", "aten::fill_"),
}
"""Beginnings of the profiler's names; the first that fits counts."""


def sides(folder: Path, load: dict[str, Any], site: str) -> dict[str, tuple[Callable[[], object], str]]:
    """What does one pass, by name, and what it works on in words."""
    peer = Load(folder)
    pairs, learner = peer.pairs(site), Learner(peer)
    rows = learner.encode(pairs)
    widths = [(len(batch), max(len(ids) for ids, _ in batch)) for batch in _batches(rows, peer.train["batch_size"], 1)]
    plain = sum(count * width for count, width in widths)

    model: Any = open_model(ModelCard(name="small", family="huggingface", path=str(folder / "model"), trainable=True))
    settings = TrainSettings(**load["train"], epochs=1, warmup_share=0, last_share=1)
    adapter = model.new_adapter(settings, 1)
    encoded = encode_pairs(model.network, model.tokenizer, pairs, settings.max_length)
    batches = [batch for _, batch in zip(range(len(widths)), in_buckets(encoded, settings.batch_size, 1), strict=False)]
    width = [max(len(row.prompt) + len(row.answer) for row in batch) - 1 for batch in batches]
    answers = [max(len(row.answer) for row in batch) for batch in batches]
    ours = sum(len(batch) * each for batch, each in zip(batches, width, strict=True))
    scored = sum(len(batch) * each for batch, each in zip(batches, answers, strict=True))
    return {
        "kommunbench": (lambda: model.train(pairs, adapter, settings, 1), f"{ours} positions, {scored} with logits"),
        "plain loop": (lambda: learner.train(rows, 1), f"{plain} positions, {plain} with logits"),
    }


def shares(work: Callable[[], object]) -> dict[str, float]:
    """Each kind's share of the time in operations."""
    with profile(activities=[ProfilerActivity.CPU]) as taken:
        work()
    by_kind = dict.fromkeys((*KINDS, "the rest"), 0.0)
    for event in taken.key_averages():
        kind = next((kind for kind, names in KINDS.items() if event.key.startswith(names)), "the rest")
        by_kind[kind] += event.self_cpu_time_total
    return {kind: spent / sum(by_kind.values()) for kind, spent in by_kind.items()}


def main() -> None:
    """Time, profile, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", default="c")
    parser.add_argument("--repetitions", type=int, default=5)
    chosen = parser.parse_args()
    load = yaml.safe_load((HERE / "loads/training.yaml").read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_load(folder, load)
        both = sides(folder, load, chosen.site)
        seconds: dict[str, list[float]] = {name: [] for name in both}
        for _ in range(chosen.repetitions):
            for name, (work, _) in both.items():
                begun = time.process_time()
                work()
                seconds[name].append(time.process_time() - begun)
        for name, (_, words) in both.items():
            taken = seconds[name]
            print(f"{name}: {statistics.median(taken):.2f} [{min(taken):.2f}, {max(taken):.2f}] processor s; {words}")
        ratios = sorted(ours / plain for ours, plain in zip(*seconds.values(), strict=True))
        print(f"ratio {statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}], n = {len(ratios)}")
        found = {name: shares(work) for name, (work, _) in both.items()}
    print("| share of a pass, and of its processor s | " + " | ".join(found) + " |\n|---|--:|--:|")
    for kind in (*KINDS, "the rest"):
        cells = [
            f"{by_kind[kind]:.0%}, {by_kind[kind] * statistics.median(seconds[name]):.2f}"
            for name, by_kind in found.items()
        ]
        print(f"| {kind} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
