"""Flower's deployment grid as the rounds see it: sites by name and key, at a pace that suits a network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

import httpx
from flwr.app import Message, RecordDict
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid
from flwr.supercore.run import Run, RunNotRunningException
from flwr.superlink.grid import HttpGrid

from kommunbench.core.errors import Fault, FederationError
from kommunbench.federation.deployment.roster import Roster

Result = TypeVar("Result")
PULL_EVERY_S = 0.5
PULL_WITHIN_S = 2.0
FETCHERS = 32
OUTAGE_S = 600.0
"""How long a run waits for a SuperLink that is down, or stands still, before it stops and can be resumed; or as long as
for a site's answer, where that is shorter."""


class Fetchers:
    """Threads that fetch replies, and that nobody waits for when the process ends.

    Flower waits up to two hours for a reply's bytes, and an interpreter that ends waits for an executor's threads.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Iterable[Message]], Callable[[], Iterable[Message]]]] = SimpleQueue()
        self._threads = 0

    def submit(self, call: Callable[[], Iterable[Message]]) -> Future[Iterable[Message]]:
        """What `call` will have given."""
        if self._threads < FETCHERS:
            self._threads += 1
            threading.Thread(target=self._fetch, daemon=True).start()
        future: Future[Iterable[Message]] = Future()
        self._calls.put((future, call))
        return future

    def _fetch(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except Exception as error:
                future.set_exception(error)


class SiteGrid(Grid):
    """`HttpGrid` with the roster's names.

    A node is a site's when its key is the one that was approved for it; what the SuperLink's register calls it is not
    asked. Calls survive a restart of the SuperLink, and `deadline_s` of its standing still, at most `OUTAGE_S`.
    """

    def __init__(self, grid: HttpGrid, roster: Roster, deadline_s: float) -> None:
        self._grid, self._roster = grid, roster
        retries = grid._retry_invoker
        retries.max_time, retries.should_giveup = min(OUTAGE_S, deadline_s), partial(_is_final, retries.should_giveup)
        self._pulled_at = 0.0
        self._fetchers = Fetchers()
        self._fetching: dict[str, Future[Iterable[Message]]] = {}

    def get_nodes(self) -> Iterable[NodeInfo]:
        """Approved sites' nodes that are online, under their sites' names."""
        names = {member.node_key_pem: name for name, member in self._roster.approved().items()}
        return [
            NodeInfo(node_id=node.node_id, name=names[node.public_key], last_activated_at=node.last_activated_at)
            for node in self._ask(self._grid.get_nodes)
            if node.public_key in names
        ]

    def get_node_ids(self) -> Iterable[int]:
        """Ids of the same nodes."""
        return [node.node_id for node in self.get_nodes()]

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send messages one at a time: each is as large as an adapter."""
        return [self._push(message) for message in messages]

    def _push(self, message: Message) -> str:
        (pushed,) = self._ask(lambda: self._grid.push_messages([message]))
        return pushed

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Replies that have come in; asks at most twice a second, whoever is impatient.

        A reply is announced before its bytes are sent. Where they are slow, or never come because the site was killed,
        Flower waits for them for minutes; so each reply is fetched on its own, and holds no other one up.
        """
        time.sleep(max(0.0, self._pulled_at + PULL_EVERY_S - time.monotonic()))
        wanted = list(message_ids)
        started = {each: self._fetchers.submit(partial(self._grid.pull_messages, [each]))
                   for each in wanted if each not in self._fetching}  # fmt: skip
        self._fetching |= started
        wait(started.values(), timeout=PULL_WITHIN_S)
        self._pulled_at = time.monotonic()
        done = [self._fetching.pop(each) for each in wanted if self._fetching[each].done()]
        return [message for future in done for message in self._ask(future.result)]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """As Flower's grid."""
        return self._grid.send_and_receive(messages, timeout=timeout)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        """A new message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def set_run(self, run: Run) -> None:
        """As Flower's grid."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """As Flower's grid."""
        return self._grid.run

    def _ask(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except (httpx.HTTPError, RunNotRunningException) as error:
            do = "`kommunbench coordinator status`: does it run? then `kommunbench runs resume` goes on"
            ended = isinstance(error, RunNotRunningException)
            what = f"the coordinator's server {'has ended the run' if ended else 'no longer answers'} (SuperLink)"
            raise FederationError(Fault(what, do=do)) from error


def _is_final(flowers: Callable[[Exception], bool] | None, error: Exception) -> bool:
    """Flower takes a TLS handshake that nobody answers for one that was refused; it is tried again like any call."""
    return flowers is not None and not isinstance(error, httpx.TimeoutException) and flowers(error)
