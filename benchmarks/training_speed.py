"""A round of federated LoRA against the same work elsewhere, on the same cores, interleaved, as ratios.

    python benchmarks/training_speed.py PEERS [--repetitions N] [--only kommunbench,plain-2]

PEERS is a folder with the peers' own environments, `flower/` and `nvflare/`; those that lack are left out, and said so:

    python3.11 -m venv PEERS/flower
    PEERS/flower/bin/pip install -c constraints.txt torch transformers peft "flwr[simulation]==1.41.0"
    python3.11 -m venv PEERS/nvflare
    PEERS/nvflare/bin/pip install -c constraints.txt torch transformers peft "nvflare==2.9.*"

The load is benchmarks/loads/training.yaml: a random Llama, made-up words, unlike sites. Everybody trains on the same
pairs with the same settings. kommunbench goes its whole way: policy, door, ledger, receipt, checks, checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml

from kommunbench.core.task import load_task

HERE = Path(__file__).resolve().parent
TASK = "summarization"


def make_load(folder: Path, load: dict[str, Any]) -> None:
    """Model, each site's rows for kommunbench, and the same rows as rendered pairs for everybody else."""
    make_model(folder / "model", load["model"], load["seed"])
    draw, task = random.Random(load["seed"]), load_task(TASK)
    words = [f"ord{number}" for number in range(load["model"]["vocab_size"] - 3)]
    for site, count in load["sites"].items():
        rows = []
        for number in range(count):
            text = draw.choices(words, k=draw.randint(*load["prompt_words"]))
            answer = " ".join(draw.choices(text, k=draw.randint(*load["answer_words"])))
            rows.append({"id": f"{site}-{number}", "split": "train", "input": " ".join(text), "references": [answer]})
        pairs = [[task.render("plain", {"input": row["input"]}), row["references"][0]] for row in rows]
        _write(folder / "pairs" / f"{site}.jsonl", pairs)
        tests = [{"split": "test", "references": ["ord1"], "id": f"t{at}", "input": f"ord{at}"} for at in range(10)]
        _write(folder / "data" / site / f"{TASK}.jsonl", [*rows, *tests])
    (folder / "load.json").write_text(json.dumps(load), encoding="utf-8")
    card = {"name": "small", "family": "huggingface", "path": str(folder / "model"), "trainable": True}
    (folder / "conf" / "models").mkdir(parents=True)
    (folder / "conf" / "models" / "small.yaml").write_text("# @package models.small\n" + yaml.safe_dump(card))


def make_model(folder: Path, shape: dict[str, int], seed: int) -> None:
    """A Llama with random weights, and a tokenizer with a token a word."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<pad>", "<end>", "<unk>"]
    words = special + [f"ord{number}" for number in range(shape["vocab_size"] - len(special))]
    raw = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>", unk_token="<unk>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        **shape,
        num_key_value_heads=shape["num_attention_heads"],
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
        max_position_embeddings=1024,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def _write(path: Path, lines: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def kommunbench(folder: Path, load: dict[str, Any]) -> list[str]:
    """The command of the whole run; its base is not evaluated, and its end hardly."""
    train = [f"train.{name}={value}" for name, value in load["train"].items()]
    return [
        *(sys.executable, "-m", "kommunbench", "run", "--config-dir", str(folder / "conf")),
        *("federation=folder", f"federation.path={folder / 'data'}", f"tasks=[{TASK}]", "models=[small]"),
        *("trained_model=small", "stages=[federated]", f"rounds={load['rounds']}", "evaluate_every=1000"),
        *("strategy=fedavg", "train.epochs=1", "train.warmup_share=0", "train.last_share=1", *train),
        *(f"engine.workers={load['cores']}", "engine.threads=1", f"tasks.{TASK}.max_new_tokens=1"),
        *("tracking=off", "reuse=false", f"results={folder / 'results'}", "name=speed"),
    ]


def kommunbench_rounds(folder: Path, load: dict[str, Any]) -> list[float]:
    """Seconds of each round but the first: from its messages going out to the next round's."""
    events = [json.loads(line) for line in (folder / "results/speed/events.jsonl").read_text().splitlines()]
    begun = [event["time"] for event in events if event["kind"] == "moment"]
    return [after - before for before, after in pairwise(begun[1 : load["rounds"] + 1])]


def measure(command: list[str]) -> dict[str, Any]:
    """Run it; seconds from shell to end, its peak memory in MiB with all its processes, and the line it printed."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    begun, peak = time.perf_counter(), 0
    # Into files: who fills a pipe that nobody reads stands still, and NVFLARE says a lot.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, text=True, env=environment)
        whole = psutil.Process(process.pid)
        while process.poll() is None:
            with_children = [whole, *whole.children(recursive=True)] if whole.is_running() else []
            peak = max(peak, sum(_pss(part) for part in with_children))
            try:
                process.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                continue
        seconds = time.perf_counter() - begun
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}\n{err.read()[-3000:]}")
        last = [line for line in out if line.startswith('{"round_s"')]
    return {"whole_s": seconds, "peak_mib": peak / 2**20, **(json.loads(last[-1]) if last else {})}


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def contestants(peers: Path, folder: Path) -> dict[str, list[str]]:
    """Command by name."""
    here, flower, nvflare = HERE / "peers", peers / "flower/bin/python", peers / "nvflare/bin/python"
    found = {
        "plain loop, one process": [sys.executable, str(here / "plain_loop.py"), str(folder), "1"],
        "plain loop, two processes": [sys.executable, str(here / "plain_loop.py"), str(folder), "2"],
        "Flower and PEFT script": [str(flower), str(here / "flower_peft.py"), str(folder)],
        "NVFLARE's simulator": [str(nvflare), str(here / "nvflare_fedavg.py"), str(folder), "6"],
    }
    for name, command in found.items():
        if not Path(command[0]).exists():
            print(f"left out, no such environment: {name} ({command[0]})", flush=True)
    return {name: command for name, command in found.items() if Path(command[0]).exists()}


def main() -> None:
    """One line a run as it ends, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path)
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--load", type=Path, default=HERE / "loads/training.yaml", help="another load, to try things")
    options = parser.parse_args()
    load = yaml.safe_load(options.load.read_text(encoding="utf-8"))
    taken: dict[str, list[dict[str, Any]]] = {}
    for repetition in range(options.repetitions or load["repetitions"]):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            make_load(folder, load)
            commands = {"kommunbench": kommunbench(folder, load), **contestants(options.peers.absolute(), folder)}
            for name, command in commands.items():
                if options.only and not any(word in name for word in options.only.split(",")):
                    continue
                found = measure(command)
                if name == "kommunbench":
                    found["round_s"] = kommunbench_rounds(folder, load)
                taken.setdefault(name, []).append(found)
                shown = " ".join(f"{seconds:.2f}" for seconds in found["round_s"])
                print(f"{repetition + 1}  {name:28} {found['whole_s']:6.1f} s  rounds {shown}", flush=True)
    print(table(taken))


def table(taken: dict[str, list[dict[str, Any]]]) -> str:
    """Medians, and ratios to kommunbench's within each repetition: median, least and greatest."""
    lines = [
        "| | a round, s | against ours | whole command, s | against ours | peak, MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, runs in taken.items():
        cells = [name]
        for figure in (_round, _whole):
            seconds = [figure(run) for run in runs]
            cells += [f"{statistics.median(seconds):.2f}", _ratios(seconds, map(figure, taken.get("kommunbench", [])))]
        cells.append(f"{statistics.median(run['peak_mib'] for run in runs):.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _round(run: dict[str, Any]) -> float:
    return statistics.median(run["round_s"])


def _whole(run: dict[str, Any]) -> float:
    return float(run["whole_s"])


def _ratios(theirs: Iterable[float], ours: Iterable[float]) -> str:
    found = sorted(their / our for their, our in zip(theirs, ours, strict=False))
    return f"{statistics.median(found):.2f}x ({found[0]:.2f} to {found[-1]:.2f})" if found else "–"


if __name__ == "__main__":
    main()
