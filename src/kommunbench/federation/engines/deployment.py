"""Flower's deployment engine: this process is the run's ServerApp, sites' SuperNodes run the ClientApp.

The SuperLink isolates by process: it keeps a run's task until somebody with the coordinator's secret takes it, and that
is us. So the same loop runs here as in simulation, with nothing to install for Flower and Ctrl-C as usual. A run that
is gone on with is a new one to Flower; the old one is stopped, so that no site works for it any longer.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
from flwr.app import Context, RecordDict
from flwr.common.constant import SubStatus
from flwr.common.serde import run_from_proto
from flwr.proto.runtime_pb2 import PullTaskInputRequest, PushTaskOutputRequest
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.run import RunNotRunningException
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from kommunbench.core.errors import FederationError
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.grid import SiteGrid
from kommunbench.federation.deployment.roster import Roster
from kommunbench.federation.deployment.superlink import SuperLink
from kommunbench.federation.plan import Plan
from kommunbench.federation.server_app import app as server_app

RUN_FILE = "flower.json"
"""Beside the run: the number by which Flower knows it."""


def opened(
    _nodes: Sequence[Mapping[str, Any]], _workers: int, _threads: int
) -> AbstractContextManager[Callable[[Plan], None]]:
    """The signature is every engine's: real sites bring their own nodes, workers and threads."""
    return nullcontext(run)


def run(plan: Plan) -> None:
    """Run the ServerApp here, on the SuperLink of the plan's coordinator.

    Raises:
        KommunbenchError: as the ServerApp raised it.
        FederationError: the SuperLink is down, or stayed down for long.
    """
    folder = CoordinatorFolder(Path(plan.coordinator))
    run_config: dict[str, bool | float | int | str] = {"plan": plan.model_dump_json()}
    with serving(folder, Path(plan.folder), plan.deadline_s) as (grid, run_id):
        server_app(grid, Context(run_id=run_id, node_id=1, node_config={}, state=RecordDict(), run_config=run_config))


@contextmanager
def serving(folder: CoordinatorFolder, run_folder: Path, deadline_s: float) -> Iterator[tuple[SiteGrid, int]]:
    """A new run on the SuperLink whose task this process holds; it is ended as it went.

    A SuperLink that stands still is waited for `deadline_s` by each call, and once more by none when the run has ended.
    """
    superlink = SuperLink(folder)
    forget(superlink, run_folder)
    with (folder.state / "task.lock").open("w") as lock:  # a task is handed to whoever asks: one at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_id = superlink.start_run()
        (run_folder / RUN_FILE).write_text(json.dumps({"run_id": str(run_id)}), encoding="utf-8")
        token = superlink.take_task(run_id)
    grid = HttpGrid(superlink.address, insecure=False, root_certificates=superlink.authority, token=token)
    client = grid._runtime_client
    heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
    completed = False
    try:
        task = client.PullTaskInput(PullTaskInputRequest())
        TaskIdentity.task_id, TaskIdentity.run_id = task.task_id, task.run.run_id
        TaskIdentity.node_id = task.context.node_id
        grid.set_run(run_from_proto(task.run))
        heartbeat.start()
        yield SiteGrid(grid, Roster(folder.roster_path), deadline_s), run_id
        completed = True
    finally:
        grid._retry_invoker.max_time = 0.0  # what is under way is tried to its end and not again; the heartbeat too
        if heartbeat.is_running:
            heartbeat.stop()
        if completed:
            end(client)
        else:
            forget(superlink, run_folder)
        grid.close()
        superlink.close()


def end(client: RuntimeHttpClient) -> None:
    """Tell the SuperLink that the run is done; where it cannot be told, it finds out by the missing heartbeat."""
    try:
        client.PushTaskOutput(PushTaskOutputRequest(sub_status=SubStatus.COMPLETED))
    except (httpx.HTTPError, RunNotRunningException):
        return


def forget(superlink: SuperLink, run_folder: Path) -> None:
    """Stop what a try of this run left on the SuperLink, so that no site works for it."""
    path = run_folder / RUN_FILE
    if path.is_file():
        with suppress(FederationError):  # it is down: the run ends there by its missing heartbeat
            superlink.stop_run(int(json.loads(path.read_text(encoding="utf-8"))["run_id"]))
