"""The deployment grid's calls end: those that hang hold up neither the other replies nor the end of the process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures.thread import _threads_queues

import httpx
import pytest
from flwr.superlink.grid import HttpGrid

from kommunbench.federation.deployment import grid as grid_module
from kommunbench.federation.deployment.grid import SiteGrid
from kommunbench.federation.deployment.roster import Roster


class Hanging(HttpGrid):
    """A grid of which one message's bytes never come."""

    def __init__(self) -> None:
        super().__init__(token="nobody's")
        self.over = threading.Event()

    def pull_messages(self, message_ids: list[str]) -> list[str]:
        if message_ids == ["hangs"]:
            self.over.wait()
        return [f"reply to {each}" for each in message_ids]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    monkeypatch.setattr(grid_module, "PULL_WITHIN_S", 0.05)
    monkeypatch.setattr(grid_module, "PULL_EVERY_S", 0.0)
    grid = Hanging()
    yield grid
    grid.over.set()


def test_a_fetch_that_hangs_holds_up_neither_other_replies_nor_the_end_of_the_process(hanging, tmp_path):
    before = set(threading.enumerate())
    grid = SiteGrid(hanging, Roster(tmp_path / "roster.yaml"), deadline_s=60)
    for _ in range(2):
        assert grid.pull_messages(["hangs", "comes"]) == ["reply to comes"]
    started = set(threading.enumerate()) - before
    assert started
    assert all(thread.daemon for thread in started)
    assert not started & set(_threads_queues)  # which the interpreter would wait for
    hanging.over.set()
    assert grid.pull_messages(["hangs"]) == ["reply to hangs"]


@pytest.mark.parametrize(("deadline_s", "waited_s"), [(20.0, 20.0), (3600.0, grid_module.OUTAGE_S)])
def test_a_superlink_that_stands_still_is_waited_for_no_longer_than_a_site(hanging, tmp_path, deadline_s, waited_s):
    SiteGrid(hanging, Roster(tmp_path / "roster.yaml"), deadline_s)
    assert hanging._retry_invoker.max_time == waited_s


def test_a_handshake_that_nobody_answers_is_tried_again_and_a_refused_certificate_is_not(hanging, tmp_path):
    SiteGrid(hanging, Roster(tmp_path / "roster.yaml"), deadline_s=60)
    final = hanging._retry_invoker.should_giveup
    assert not final(httpx.ConnectTimeout("_ssl.c:989: The handshake operation timed out"))
    assert final(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"))
