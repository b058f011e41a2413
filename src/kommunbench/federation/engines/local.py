"""The default engine: Flower's apps in this machine's own worker processes, with nothing to start.

`LocalGrid` is a `flwr.serverapp.Grid`. Each worker is a process that runs the same ClientApp as a real site does;
messages cross to it as Flower's own protobuf bytes, so that what a site sends here is what it sends over a network. A
worker that dies, or that is still at work when its message's time to live is over, fails that message only, and another
takes its place: the next message finds as many workers as the first.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from kommunbench.federation.plan import Plan
from kommunbench.federation.server_app import app as server_app
from kommunbench.models.open import has_torch

RUN_ID = 1
FIRST_NODE_ID = 1000
END = b""
"""What a worker is told in place of a message when there are no more."""
Wiretap = Callable[[str, bytes], None]
"""Called with `in` or `out` and the bytes of every message that crosses; tests read them."""


class LocalGrid(Grid):
    """A Flower grid over worker processes.

    Args:
        node_configs: what each site's node was started with, in the order of its node ids.
        workers: processes; messages are handed out first come, first served.
        threads: CPU threads a worker may use.
        wiretap: sees every message's bytes.
    """

    def __init__(
        self,
        node_configs: Sequence[Mapping[str, Any]],
        workers: int = 2,
        threads: int = 1,
        wiretap: Wiretap | None = None,
    ) -> None:
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = RUN_ID, 1, 1
        self._configs = {FIRST_NODE_ID + index: dict(config) for index, config in enumerate(node_configs)}
        self._waiting: queue.SimpleQueue[tuple[str, Message, float] | None] = queue.SimpleQueue()
        self._replies: dict[str, Message] = {}
        self._wiretap = wiretap
        self._workers = [_Worker(threads) for _ in range(max(1, min(workers, len(node_configs) or 1)))]
        self._threads = [threading.Thread(target=self._serve, args=(worker,), daemon=True) for worker in self._workers]
        for thread in self._threads:
            thread.start()

    def _serve(self, worker: _Worker) -> None:
        while (job := self._waiting.get()) is not None:
            message_id, message, end = job
            try:
                reply = self._reply(worker, message, end)
            except (
                Exception
            ) as error:  # bytes that are no message; whoever waits hears of it, and the next one is served
                reply = Message(Error(ErrorCode.UNKNOWN, type(error).__name__), reply_to=message)
            self._replies[message_id] = reply

    def _reply(self, worker: _Worker, message: Message, end: float) -> Message:
        """What the worker answers by the moment `end`, or an error in its place."""
        if time.monotonic() >= end:
            return Message(Error(ErrorCode.MESSAGE_UNAVAILABLE, "no worker was free in time"), reply_to=message)
        sent = message_to_proto(message).SerializeToString()
        if self._wiretap:
            self._wiretap("in", sent)
        received = worker.ask(sent, self._configs[message.metadata.dst_node_id], end)
        if received is None:
            return Message(Error(ErrorCode.CLIENT_APP_CRASHED, "the worker process ended"), reply_to=message)
        if self._wiretap:
            self._wiretap("out", received)
        return message_from_proto(ProtoMessage.FromString(received))

    def close(self) -> None:
        """End the workers; what they are doing is lost."""
        for worker in self._workers:
            worker.end()
        for _ in self._threads:
            self._waiting.put(None)

    def process_ids(self) -> list[int]:
        """Ids of the worker processes."""
        return [worker.process.pid for worker in self._workers if worker.process.pid]

    def set_run(self, run: Run) -> None:
        """One grid serves one run; there is nothing to set."""

    @property
    def run(self) -> Run:
        """The run that Flower knows of."""
        return Run.create_empty(RUN_ID)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A new message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Ids of all nodes."""
        return list(self._configs)

    def get_nodes(self) -> Iterable[NodeInfo]:
        """All nodes with the name of their site."""
        return [NodeInfo(node_id=node, name=str(config["name"])) for node, config in self._configs.items()]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Queue messages for the workers."""
        ids = []
        for message in messages:
            message_id = uuid.uuid4().hex
            message.metadata.__dict__["_message_id"] = message_id
            self._waiting.put((message_id, message, time.monotonic() + message.metadata.ttl))
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Replies that have come in among `message_ids`; each is handed out once."""
        return [self._replies.pop(message_id) for message_id in list(message_ids) if message_id in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Push, then pull until every reply is in or `timeout` seconds are over."""
        waiting, replies = set(self.push_messages(messages)), []
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while waiting and time.monotonic() < end:
            for reply in self.pull_messages(waiting):
                replies.append(reply)
                waiting.discard(reply.metadata.reply_to_message_id)
            time.sleep(0.005)
        return replies


class _Worker:
    """One process that runs the ClientApp, and the pipe to it."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._ended = self._busy = False
        self._start()

    def _start(self) -> None:
        forks = _can_fork()
        context = multiprocessing.get_context("fork") if forks else multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(far_end, self._threads), daemon=True)
        resource_tracker.ensure_running()  # it would lift the block below
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the process starts with it: see _work
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far_end.close()

    def ask(self, message: bytes, node_config: dict[str, Any], end: float) -> bytes | None:
        """The reply's bytes, or None when the process ended or was stopped at `end`; another takes its place then."""
        try:
            self._busy = True
            self._pipe.send_bytes(message)
            self._pipe.send(node_config)
            if self._pipe.poll(max(0.0, end - time.monotonic())):
                return self._pipe.recv_bytes()
            self.process.terminate()
        except (EOFError, OSError):
            pass  # it ended by itself, or `end` closed the pipe
        finally:
            self._busy = False
        if not self._ended:
            self._stop()
            self._start()
        return None

    def _stop(self) -> None:
        with suppress(OSError):  # it has ended, or the pipe was closed before
            self._pipe.send_bytes(END)
        self._pipe.close()
        self.process.join(timeout=3)
        self.process.kill()

    def end(self) -> None:
        """An idle worker ends when it is told so; one that is at work is stopped."""
        self._ended = True
        if self._busy:
            self.process.terminate()
        self._stop()


def _can_fork() -> bool:
    """Whether a fork of this process would lose nothing: no thread goes on in it, torch's among them.

    A forked worker has what is imported here, so most of its start is done; a spawned one imports all of it again.
    """
    return sys.platform.startswith("linux") and threading.active_count() == 1 and not has_torch()


def _work(pipe: Connection, threads: int) -> None:
    """A worker's whole life: take a message, run the ClientApp on it, send the reply; end when it is told so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's to handle; it ends the worker
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from kommunbench.federation.client_app import app

    TaskIdentity.run_id, TaskIdentity.task_id = RUN_ID, 1
    while True:
        try:
            received = pipe.recv_bytes()
            if received == END:
                return
            node_config = pipe.recv()
        except (EOFError, OSError):
            return
        message = message_from_proto(ProtoMessage.FromString(received))
        context = Context(
            run_id=RUN_ID,
            node_id=message.metadata.dst_node_id,
            node_config=node_config,
            state=RecordDict(),
            run_config={},
        )
        reply = app(message=message, context=context)
        pipe.send_bytes(message_to_proto(reply).SerializeToString())


def _end_with_parent() -> None:
    """A worker at work would not notice that the coordinator was killed before it has its reply to send."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def opened(nodes: Sequence[Mapping[str, Any]], workers: int, threads: int) -> Iterator[Callable[[Plan], None]]:
    """Inside, worker processes are there that run the ClientApp; what is given runs the ServerApp here."""
    grid = LocalGrid(nodes, workers, threads)
    try:
        yield partial(run_apps, grid)
    finally:
        grid.close()


def run_apps(grid: LocalGrid, plan: Plan) -> None:
    """Run the ServerApp on `grid`, which is closed whatever happens."""
    run_config = {"plan": plan.model_dump_json()}
    context = Context(run_id=RUN_ID, node_id=1, node_config={}, state=RecordDict(), run_config=dict(run_config))
    try:
        server_app(grid, context)
    finally:
        grid.close()
