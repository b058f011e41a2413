"""Flower's own simulation on Ray, for many sites on many processors: the same apps. `pip install kommunbench[ray]`.

A simulated node knows only which partition it is, and has no name. Both are mended here, so that the apps see nothing
of it: `SimulatedSites` gives the ClientApp the configuration that the node would have been started with, and
`NamedGrid` asks every node once which partition it is and gives it its site's name.

Slower to start than the default engine (some 15 s), and a worker that dies fails the next message that it is given too.
Flower warns that `run_simulation` is deprecated; nothing public takes its place in 1.41.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation
from flwr.supercore.run import Run

from kommunbench.core.errors import ConfigError, Fault, FederationError, KommunbenchError
from kommunbench.federation.client_app import app as client_app
from kommunbench.federation.plan import Plan
from kommunbench.federation.server_app import app as server_app

if importlib.util.find_spec("ray") is None:
    raise ConfigError(Fault("Ray is not installed", "engine=ray", "pip install kommunbench[ray]"))

os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray advises, so that it need not say so
WHO = "query.partition"
"""The message that asks a node which partition it is; the sites' app never sees it."""
POLL_S = 0.1


class SimulatedSites(ClientApp):
    """The ClientApp of every node: the sites' own, in the context of the site whose partition the node is."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self.nodes = [dict(node) for node in nodes]

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer as the site would."""
        partition = int(context.node_config["partition-id"])
        if message.metadata.message_type == WHO:
            return Message(RecordDict({"node": ConfigRecord({"partition": partition})}), reply_to=message)
        own = Context(context.run_id, context.node_id, self.nodes[partition], context.state, context.run_config)
        return client_app(message, own)


class NamedGrid(Grid):
    """A simulation's grid whose nodes have names.

    Args:
        grid: Flower's.
        names: of the sites, by partition.
        over: set when the simulation has ended, so that the server's loop ends too.
    """

    def __init__(self, grid: Grid, names: Sequence[str], over: threading.Event) -> None:
        self._grid, self._names, self._over = grid, names, over
        self._nodes: dict[int, str] = {}

    def get_nodes(self) -> Iterable[NodeInfo]:
        """All nodes with the name of their site; waits for the simulation to register them."""
        while len(list(self._grid.get_node_ids())) < len(self._names):
            self._check()
            time.sleep(POLL_S)
        unknown = [node for node in self._grid.get_node_ids() if node not in self._nodes]
        for reply in self.send_and_receive([Message(RecordDict(), node, WHO) for node in unknown]):
            if not reply.has_error():
                partition = int(str(reply.content.config_records["node"]["partition"]))
                self._nodes[reply.metadata.src_node_id] = self._names[partition]
        return [NodeInfo(node_id=node, name=name) for node, name in self._nodes.items()]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Replies that have come in. Raises FederationError when the simulation has ended, since none will come."""
        self._check()
        return self._grid.pull_messages(message_ids)

    def _check(self) -> None:
        if self._over.is_set():
            raise FederationError(Fault("the simulation on Ray has ended before the run", "engine=ray"))

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Push, then pull until every reply is in or `timeout` seconds are over."""
        waiting, replies = set(self.push_messages(messages)), []
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while waiting and time.monotonic() < end:
            for reply in self.pull_messages(waiting):
                replies.append(reply)
                waiting.discard(reply.metadata.reply_to_message_id)
            time.sleep(POLL_S)
        return replies

    def set_run(self, run: Run) -> None:
        """As Flower's grid."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """As Flower's grid."""
        return self._grid.run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A new message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """As Flower's grid."""
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """As Flower's grid."""
        return self._grid.push_messages(messages)


def opened(
    nodes: Sequence[Mapping[str, Any]], workers: int, threads: int
) -> AbstractContextManager[Callable[[Plan], None]]:
    """Ray starts and ends its processes with each plan."""
    return nullcontext(lambda plan: run(plan, nodes, workers, threads))


def run(plan: Plan, nodes: Sequence[Mapping[str, Any]], workers: int, threads: int) -> None:
    """Run the ServerApp in a thread and the ClientApp in `workers` Ray actors of `threads` CPUs each.

    Raises:
        KommunbenchError: as the ServerApp raised it.
        FederationError: Ray could not start or go on.
    """
    over = threading.Event()
    named_server_app = ServerApp()

    @named_server_app.main()
    def main(grid: Grid, context: Context) -> None:
        own = Context(context.run_id, context.node_id, {}, context.state, {"plan": plan.model_dump_json()})
        server_app(NamedGrid(grid, [str(node["name"]) for node in nodes], over), own)

    resources = {"num_cpus": threads, "num_gpus": 0.0}
    ray = {"num_cpus": workers * threads, "log_to_driver": False, "logging_level": "error"}
    config: dict[str, Any] = {"init_args": ray, "client_resources": resources}
    try:
        with _ending_in_order(over):
            run_simulation(named_server_app, SimulatedSites(nodes), len(nodes), backend_config=config)
    except KommunbenchError:
        raise
    except Exception as error:
        what = f"the simulation on Ray failed with {type(error).__name__}"
        raise FederationError(
            Fault(what, "engine=ray", "try engine=local; `kommunbench runs resume` goes on")
        ) from error
    finally:
        over.set()


@contextmanager
def _ending_in_order(over: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the server's loop, and the simulation after it; the second one comes through at once.

    Ray crashes the process when it is shut down under a message, so the messages under way are finished first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = threading.Event()

    def stop(*_: object) -> None:
        interrupted.set()
        over.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except FederationError:
        if not interrupted.is_set():
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted.is_set():
        raise KeyboardInterrupt
