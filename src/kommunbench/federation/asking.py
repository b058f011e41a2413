"""One question to many sites: asked once each, waited for until a deadline, and asked again only where it was lost.

A site that goes offline is waited for while the grace lasts; what it had worked out meanwhile is taken when it is back.
A node that was started anew has forgotten its question, so it is asked once more; Flower does not tell it from one that
only lost its connection, so the first answer of either question counts. Whoever answers twice counts once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from flwr.app import Message
from flwr.common.constant import ErrorCode
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid

from kommunbench.report.record import Absence

POLL_S = 0.01
LOOK_EVERY_S = 2.0
"""How often to look who is online."""
LOST = (ErrorCode.NODE_UNAVAILABLE, ErrorCode.MESSAGE_UNAVAILABLE)
"""What Flower says in place of a site that is gone, or of a reply whose bytes never came: it is asked again."""


@dataclass(slots=True)
class _Asked:
    """One site that owes an answer."""

    node: NodeInfo
    message_ids: tuple[str, ...] = ()
    """Of the question, and of every time that it was asked again: a node that only lost its connection answers the
    first."""
    offline_since: float | None = None


class Asking:
    """Sends a message to each of some sites and gives their replies as they come.

    Args:
        grid: Flower's.
        make: the message for a site's name and node id.
        deadline_s: from asking to giving up.
        grace_s: how long a site may be offline within that.
    """

    def __init__(self, grid: Grid, make: Callable[[str, int], Message], deadline_s: float, grace_s: float) -> None:
        self._grid, self._make = grid, make
        self._deadline_s, self._grace_s = deadline_s, grace_s
        self._asked: dict[str, _Asked] = {}
        self.absent: dict[str, Absence] = {}
        """Sites that gave no answer, and why: complete when `replies` has ended."""

    def replies(self, nodes: Mapping[str, NodeInfo]) -> Iterator[tuple[str, Message, float]]:
        """Ask every site of `nodes`; give its name, its reply and the seconds it took, until the deadline."""
        started = looked = time.monotonic()
        self._asked = {site: _Asked(node) for site, node in nodes.items()}
        ids = self._grid.push_messages([self._make(site, asked.node.node_id) for site, asked in self._asked.items()])
        for asked, message_id in zip(self._asked.values(), ids, strict=True):
            asked.message_ids = (message_id,)
        while self._asked and time.monotonic() - started < self._deadline_s:
            if time.monotonic() - looked >= LOOK_EVERY_S:
                self._look(time.monotonic())
                looked = time.monotonic()
            for site, message in self._pull():
                yield site, message, time.monotonic() - started
            time.sleep(POLL_S)
        self.absent |= {site: "late" if asked.offline_since is None else "lost" for site, asked in self._asked.items()}

    def _pull(self) -> Iterator[tuple[str, Message]]:
        """Replies of sites that are online. One that is offline is not asked for: Flower would answer in its place."""
        present = {site: asked for site, asked in self._asked.items() if asked.offline_since is None}
        sites = {message_id: site for site, asked in present.items() for message_id in asked.message_ids}
        for message in self._grid.pull_messages(list(sites)) if sites else ():
            message_id = message.metadata.reply_to_message_id
            site = sites.get(message_id)
            asked = self._asked.get(site or "")
            if site is None or asked is None or message_id not in asked.message_ids:
                continue  # an answer that counted already
            if message.has_error() and message.error.code in LOST:
                asked.message_ids = tuple(each for each in asked.message_ids if each != message_id)
                if message.error.code == ErrorCode.NODE_UNAVAILABLE and not asked.message_ids:
                    asked.offline_since = time.monotonic()
                continue
            del self._asked[site]
            yield site, message

    def _look(self, now: float) -> None:
        """Who went offline, who is back, and who was started anew."""
        online = {node.name: node for node in self._grid.get_nodes()}
        for site, asked in list(self._asked.items()):
            node = online.get(site)
            if node is None:
                asked.offline_since = asked.offline_since or now
                if now - asked.offline_since > self._grace_s:
                    self.absent[site] = "lost"
                    del self._asked[site]
                continue
            asked.offline_since = None
            if not asked.message_ids or node.last_activated_at != asked.node.last_activated_at:
                asked.message_ids += tuple(self._grid.push_messages([self._make(site, node.node_id)]))
                asked.node = node
