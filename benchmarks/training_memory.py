"""The most memory that a site's training round takes, against the same steps in plain transformers and PEFT.

    python benchmarks/training_memory.py [--repetitions N]

The load is the `memory` section of benchmarks/loads/training.yaml. Ours is a worker process of the default engine, as
in every run: policy, data, training, door, ledger, receipt, reply. Plain is benchmarks/peers/plain_loop.py with that
one site. Each is a fresh process, turn by turn; what is compared is the kernel's own count of the most that it held
resident (`VmHWM`, `ru_maxrss`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from flwr.app import Message
from training_speed import HERE, TASK, make_load

from kommunbench.cli.compose import make_plan, make_sites, node_config
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.spec import Request
from kommunbench.federation.engines.local import FIRST_NODE_ID, LocalGrid
from kommunbench.federation.records import read_reply, write_request
from kommunbench.models.open import open_model
from kommunbench.release import unpack_status

SITE = "site"


def kommunbench_mib(load: dict[str, Any], results: Path) -> float:
    """MiB of the worker that answers one request to train, spawned since torch is in this process."""
    words = [f"train.{name}={value}" for name, value in load["train"].items()]
    settings = compose_settings(
        [
            *("federation=folder", "federation.path=data", f"tasks=[{TASK}]", "models=[small]", "trained_model=small"),
            *("stages=[federated]", "rounds=1", "strategy=fedavg", "train.epochs=1", "quorum=1", "tracking=off"),
            *(f"engine.threads={load['cores']}", f"results={results}", *words),
        ]
    )
    plan = make_plan(settings)
    spec = plan.info.spec
    assert spec.train is not None
    assert plan.card is not None
    model: Any = open_model(plan.card)
    adapter = model.new_adapter(spec.train, spec.seed)
    del model
    request = Request(spec=spec, round=0, train=True, seed=spec.seed)
    grid = LocalGrid([node_config(site) for site in make_sites(settings)], 1, load["cores"])
    try:
        content = write_request(request, {"": adapter})
        (reply,) = grid.send_and_receive([Message(content, FIRST_NODE_ID, "train", ttl=3600.0)])
        status = unpack_status(read_reply(reply, request, adapter).status)
        assert status == (Code.OK, Code.OK), status
        (worker,) = grid.process_ids()
        lines = Path(f"/proc/{worker}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    finally:
        grid.close()


def plain_mib(folder: Path) -> float:
    """MiB of a process that makes the same steps with no federation around it."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "peers/plain_loop.py"), str(folder), "1"], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("plain_loop.py failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    """Measure in turn, and print a line a repetition and the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int)
    chosen = parser.parse_args()
    load = yaml.safe_load((HERE / "loads/training.yaml").read_text(encoding="utf-8"))
    asked = load["memory"]
    load |= {"model": asked["model"], "sites": {SITE: asked["rows"]}, "rounds": 1}
    taken: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_load(folder, load)
        os.chdir(folder)  # the model's card is in conf/ here
        for turn in range(chosen.repetitions or load["repetitions"]):
            taken.append((kommunbench_mib(load, folder / f"results-{turn}"), plain_mib(folder)))
            print(f"{turn + 1}  kommunbench {taken[-1][0]:.0f} MiB, plain {taken[-1][1]:.0f} MiB", flush=True)
    columns = [*zip(*taken, strict=True), [ours / plain for ours, plain in taken]]
    cells = [
        f"{statistics.median(found):.{digits}f} [{min(found):.{digits}f}, {max(found):.{digits}f}]"
        for found, digits in zip(columns, (0, 0, 3), strict=True)
    ]
    print("| kommunbench, MiB at most | plain transformers and PEFT | ratio | n |\n|--:|--:|--:|--:|")
    print(f"| {' | '.join(cells)} | {len(taken)} |")


if __name__ == "__main__":
    main()
