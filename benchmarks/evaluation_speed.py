"""How fast a site evaluates, against lm-eval 0.4.13 in the same run: items a second, whole command, memory, again.

    python benchmarks/evaluation_speed.py --peer /path/to/venv/bin/python [--parts items,command,memory,again]

`--cores 1` gives each one core and compares processor seconds: neighbours on a busy machine change those far less than
they change what a clock says. The peer has an environment of its own: python -m venv DIR; DIR/bin/pip install
'lm-eval[hf]==0.4.13' and this project's versions of torch and transformers. What is compared takes turns, and ratios
are of neighbours in time, so that what else the machine does meets both. The load is loads/evaluation.yaml.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
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

import yaml
from load import QUESTION, Load, read_load

HERE = Path(__file__).resolve().parent
PARTS = ("items", "command", "memory", "again")


class Way(NamedTuple):
    """A way to answer, and the interpreter that has it."""

    name: str
    python: str


class Took(NamedTuple):
    """Seconds by the clock, and of processors."""

    wall: float
    processors: float


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

    def answer(self) -> Took:
        """Answer everything once."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return Took(*map(float, self._line().split()))

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


def items(name: str, peer: Way, repetitions: int, cores: int) -> None:
    """Items a second of both, turn by turn, and whether the answers are the same."""
    load = read_load("evaluation", name)._replace(cores=cores)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        load.write_model(folder / "model")
        children = [Child(way, folder / "model", load, folder) for way in (Way("kommunbench", sys.executable), peer)]
        took: list[list[Took]] = [[], []]
        for repetition in range(repetitions + 1):
            for times, child in zip(took, children, strict=True):
                this = child.answer()
                if repetition:  # the first warms up
                    times.append(this)
        ours, theirs = (child.texts() for child in children)
        for child in children:
            child.close()
    same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    seconds = [[this.processors if cores == 1 else this.wall for this in times] for times in took]
    rates = [[len(load.prompts) / second for second in times] for times in seconds]
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    print(
        f"| {name} | {spread(rates[0], 1)} | {spread(rates[1], 1)} | {spread(ratios)} | "
        f"{min(seconds[1]) / min(seconds[0]):.2f} | {same} of {len(load.prompts)} | {repetitions} |",
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


def memory(name: str, peer: Way, repetitions: int, cores: int) -> None:
    """The most memory that a fresh process takes to answer the load, against plain transformers and lm-eval."""
    load = read_load("evaluation", name)._replace(cores=cores)
    ways = (Way("kommunbench", sys.executable), Way("transformers", sys.executable), peer)
    peaks: dict[str, list[float]] = {way.name: [] for way in ways}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        load.write_model(folder / "model")
        for _ in range(repetitions):
            for way in ways:
                child = Child(way, folder / "model", load, folder)
                with peak_memory(child.process) as peak:
                    child.answer()
                child.close()
                peaks[way.name].append(peak[0] / 2**20)
    ratios = [a / b for a, b in zip(peaks["kommunbench"], peaks["transformers"], strict=True)]
    cells = " | ".join(spread(values, 0) for values in peaks.values())
    print(f"| {name} | {cells} | {spread(ratios)} | {repetitions} |", flush=True)


TASK = {
    "version": 1,
    "title": {"sv": "Mätning", "en": "Measurement"},
    "description": {"sv": "Last för mätning av tid.", "en": "A load to measure time with."},
    "licence": "Apache-2.0",
    "source": "kommunbench",
    "inputs": ["input"],
    "metrics": ["chrf"],
    "primary": "chrf",
}


class Bench:
    """A folder with a load's model, data and task, as each of the two commands wants them."""

    def __init__(self, folder: Path, load: Load, peer: Way) -> None:
        self.folder, self.load, self.peer = folder, load, peer
        rows = [
            {"id": f"row-{index}", "input": text, "references": [answer], "split": "test"}
            for index, (text, answer) in enumerate(zip(load.inputs, load.references, strict=True))
        ]
        data = folder / "data" / "site" / "speed.jsonl"
        ends = {"max_new_tokens": load.max_new_tokens, "stop": list(load.stop)}
        own = {"name": "speed", **TASK, **ends, "prompts": {"plain": f"{{input}}{QUESTION}"}, "examples": rows[:3]}
        theirs = {
            "task": "speed",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": f"{{{{input}}}}{QUESTION}",
            "doc_to_target": "{{references[0]}}",
            "generation_kwargs": {"until": list(load.stop), "max_gen_toks": load.max_new_tokens, "do_sample": False},
            "metric_list": [{"metric": "chrf"}],
        }
        for path, content in ((folder / "tasks" / "speed.yaml", own), (folder / "peer" / "speed.yaml", theirs)):
            path.parent.mkdir()
            path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        data.parent.mkdir(parents=True)
        data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.add_model("first", load)

    def add_model(self, name: str, load: Load) -> None:
        """A model of random weights, and its card."""
        load.write_model(self.folder / name)
        card = self.folder / "conf" / "models" / f"{name}.yaml"
        card.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump({"name": name, "family": "huggingface", "path": str(self.folder / name)})
        card.write_text(f"# @package models.{name}\n{text}", encoding="utf-8")

    def run(self, name: str, models: str = "first", results: str = "results") -> Took:
        """`kommunbench run`, from the shell to the report."""
        words = f"federation=folder federation.path={self.folder}/data strategy=none tasks=[speed] models=[{models}]"
        size = f"batch_size={self.load.batch_size} engine.workers=1 engine.threads={self.load.cores} quorum=1"
        rest = f"tracking=off scorecard=[] results={self.folder}/{results} name={name}"
        return self._timed([sys.executable, "-m", "kommunbench", "run", *f"{words} {size} {rest}".split()])

    def run_peer(self) -> Took:
        """lm-eval's own command on the same."""
        model = f"--model hf --model_args pretrained={self.folder}/first,dtype=float32 --device cpu"
        task = f"--tasks speed --include_path {self.folder}/peer --batch_size {self.load.batch_size}"
        words = f"-m lm_eval run {model} {task} --output_path {self.folder}/out"
        return self._timed([self.peer.python, *words.split()])

    def _timed(self, command: list[str]) -> Took:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(self.load.cores)}
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        return Took(wall, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)


def command(name: str, peer: Way, repetitions: int, cores: int) -> None:
    """The whole command of each, from shell to report."""
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary), read_load("evaluation", name)._replace(cores=cores), peer)
        took = [(bench.run("run", results=f"results-{turn}"), bench.run_peer()) for turn in range(repetitions)]
    for unit in Took._fields:
        ours, theirs = ([getattr(this, unit) for this in times] for times in zip(*took, strict=True))
        ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
        best = min(theirs) / min(ours)
        print(
            f"| {name}, {unit} | {spread(ours, 1)} | {spread(theirs, 1)} | {spread(ratios)} | {best:.2f} |", flush=True
        )


def again(name: str, peer: Way, repetitions: int, cores: int) -> None:
    """A first run, the same again, the same and one more model; and that model alone."""
    load = read_load("evaluation", name)._replace(cores=cores)
    runs: dict[str, list[Took]] = {"first": [], "again": [], "one model more": [], "that model alone": []}
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary), load, peer)
        bench.add_model("second", load._replace(seed=load.seed + 1))
        for turn in range(repetitions):
            asked = (("first", "first"), ("again", "first"), ("one model more", "first,second"))
            for word, (what, models) in zip("abc", asked, strict=True):
                runs[what].append(bench.run(word, models, f"results-{turn}"))
            runs["that model alone"].append(bench.run("d", "second", f"alone-{turn}"))
    for what, times in runs.items():
        walls, processors = ([getattr(this, unit) for this in times] for unit in Took._fields)
        print(f"| {name}: {what} | {spread(walls, 1)} | {spread(processors, 1)} |", flush=True)


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="the interpreter of the environment that has lm-eval")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--loads", default="small,small_with_shots,large")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args()
    peer, parts, loads = Way("lm_eval", chosen.peer), chosen.parts.split(","), chosen.loads.split(",")
    started = time.perf_counter()
    for part in parts:
        print(HEADS[part])
        for name in loads:
            MEASURES[part](name, peer, chosen.repetitions, chosen.cores)
        print()
    print(f"{time.perf_counter() - started:.0f} s")


MEASURES = {"items": items, "command": command, "memory": memory, "again": again}
HEADS = {
    "items": "| load | kommunbench, items a second | lm-eval | ratio, turn by turn | of the fastest | same | n |\n"
    "|---|--:|--:|--:|--:|--:|--:|",
    "command": "| load | kommunbench, s | lm-eval | ratio, turn by turn | of the fastest |\n|---|--:|--:|--:|--:|",
    "memory": "| load | kommunbench, MB at most | transformers | lm-eval | ratio to transformers | n |\n"
    "|---|--:|--:|--:|--:|--:|",
    "again": "| run | s | processor s |\n|---|--:|--:|",
}


if __name__ == "__main__":
    main()
