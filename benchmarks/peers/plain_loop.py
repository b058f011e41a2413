"""The same work without any federation: every site's pass in turn, then the average. `plain_loop.py LOAD PROCESSES`.

With one process torch uses all cores; with two, each has a core and half of the sites, and weights cross by a pipe.
Prints one line of JSON: seconds of each round but the first.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time

import torch
from lora_loop import Learner, Load, average

STATE: dict = {}


def start(folder: str, threads: int) -> None:
    torch.set_num_threads(threads)
    STATE["load"] = Load(folder)
    STATE["learner"] = Learner(STATE["load"])
    STATE["rows"] = {}


def local(job: tuple[str, dict[str, torch.Tensor], int]) -> tuple[dict[str, torch.Tensor], int]:
    site, weights, seed = job
    learner, rows = STATE["learner"], STATE["rows"]
    if site not in rows:
        rows[site] = learner.encode(STATE["load"].pairs(site))
    learner.load(weights)
    learner.train(rows[site], seed)
    return learner.weights(), len(rows[site])


def main() -> None:
    folder, processes = sys.argv[1], int(sys.argv[2])
    load = Load(folder)
    start(folder, load.settings["cores"] if processes == 1 else 1)
    weights = STATE["learner"].weights()
    sites = sorted(load.sites, key=lambda site: -load.settings["sites"][site])
    pool = multiprocessing.get_context("spawn").Pool(processes, start, (folder, 1)) if processes > 1 else None
    seconds = []
    for number in range(load.rounds):
        begun = time.perf_counter()
        jobs = [(site, weights, 100 * number + at) for at, site in enumerate(sites)]
        weights = average(list(pool.imap(local, jobs)) if pool else list(map(local, jobs)))
        seconds.append(time.perf_counter() - begun)
    torch.save(weights, load.folder / "plain.pt")
    print(json.dumps({"round_s": seconds[1:]}))


if __name__ == "__main__":
    main()
