"""How fast a site evaluates, against lm-eval 0.4.13 in the same run: items a second, whole command, memory, again.

    python benchmarks/evaluation_speed.py --peer /path/to/venv/bin/python [--parts items,command,memory,again]

The peer has an environment of its own: python -m venv DIR; DIR/bin/pip install lm-eval==0.4.13 and this project's
versions of torch and transformers. What is compared takes turns, one repetition each, and ratios are of neighbours in
time, so that what else the machine does meets both. The load is loads/evaluation.yaml.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from load import Load, read_load

HERE = Path(__file__).resolve().parent
PARTS = ("items", "command", "memory", "again")


class Way(NamedTuple):
    """A way to answer, and the interpreter that has it."""

    name: str
    python: str


class Child:
    """A process that answers a load when it is told to; see answering.py."""

    def __init__(self, way: Way, model: Path, load: Load, folder: Path) -> None:
        self.way, self.out = way, folder / f"{way.name}.json"
        asked = {name: getattr(load, name) for name in ("prompts", "max_new_tokens", "stop", "batch_size", "cores")}
        file = folder / "load.json"
        file.write_text(json.dumps(asked), encoding="utf-8")
        command = [way.python, str(HERE / "answering.py"), way.name, str(model), str(file), str(self.out)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.way.name} ended: run answering.py by hand to see why")
        return line

    def seconds(self) -> float:
        """Answer everything once."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._line())

    def texts(self) -> list[str]:
        """The answers of the last time."""
        found: list[str] = json.loads(self.out.read_bytes())
        return found

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and the least and most in brackets."""
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}, {max(values):.{digits}f}]"


def items(name: str, peer: Way, repetitions: int) -> None:
    """Items a second of both, turn by turn, and whether the answers are the same."""
    load = read_load("evaluation", name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        load.write_model(folder / "model")
        children = [Child(way, folder / "model", load, folder) for way in (Way("kommunbench", sys.executable), peer)]
        seconds: list[list[float]] = [[], []]
        for repetition in range(repetitions + 1):
            for times, child in zip(seconds, children, strict=True):
                took = child.seconds()
                if repetition:  # the first warms up
                    times.append(took)
        ours, theirs = (child.texts() for child in children)
        for child in children:
            child.close()
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    count = len(load.prompts)
    rates = [[count / took for took in times] for times in seconds]
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    print(
        f"| {name} | {spread(rates[0], 1)} | {spread(rates[1], 1)} | {spread(ratios)} | "
        f"{min(seconds[1]) / min(seconds[0]):.2f} | {same} of {count} | {repetitions} |",
        flush=True,
    )


@contextmanager
def peak_memory(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Inside, the most bytes that `process` and its children hold, shared pages counted once: PSS, every 20 ms."""
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], sum(map(_proportional_bytes, _family(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        own = [int(child) for child in children.read_text().split()]
    except OSError:
        own = []
    return [pid, *(member for child in own for member in _family(child))]


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def memory(name: str, peer: Way, repetitions: int) -> None:
    """The most memory that a fresh process takes to answer the load, against plain transformers and lm-eval."""
    load = read_load("evaluation", name)
    ways = (Way("kommunbench", sys.executable), Way("transformers", sys.executable), peer)
    peaks: dict[str, list[float]] = {way.name: [] for way in ways}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        load.write_model(folder / "model")
        for _ in range(repetitions):
            for way in ways:
                child = Child(way, folder / "model", load, folder)
                with peak_memory(child.process) as peak:
                    child.seconds()
                child.close()
                peaks[way.name].append(peak[0] / 2**20)
    ratios = [a / b for a, b in zip(peaks["kommunbench"], peaks["transformers"], strict=True)]
    cells = " | ".join(spread(values, 0) for values in peaks.values())
    print(f"| {name} | {cells} | {spread(ratios)} | {repetitions} |", flush=True)


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the interpreter of the environment that has lm-eval")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--loads", default="small,small_with_shots,large")
    parser.add_argument("--repetitions", type=int, default=5)
    chosen = parser.parse_args()
    peer, parts, loads = Way("lm_eval", chosen.peer), chosen.parts.split(","), chosen.loads.split(",")
    started = time.perf_counter()
    if "items" in parts:
        print(
            "| load | kommunbench, items a second | lm-eval | ratio, turn by turn | of the fastest | same answers | n |"
        )
        print("|---|--:|--:|--:|--:|--:|--:|")
        for name in loads:
            items(name, peer, chosen.repetitions)
    if "memory" in parts:
        print("\n| load | kommunbench, MB at most | transformers | lm-eval | ratio to transformers | n |")
        print("|---|--:|--:|--:|--:|--:|")
        for name in loads:
            memory(name, peer, chosen.repetitions)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
