"""What differential privacy costs a model: the same federated training at several epsilons, and without noise.

    python benchmarks/dp_utility.py --results DIR > results/published/dp_utility.md
    python benchmarks/dp_utility.py --results DIR --seeds 1 2 3

Every row is a run of `kommunbench run`; only the noise differs. Two synthetic sites with 2,000 training examples of
one task each, since noise hides one example among many and there must be many. There are four rounds of four steps;
each example is in a batch with a chance of 2.4 %. Every example's gradient is clipped low, rank and steps are few and
the learning rate is high. A private run's batches and noise have no seed and differ every time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kommunbench.models.private import noise_for, spent_epsilon

EPSILONS = ("inf", "8", "3", "1")
TASK, EXAMPLES, TESTS, BATCH, ROUND_STEPS, ROUNDS, DELTA = "summarization", 2000, 60, 48, 4, 4, 1e-5
SITES, LEFT_OUT = ("lovsala", "sydmark"), ("alvhammar", "kustbygd", "norrgryta", "vidsjo")
SIZES = f"{{train: {EXAMPLES}, validation: 0, test: {TESTS}}}"
WORDS = (
    *(f"~federation.sites.{site}" for site in LEFT_OUT),
    *(f"federation.sites.{site}.sizes.{TASK}={SIZES}" for site in SITES),
    "models=[nano]",
    f"tasks=[{TASK}]",
    "strategy=fedavg",
    f"rounds={ROUNDS}",
    f"evaluate_every={ROUNDS}",
    "train.rank=4",
    "train.alpha=4",
    f"train.batch_size={BATCH}",
    f"train.epochs={ROUND_STEPS * BATCH / EXAMPLES}",
    "train.learning_rate=0.04",
    "train.clip_norm=0.1",
    "engine.workers=1",
    "tracking=off",
)


def train(epsilon: str, seed: int, results: Path) -> tuple[str, dict[str, Any]]:
    """Run once where it has not run yet; the words of the command, and its report."""
    name = f"dp-{epsilon}-{seed}"
    privacy = ("dp=none",) if epsilon == "inf" else ("dp=sgd", f"dp.epsilon={epsilon}", f"dp.delta={DELTA}")
    words = (*WORDS, *privacy, f"seed={seed}", f"name={name}")
    if not (results / name / "report.json").is_file():
        command = [sys.executable, "-m", "kommunbench", "run", *words, f"results={results}"]
        subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return " ".join(f"'{word}'" if set(word) & set("[{~") else word for word in words), json.loads(
        (results / name / "report.json").read_text(encoding="utf-8")
    )


def primary(report: dict[str, Any], stage: str) -> dict[str, Any]:
    """The primary measure over all sites, of the base or of the last round."""
    rows = [row for row in report["rows"] if row["primary"] and row["site_group"] == "all" and row["stage"] == stage]
    return max(rows, key=lambda row: row["round"])


def line(epsilon: str, seed: int, report: dict[str, Any]) -> str:
    """One row of the table."""
    base, trained = primary(report, "base"), primary(report, "federated")
    pair = next(
        pair
        for pair in report["pairs"]
        if pair["primary"]
        and (pair["left"]["stage"], pair["right"]["stage"]) == ("federated", "base")
        and pair["left"]["site_group"] == "all"
    )
    noise, spent = "0", "none"
    if report["dp"]:
        spent = f"{report['dp']['training_epsilon']:.2f}"
        noise = f"{noise_for(float(epsilon), DELTA, BATCH / EXAMPLES, ROUND_STEPS * ROUNDS):.3f}"
    return (
        f"| {epsilon} | {seed} | {noise} | {spent} | {base['value']:.3f} | {trained['value']:.3f} "
        f"({trained['low']:.3f} to {trained['high']:.3f}) | {pair['difference']:+.3f} "
        f"({pair['low']:+.3f} to {pair['high']:+.3f}) | {trained['n']} | {trained['sites']} |"
    )


def accounts() -> Iterator[str]:
    """The accountant's figures, once more from the noise."""
    for epsilon in EPSILONS[1:]:
        noise = noise_for(float(epsilon), DELTA, BATCH / EXAMPLES, ROUND_STEPS * ROUNDS)
        spent = spent_epsilon([(noise, BATCH / EXAMPLES, ROUND_STEPS * ROUNDS)], DELTA)
        yield f"{noise:.3f} for {epsilon} (it spends {spent:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder for the runs; finished ones are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked = parser.parse_args()
    lines, commands = [], []
    for seed in asked.seeds:
        for epsilon in EPSILONS:
            words, report = train(epsilon, seed, asked.results.resolve())
            commands.append(f"    kommunbench run {words}")
            lines.append(line(epsilon, seed, report))
            print(lines[-1], file=sys.stderr, flush=True)
    print("# What differential privacy costs\n")
    print(f"{TASK}, ROUGE-L; intervals at 95 % for these sites, the gain's from pairs example by example.\n")
    print("| epsilon asked | seed | noise | epsilon spent | base | trained together | gain | examples | sites |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    print(f"\nEach site: {EXAMPLES} training examples, delta {DELTA}, Poisson sampling at {BATCH / EXAMPLES:g},")
    print(f"{ROUND_STEPS * ROUNDS} steps in {ROUNDS} rounds, clip norm 0.1, noise in clip norms by Opacus's Renyi")
    print(f"accountant: {', '.join(accounts())}.\n")
    print("The commands:\n\n" + "\n".join(commands))


if __name__ == "__main__":
    main()
