"""Nodes into an MLflow store: each once, however often they are logged."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from kommunbench.core.digests import digest
from kommunbench.core.errors import Fault, TrackingError
from kommunbench.report.record import RunFolder, RunInfo
from kommunbench.report.rows import Report
from kommunbench.tracking.adapter import register_adapter
from kommunbench.tracking.artifacts import log_files
from kommunbench.tracking.machine import log_machine
from kommunbench.tracking.nodes import Node, make_nodes
from kommunbench.tracking.settings import TrackingSettings, keep_quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Run

RunStatus = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
BATCH = 800
"""Metrics in one request: MLflow takes 1000 things at most, parameters and tags among them."""


def log_run(folder: RunFolder, settings: TrackingSettings, status: RunStatus | None = None) -> str:
    """Put a run, finished or interrupted, into MLflow from the files in its folder, and return its MLflow run id.

    Logging again updates: a run is known by its name, start and specification, so a resumed run continues in place and
    a repeated one stands beside it.

    Args:
        folder: the run's folder, with spec.json and report.json.
        settings: where to.
        status: by default FINISHED where the report is complete, else KILLED.

    Raises:
        TrackingError: MLflow cannot be reached or refuses. The folder is untouched: log again once that is mended.
    """
    info, report = folder.info(), _read_report(folder)
    status = status or ("FINISHED" if report.complete else "KILLED")
    nodes = make_nodes(folder, info, report, sites=settings.sites)
    results = folder.path.parent
    with open_store(settings.store(results)) as client:
        experiment = _open_experiment(client, info, settings, results)
        run_id = _write_nodes(client, experiment, nodes, info, _Ending(status, _last_word(folder)))
        log_machine(client, run_id, folder.path)
        log_files(client, run_id, folder.path)
        if settings.register_adapter and status == "FINISHED" and (folder.path / "adapter").is_dir():
            register_adapter(client, folder, run_id, info, report)
    return run_id


def log_evidence(folder: RunFolder, settings: TrackingSettings) -> bool:
    """Put the bundle in `evidence/` beside the report of a run that was logged; False where it was not.

    Raises:
        TrackingError: MLflow cannot be reached or refuses.
    """
    info = folder.info()
    with open_store(settings.store(folder.path.parent)) as client:
        experiment = client.get_experiment_by_name(_experiment_name(info, settings))
        runs = _search(client, experiment.experiment_id, _identity(info)) if experiment else iter(())
        found = next((run for run in runs if run.data.tags["kommunbench.key"] == "run"), None)
        if found is not None:
            log_files(client, found.info.run_id, folder.path, ("evidence",))
    return found is not None


def latest_tasks(store: str, experiment: str) -> list[str]:
    """The tasks of the run that was started last; none where there is none.

    Raises:
        TrackingError: the store cannot be opened.
    """
    with open_store(store) as client:
        query = "tags.`kommunbench.level` = 'run'"
        found = client.search_runs([experiment], query, max_results=1, order_by=["attributes.start_time DESC"])
    return found[0].data.params.get("tasks", "").split() if found else []


def find_experiment(store: str, federation: str = "") -> str | None:
    """The id of the federation's experiment, or of the one logged to last; None where nothing is logged yet.

    Raises:
        TrackingError: the store cannot be opened.
    """
    pattern = f"kommunbench/{federation}" if federation else "kommunbench/%"
    with open_store(store) as client:
        found = client.search_experiments(
            filter_string=f"name LIKE '{pattern}'", order_by=["last_update_time DESC"], max_results=1
        )
    return str(found[0].experiment_id) if found else None


@contextmanager
def open_store(uri: str) -> Iterator[MlflowClient]:
    """An MLflow client of the store at `uri`; whatever goes wrong inside becomes a TrackingError.

    Importing MLflow takes seconds, so nothing else in kommunbench does it at start-up.
    """
    keep_quiet()
    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking._model_registry.client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        if uri.startswith("sqlite:///"):
            _write_ahead(uri.removeprefix("sqlite:///"))
        yield MlflowClient(uri, uri)
    except (sqlite3.Error, MlflowException, SQLAlchemyError, RequestException, OSError) as error:
        reason = _without_password(str(error).strip().splitlines()[0][:300]) if str(error) else type(error).__name__
        raise TrackingError(
            Fault(
                f"MLflow: {reason}",
                _without_password(uri),
                "the run's own folder is complete without it; mend tracking.uri and log the run again",
            )
        ) from None


def _write_ahead(path: str) -> None:
    """Let a dashboard read while a run is logged, and make a commit cost one sync instead of three."""
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA journal_mode=WAL")


def _without_password(text: str) -> str:
    return re.sub(r"//[^@/\s]*@", "//***@", text)


def _read_report(folder: RunFolder) -> Report:
    path = folder.path / "report.json"
    try:
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        raise TrackingError(
            Fault("there is no readable report.json", str(folder.path), f"`kommunbench report {folder.name}` makes it")
        ) from None


def _open_experiment(client: MlflowClient, info: RunInfo, settings: TrackingSettings, results: Path) -> str:
    """The federation's experiment, made or taken out of the bin where needed."""
    name = _experiment_name(info, settings)
    found = client.get_experiment_by_name(name)
    if found is None:
        note = "Syntetiska data · synthetic data. " if info.synthetic else ""
        note += (
            f"Benchmark runs of the federation **{info.federation}**. Open a run for its leaderboard; tick Expand "
            "rows for its systems, here and among the charts. To compare systems, filter by `params.stage`, "
            "`params.model` or `params.run`, choose runs and press Compare: `primary/<task>` is the measure that "
            "ranks them."
        )
        tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": note}
        root = settings.artifact_root(results)
        location = f"{root}/{name.replace('/', '-')}" if root else None
        return str(client.create_experiment(name, location, tags))
    if found.lifecycle_stage != "active":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _experiment_name(info: RunInfo, settings: TrackingSettings) -> str:
    return settings.experiment or f"kommunbench/{info.federation}"


def _identity(info: RunInfo) -> str:
    """What a run is known by in the store: its name, start and specification."""
    return digest([info.spec.run, info.started_at, info.spec.digest])[:16]


def _last_word(folder: RunFolder) -> int:
    """When the last reply came, in milliseconds since 1970; now where there is none."""
    times = [path.stat().st_mtime for path in folder.path.glob("releases/*/*.json")]
    return int(max(times, default=time.time()) * 1000)


class _Ending:
    """How a run ended and when (milliseconds since 1970)."""

    def __init__(self, status: RunStatus, at: int) -> None:
        self.status = status
        self.at = at


def _write_nodes(client: MlflowClient, experiment: str, nodes: list[Node], info: RunInfo, ending: _Ending) -> str:
    """Create or update a run for each node, drop those that are no more, and return the benchmark run's id."""
    identity = _identity(info)
    known = {run.data.tags["kommunbench.key"]: run for run in _search(client, experiment, identity)}
    common = {
        "kommunbench.id": identity,
        "kommunbench.run": info.spec.run,
        "kommunbench.federation": info.federation,
        "kommunbench.version": info.spec.kommunbench,
        "kommunbench.spec": info.spec.digest,
        "kommunbench.synthetic": str(info.synthetic).lower(),
        "kommunbench.privacy": info.spec.privacy,
        "kommunbench.engine": info.engine,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": "kommunbench run",  # MLflow's page shows what follows the last slash
        "kommunbench.command": info.command,
    }
    if info.git:
        common["mlflow.source.git.commit"] = common["kommunbench.git"] = info.git
    ids: dict[str, str] = {}
    for node in nodes:
        tags = common | node.tags | {"kommunbench.key": node.key, "kommunbench.level": node.level}
        if node.parent:
            tags["mlflow.parentRunId"] = ids[node.parent]
        ids[node.key] = _write_node(client, experiment, node, tags, (known.pop(node.key, None), info, ending))
    for run in known.values():
        client.delete_run(run.info.run_id)
    return ids["run"]


def _search(client: MlflowClient, experiment: str, identity: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs(
            [experiment], f"tags.`kommunbench.id` = '{identity}'", max_results=1000, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _write_node(
    client: MlflowClient,
    experiment: str,
    node: Node,
    tags: dict[str, str],
    past: tuple[Run | None, RunInfo, _Ending],
) -> str:
    """Bring one run up to date. MLflow takes no point of a curve back, so a curve that changed gets a new run."""
    from mlflow.entities import Metric, Param, RunTag

    old, info, ending = past
    tags["kommunbench.digest"] = digest([node.digest, ending.status, tags.get("mlflow.parentRunId", "")])
    if old and old.data.tags.get("kommunbench.digest") == tags["kommunbench.digest"]:
        return str(old.info.run_id)
    before = _history(client, old) if old else {}
    if old and node.level != "run" and any(node.points.get(point) != value for point, value in before.items()):
        client.delete_run(old.info.run_id)
        old, before = None, {}
    if old is None:
        started = int(datetime.fromisoformat(info.started_at).timestamp() * 1000)
        marks = {name: value for name, value in tags.items() if name != "kommunbench.digest"}
        old = client.create_run(experiment, started, marks, node.name)
        if node.level != "site":
            client.log_inputs(old.info.run_id, _inputs(info, node.tasks))
    run_id = str(old.info.run_id)
    metrics = [
        Metric(name, value, ending.at, step)
        for (name, step), value in sorted(node.points.items(), key=lambda point: _place(point[0]))
        if before.get((name, step)) != value
    ]
    for start in range(BATCH, len(metrics), BATCH):
        client.log_batch(run_id, metrics[start : start + BATCH])
    params = [Param(name, value) for name, value in node.params.items() if name not in old.data.params]
    client.log_batch(run_id, metrics[:BATCH], params, [RunTag(name, value) for name, value in tags.items()])
    if ending.status == "RUNNING":
        client.update_run(run_id, "RUNNING")
    else:
        client.set_terminated(run_id, ending.status, ending.at)
    return run_id


def _place(point: tuple[str, int]) -> tuple[int, str, int]:
    """MLflow lists metrics as they were logged first: what ranks, then values, then intervals and counts."""
    name, step = point
    kind = 0 if name.startswith("primary/") else 2 if "_interval/" in name else 3 if "_counts/" in name else 1
    return kind, name, step


def _history(client: MlflowClient, run: Run) -> dict[tuple[str, int], float]:
    """The value that was logged last for each (metric, step) of a run."""
    points: dict[tuple[str, int], Metric] = {}
    for name in run.data.metrics:
        for metric in client.get_metric_history(run.info.run_id, name):
            point = (name, metric.step)
            if point not in points or metric.timestamp >= points[point].timestamp:
                points[point] = metric
    return {point: metric.value for point, metric in points.items()}


def _inputs(info: RunInfo, tasks: tuple[str, ...]) -> list[DatasetInput]:
    """What was evaluated on, by digest alone: the text never left the sites."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found = []
    for name in tasks:
        task = info.spec.task(name)
        source = {"federation": info.federation, "task": name, "digest": task.digest, "text": "stays at the sites"}
        profile = {"sites": len(info.roster), "split": "test"}
        dataset = Dataset(name, task.digest[:36], "kommunbench", json.dumps(source), profile=json.dumps(profile))
        found.append(DatasetInput(dataset, [InputTag("mlflow.data.context", "test")]))
    return found
