"""The client's script of benchmarks/peers/nvflare_fedavg.py: NVFLARE's Client API around the same loop."""

from __future__ import annotations

import argparse
import json
import time

import nvflare.client as flare
import torch
from lora_loop import Learner, Load
from nvflare.app_common.abstract.fl_model import FLModel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--load")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    load = Load(options.load)
    learner, rows = Learner(load), []
    flare.init()
    site = flare.get_site_name()
    while flare.is_running():
        model = flare.receive()
        if model is None:
            break
        begun = time.time()
        rows = rows or learner.encode(load.pairs(site))
        learner.load(model.params)
        number = int(model.current_round)
        learner.train(rows, number)
        # Tensors: arrays of NumPy are left out of a message of the PyTorch recipe, with a warning alone.
        flare.send(FLModel(params=learner.weights(), meta={"NUM_STEPS_CURRENT_ROUND": len(rows)}))
        with (load.folder / "nvflare.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"round": number, "begun": begun, "ended": time.time()}) + "\n")


if __name__ == "__main__":
    main()
