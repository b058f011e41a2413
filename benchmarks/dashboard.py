"""What the dashboard costs: logging a run, as a share of the run, and opening the run list of a full store.

    kommunbench run name=measured
    python benchmarks/dashboard.py results/measured         # 200 runs in the store, 5 times logged, 7 times opened

The store is filled with copies of that run under other names and times, logged as any run is, less sites' own runs.
Opening is measured in a real Chromium with an empty cache, from the address to the newest run's name on the page, and
once more when the cache is full. Beside the time stand the seconds of processor that server and browser used, and
the machine's load: on a busy machine the time says little, and the processor's seconds hardly change. Needs chromium
and chromedriver.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil

from kommunbench.federation.progress import read_events
from kommunbench.report.record import RunFolder
from kommunbench.tracking import TrackingSettings, find_experiment, log_run

RUNS, LOGGED, OPENED = 200, 5, 7
BARE = TrackingSettings(sites=False, register_adapter=False)
CHROMIUM = "--headless=new --no-sandbox --disable-gpu --disable-background-networking --window-size=1600,1000"


def run_seconds(run: Path) -> float:
    """From the run's first event to its last."""
    times = [event["time"] for event in read_events(run)]
    return max(times) - min(times)


def copy_of(run: Path, place: Path, number: int) -> RunFolder:
    """What is logged of `run`, as the run number `number` in `place`."""
    folder = RunFolder(place / f"run-{number:03}")
    info = RunFolder(run).info()
    spec = info.spec.model_copy(update={"run": folder.name})
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number)
    folder.path.mkdir()
    shutil.copy(run / "report.json", folder.path)
    shutil.copytree(run / "releases", folder.path / "releases")
    folder.write_info(info.model_copy(update={"spec": spec, "started_at": start.isoformat()}))
    return folder


def measure_logging(run: Path) -> None:
    """Log the run with all that belongs to it into stores that have nothing in them."""
    took, used = [], []
    for _ in range(LOGGED):
        with tempfile.TemporaryDirectory() as place:
            whole = RunFolder(Path(shutil.copytree(run, Path(place) / run.name)))
            find_experiment(TrackingSettings().store(Path(place)))  # the store's tables are made once
            began, before = time.perf_counter(), time.process_time()
            log_run(whole, TrackingSettings())
            took.append(time.perf_counter() - began)
            used.append(time.process_time() - before)
    whole_s = run_seconds(run)
    print(
        f"logging {run.name}: median {median(took):.2f} s, longest {max(took):.2f} s, processor {median(used):.2f} s "
        f"(n = {LOGGED}, load {os.getloadavg()[0]:.1f}), "
        f"{median(took) / whole_s:.2%} of the run's {whole_s:.0f} s",
        flush=True,
    )


def fill(run: Path, place: Path) -> None:
    """200 runs, and below each its systems."""
    took = []
    for number in range(RUNS):
        folder = copy_of(run, place, number)
        began = time.perf_counter()
        log_run(folder, BARE)
        took.append(time.perf_counter() - began)
        shutil.rmtree(folder.path)
    import mlflow

    client = mlflow.MlflowClient(TrackingSettings().store(place))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    systems = client.search_runs(experiments, "tags.kommunbench.level = 'system'", max_results=RUNS)
    metrics = median(len(system.data.metrics) for system in systems)
    print(
        f"{RUNS} runs without sites of their own: median {median(took):.2f} s each to log, the last twenty "
        f"{median(took[-20:]):.2f} s; a system has {metrics:.0f} metrics",
        flush=True,
    )


@contextmanager
def dashboard(place: Path) -> Iterator[str]:
    """The address of `kommunbench dashboard` on `place`."""
    words = [sys.executable, "-m", "kommunbench", "dashboard", "--results", str(place), "--no-open"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def processor_seconds(processes: list[psutil.Process]) -> float:
    """What the processes have used so far, those that have ended left out."""
    used = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            used += times.user + times.system
    return used


def measure_opening(place: Path) -> None:
    """Open the run list in Chromium."""
    from selenium import webdriver

    own = psutil.Process()
    seen: dict[str, list[tuple[float, float, float]]] = {"empty cache": [], "full cache": []}
    with dashboard(place) as address:
        server = own.children(recursive=True)
        for _ in range(OPENED):
            options = webdriver.ChromeOptions()
            for argument in CHROMIUM.split():
                options.add_argument(argument)
            driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
            try:
                for kept in seen.values():
                    browser = [process for process in own.children(recursive=True) if process not in server]
                    before = processor_seconds(server), processor_seconds(browser)
                    began = time.perf_counter()
                    driver.get(address)
                    while f"run-{RUNS - 1:03}" not in driver.execute_script("return document.body.innerText"):
                        time.sleep(0.02)
                    took = time.perf_counter() - began
                    browser = [process for process in own.children(recursive=True) if process not in server]
                    after = processor_seconds(server), processor_seconds(browser)
                    kept.append((took, after[0] - before[0], after[1] - before[1]))
                    driver.get("about:blank")
            finally:
                driver.quit()
    for what, kept in seen.items():
        took, served, shown = ([one[at] for one in kept] for at in range(3))
        print(
            f"run list, {what}: median {median(took):.2f} s, shortest {min(took):.2f} s, longest {max(took):.2f} s; "
            f"processor: server {median(served):.2f} s, browser {median(shown):.2f} s (n = {OPENED}, load "
            f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)",
            flush=True,
        )


def main(words: list[str]) -> None:
    if len(words) != 1 or not (Path(words[0]) / "report.json").is_file():
        sys.exit("a finished run's folder, please: `kommunbench run` makes one")
    run = Path(words[0]).resolve()
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    print(f"{report['run']}: {len(report['roster'])} sites, {len(report['rows'])} rows")
    measure_logging(run)
    with tempfile.TemporaryDirectory() as place:
        fill(run, Path(place))
        measure_opening(Path(place))


if __name__ == "__main__":
    main(sys.argv[1:])
