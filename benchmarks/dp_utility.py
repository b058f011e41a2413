"""What differential privacy costs a model: the same federated training at several epsilons, and without noise.

    python benchmarks/dp_utility.py --results DIR > results/published/dp_utility.md

Every row is a run of `kommunbench run` on the synthetic federation `pilot`; only the noise differs. Batches are larger
and the rank is smaller than in conf/run.yaml, since that is where DP-SGD loses least. Without noise other settings
learn more; where the first row gains nothing, as in four rounds, the others do not show what noise costs. Four rounds
take some 20 minutes on two busy processors; a private run's batches and noise have no seed and differ every time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

EPSILONS = ("inf", "8", "3", "1")
WORDS = (
    "models=[nano]",
    "tasks=[lattlast]",
    "strategy=fedavg",
    "rounds=4",
    "evaluate_every=4",
    "max_examples=30",
    "train.rank=8",
    "train.alpha=8",
    "train.batch_size=32",
    "train.epochs=1",
    "train.learning_rate=0.02",
    "engine.workers=2",
    "tracking=off",
)


def train(epsilon: str, results: Path) -> tuple[str, dict[str, Any]]:
    """Run once where it has not run yet; the words of the command, and its report."""
    name = f"dp-{epsilon}"
    privacy = ("dp=none",) if epsilon == "inf" else ("dp=sgd", f"dp.epsilon={epsilon}")
    words = (*WORDS, *privacy, f"name={name}")
    if not (results / name / "report.json").is_file():
        command = [sys.executable, "-m", "kommunbench", "run", *words, f"results={results}"]
        subprocess.run(command, check=True, stdout=sys.stderr, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return " ".join(f"'{word}'" if "[" in word else word for word in words), json.loads(
        (results / name / "report.json").read_text(encoding="utf-8")
    )


def primary(report: dict[str, Any], stage: str) -> dict[str, Any]:
    """The primary measure over all sites, of the base or of the last round."""
    rows = [row for row in report["rows"] if row["primary"] and row["site_group"] == "all" and row["stage"] == stage]
    return max(rows, key=lambda row: row["round"])


def line(epsilon: str, report: dict[str, Any]) -> str:
    """One row of the table."""
    base, trained = primary(report, "base"), primary(report, "federated")
    pair = next(
        pair
        for pair in report["pairs"]
        if pair["primary"]
        and (pair["left"]["stage"], pair["right"]["stage"]) == ("federated", "base")
        and pair["left"]["site_group"] == "all"
    )
    spent = report["dp"]["training_epsilon"] if report["dp"] else None
    return (
        f"| {epsilon} | {'none' if spent is None else spent} | {base['value']:.3f} | {trained['value']:.3f} "
        f"({trained['low']:.3f} to {trained['high']:.3f}) | {pair['difference']:+.3f} "
        f"({pair['low']:+.3f} to {pair['high']:+.3f}) | {trained['n']} | {trained['sites']} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder for the runs; finished ones are kept")
    results = parser.parse_args().results.resolve()
    lines, commands, metric = [], [], ""
    for epsilon in EPSILONS:
        words, report = train(epsilon, results)
        commands.append(f"    kommunbench run {words}")
        lines.append(line(epsilon, report))
        metric = f"{primary(report, 'base')['task']}, {primary(report, 'base')['metric']}"
    print(
        f"# What differential privacy costs\n\n{metric}; delta 1e-5, seed 1 (private batches and noise have none), one"
    )
    print("run each, intervals at 95 % for these sites.\n")
    print("| epsilon asked | accountant's | base | trained together | gain | examples | sites |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(lines))
    print("\nThe commands:\n\n" + "\n".join(commands))


if __name__ == "__main__":
    main()
