"""Asking: the deadline, the grace, and what counts when a network misbehaves. The grid is scripted; time is real."""

import time
from collections import defaultdict
from itertools import count

import pytest
from flwr.app import Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.proto.node_pb2 import NodeInfo
from flwr.supercore.task_identity import TaskIdentity

from kommunbench.federation import asking as asking_module
from kommunbench.federation.asking import Asking


class ScriptedGrid:
    """`replies[site]` are given in turn; `online` is who is there now."""

    def __init__(self, *sites):
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
        self.nodes = {site: NodeInfo(node_id=1000 + at, name=site) for at, site in enumerate(sites)}
        self.online = set(sites)
        self.replies = defaultdict(list)
        self.pushed = []
        self._numbers = count(1)

    def get_nodes(self):
        return [node for site, node in self.nodes.items() if site in self.online]

    def push_messages(self, messages):
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = str(next(self._numbers))
            site = next(name for name, node in self.nodes.items() if node.node_id == message.metadata.dst_node_id)
            self.pushed.append((site, message))
            ids.append(message.metadata.message_id)
        return ids

    def pull_messages(self, ids):
        out = []
        for site, message in self.pushed:
            if message.metadata.message_id in ids and self.replies[site]:
                given = self.replies[site].pop(0)
                out.extend(given(message))
        return out


def answer(message):
    return [Message(RecordDict(), reply_to=message)]


def twice(message):
    return answer(message) * 2


def unavailable(message):
    return [Message(Error(ErrorCode.NODE_UNAVAILABLE, ""), reply_to=message)]


def nothing(message):
    return []


def is_first(message):
    return message.metadata.message_id == "1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(asking_module, "LOOK_EVERY_S", 0.05)


def conduct(grid, deadline_s=0.5, grace_s=10.0):
    def make(site, node_id):
        return Message(RecordDict(), node_id, "query", ttl=60)

    asking = Asking(grid, make, deadline_s, grace_s)
    got = [site for site, _, _ in asking.replies(dict(grid.nodes))]
    return got, asking.absent


def test_a_silent_site_holds_nobody_past_the_deadline():
    grid = ScriptedGrid("a", "b")
    grid.replies["a"] = [answer]
    started = time.monotonic()
    assert conduct(grid) == (["a"], {"b": "late"})
    assert 0.5 <= time.monotonic() - started < 1.5


def test_who_answers_twice_counts_once():
    grid = ScriptedGrid("a", "b")
    grid.replies["a"], grid.replies["b"] = [twice, answer], [nothing, nothing, answer]
    assert conduct(grid) == (["a", "b"], {})


def test_a_site_that_is_back_within_the_grace_is_asked_again_and_counts():
    grid = ScriptedGrid("a")
    grid.replies["a"] = [unavailable, answer]
    assert conduct(grid) == (["a"], {})
    assert [site for site, _ in grid.pushed] == ["a", "a"]


def test_a_site_that_stays_away_is_given_up_when_the_grace_is_over():
    grid = ScriptedGrid("a", "b")
    grid.online = {"b"}
    grid.replies["b"] = [answer]
    started = time.monotonic()
    assert conduct(grid, deadline_s=30, grace_s=0.2) == (["b"], {"a": "lost"})
    assert time.monotonic() - started < 5


def test_what_a_site_worked_out_while_it_was_offline_is_taken():
    grid = ScriptedGrid("a")
    looks = iter([False, False, True])

    def get_nodes():
        return [grid.nodes["a"]] if next(looks, True) else []

    grid.get_nodes = get_nodes
    grid.replies["a"] = [nothing] * 3 + [answer]
    assert conduct(grid, deadline_s=5) == (["a"], {})
    assert len(grid.pushed) == 1


def test_a_node_that_was_started_anew_is_asked_again():
    grid = ScriptedGrid("a")
    given = grid.nodes["a"]
    grid.replies["a"] = [nothing, nothing]
    started = time.monotonic()

    def get_nodes():
        if time.monotonic() - started > 0.2 and len(grid.pushed) == 1:
            grid.nodes["a"] = NodeInfo(node_id=given.node_id, name="a", last_activated_at="later")
            grid.replies["a"] = [nothing, answer]
        return [grid.nodes["a"]]

    grid.get_nodes = get_nodes
    assert conduct(grid, deadline_s=5) == (["a"], {})
    assert len(grid.pushed) == 2


def test_a_node_that_was_only_cut_off_answers_the_first_question_and_counts_once():
    grid = ScriptedGrid("a")
    given = grid.nodes["a"]
    grid.get_nodes = lambda: [NodeInfo(node_id=given.node_id, name="a", last_activated_at="later")]
    grid.replies["a"] = [lambda message: answer(message) if len(grid.pushed) == 2 and is_first(message) else []] * 999
    assert conduct(grid, deadline_s=5) == (["a"], {})
    assert len(grid.pushed) == 2
