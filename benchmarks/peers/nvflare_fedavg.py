"""NVFLARE's FedAvg recipe in its simulator. `nvflare_fedavg.py LOAD THREADS`.

THREADS sites are at work at once, each on one core. As many as there are sites is by far the best: with two, every
message starts a site's process anew, and a round of a toy model took 44 s where it takes 2.6 s.
Prints one line of JSON: seconds of each round but the first, from the end of the round
before (when its last site had sent) to its own.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path

from lora_loop import Learner, Load
from nvflare.app_opt.pt.recipes.fedavg import FedAvgRecipe
from nvflare.recipe import SimEnv
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent


def main() -> None:
    load, threads = Load(sys.argv[1]), int(sys.argv[2])
    (load.folder / "nvflare.jsonl").unlink(missing_ok=True)
    os.environ["PYTHONPATH"] = str(HERE)  # its client processes inherit it
    os.chdir(HERE)  # the recipe takes the script's name from here
    start = load.folder / "start.safetensors"
    save_file(Learner(load).weights(), start)
    recipe = FedAvgRecipe(
        name="fedavg",
        model={"class_path": "peft_weights.PeftWeights", "args": {"path": str(start)}},
        min_clients=len(load.sites),
        num_rounds=load.rounds,
        train_script="nvflare_client.py",
        train_args=f"--load {load.folder} --threads 1",
        key_metric="",
    )
    recipe.execute(SimEnv(clients=load.sites, num_threads=threads, workspace_root=str(load.folder / "nvflare")))
    ends: dict[int, float] = {}
    for line in (load.folder / "nvflare.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        ends[record["round"]] = max(ends.get(record["round"], 0.0), record["ended"])
    order = [ends[number] for number in sorted(ends)]
    print(json.dumps({"round_s": [after - before for before, after in pairwise(order)]}))


if __name__ == "__main__":
    main()
