"""What the coordinator's machine did while a run went on, by MLflow's own monitors: processors, memory, disk, network.

In a simulation the sites are on that machine too. Of a real federation's sites nothing is measured here, and nothing
is asked: what they state of their own work is in the report's cost.

    <run>/machine.jsonl   {"at_ms": 1772440200000, "values": {"cpu_utilization_percentage": 98.1, ...}}, one a sample
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kommunbench.tracking.settings import keep_quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILE = "machine.jsonl"
INTERVAL_S = 5.0
GROUP = "system"
"""MLflow's page keeps metrics below this name on a tab of their own."""
BATCH = 1000
"""Metrics in one request: MLflow's own limit."""


@contextmanager
def watching_machine(folder: Path, enabled: bool = True) -> Iterator[None]:
    """Keep a sample of this machine every five seconds in `folder` while the body runs; a resumed run adds to them.

    MLflow is imported in the thread that samples, so that neither the run nor the logging after it waits for that.
    """
    over = threading.Event()
    thread = threading.Thread(target=_sample, args=(folder / FILE, over), daemon=True)
    if enabled:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if enabled:
            thread.join(timeout=5)


def log_machine(client: MlflowClient, run_id: str, folder: Path) -> None:
    """Add the samples that the MLflow run does not have yet; the step is the sample's number from 0."""
    from mlflow.entities import Metric

    samples = read_samples(folder)
    if not samples:
        return
    first = next(iter(samples[0]["values"]))
    had = len(client.get_metric_history(run_id, f"{GROUP}/{first}"))
    metrics = [
        Metric(f"{GROUP}/{name}", round(value, 3), sample["at_ms"], step)
        for step, sample in enumerate(samples)
        if step >= had
        for name, value in sample["values"].items()
    ]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics[start : start + BATCH])


def read_samples(folder: Path) -> list[dict[str, Any]]:
    """Every whole sample; a line that a kill cut short is none."""
    path = folder / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}}")]


def _sample(path: Path, over: threading.Event) -> None:
    monitors = _monitors()
    for monitor in monitors:
        monitor.collect_metrics()  # a processor's load is known since the look before: the first one says nothing
    try:
        with path.open("a", encoding="utf-8") as file:
            while True:
                last = over.wait(INTERVAL_S)
                values: dict[str, float] = {}
                for monitor in monitors:
                    monitor.clear_metrics()
                    monitor.collect_metrics()
                    values |= monitor.aggregate_metrics()
                file.write("\n" + json.dumps({"at_ms": int(time.time() * 1000), "values": values}))
                file.flush()
                if last:
                    return
    except OSError:
        return  # a full disk stops the run with words of its own; of the machine no more is known


def _monitors() -> list[Any]:
    """MLflow's monitors; that of graphics cards where there is one and `nvidia-ml-py` is installed."""
    keep_quiet()
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    kinds: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor, GPUMonitor]
    found = []
    for kind in kinds:
        with suppress(ImportError, RuntimeError):
            found.append(kind())
    return found
