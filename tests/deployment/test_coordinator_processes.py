"""A coordinator and its sites, real processes over real TLS: what happens when one is killed or stays away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from deployment.namespaces import COORDINATOR
from deployment.namespaces import SITES as SITES_MACHINE
from deployment.real import SITES
from kommunbench.federation.deployment import service

pytestmark = pytest.mark.slow


class Watch:
    """Every remote address that a process of the coordinator's or of a site's had a connection to."""

    def __init__(self, federation, process):
        self._federation, self._process, self._over = federation, process, threading.Event()
        self.remote = set()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self):
        while not self._over.is_set():
            ours = [process for _, process in service.alive(self._federation.folder)]
            ours.append(psutil.Process(self._process.pid))
            ours += [node for site in ("ale", "bro") for node in self._federation.node_processes(site).values()]
            for process in ours:
                try:
                    family = [process, *process.children(recursive=True)]
                    found = [connection for each in family for connection in each.net_connections("inet")]
                except psutil.Error:
                    continue
                self.remote |= {tuple(connection.raddr) for connection in found if connection.raddr}
            time.sleep(0.05)

    def end(self):
        self._over.set()
        self._thread.join()
        return self.remote


@pytest.fixture(scope="module")
def first_run(federation):
    """A run with one site away from the start, and the SuperLink killed in the middle of it."""
    command = [sys.executable, "-m", "kommunbench", *federation.run_words("first")]
    process = subprocess.Popen(command, cwd=federation.place, env=federation.environment)
    watch = Watch(federation, process)
    federation.wait_for("first", "moment")
    killed = dict(service.alive(federation.folder))["superlink"]
    killed.kill()
    code = process.wait(timeout=600)
    return code, killed.pid, watch.end()


def test_a_run_outlives_its_superlink(federation, first_run):
    code, killed, _ = first_run
    assert code == 0
    assert dict(service.alive(federation.folder))["superlink"].pid != killed
    report = federation.report("first")
    assert report["complete"]
    status = {site["name"]: site["status"] for site in report["roster"]}
    assert status["ale"] in ("ok", "partly")
    assert status["bro"] in ("ok", "partly")


def test_who_was_away_is_missing_with_the_reason(federation, first_run):
    (away,) = [site for site in federation.report("first")["roster"] if site["name"] == "cedra"]
    assert away["status"] == "missing"
    assert {absence["code"] for absence in away["absences"]} == {"OFFLINE"}
    assert "inte uppkopplad" in away["absences"][0]["sv"]


def test_coordinator_and_sites_talk_to_each_other_only_for_a_whole_run(federation, first_run):
    *_, remote = first_run
    machines = {COORDINATOR, SITES_MACHINE} if federation.machines else set()
    assert remote
    assert {host for host, _ in remote} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1", *machines}
    if federation.machines:  # the sites' sockets are another machine's; what they sent was listened to
        assert {address for address, _ in federation.machines.seen} == machines
    else:
        assert federation.front in {port for _, port in remote}


def test_an_unknown_key_is_refused_in_a_sentence_on_both_sides(federation):
    federation.say("invite", "okand")
    federation.answer("okand", 10, federation.folder.path / "invitations" / "okand.yaml")  # and nobody approves
    federation.start_node("okand")
    federation.node_says("okand", "approve")
    assert any(line["reason"] == "unknown key" for line in federation.status()["refused"])


@pytest.fixture(scope="module")
def merged(federation, first_run):
    """The first run after its late site was asked."""
    before = len(federation.events("first"))
    federation.start_node("cedra")
    federation.wait_online("cedra")
    federation.kommunbench("runs", "resume", "first")
    return federation.report("first"), federation.events("first")[before:]


def test_a_late_site_is_merged_and_only_it_is_asked(federation, merged):
    report, events = merged
    moments = {event["name"]: event for event in events if event["kind"] == "moment"}
    assert moments["round-000"]["sites"] == ["cedra"]
    assert sorted(moments["round-000"]["kept"]) == ["ale", "bro"]
    assert sorted(moments["close"]["sites"]) == sorted(SITES)  # the totals have changed
    assert report["complete"]
    assert all(site["status"] in ("ok", "partly") for site in report["roster"])
    whole = [row for row in report["rows"] if row["site_group"] == "all" and row["metric"].startswith("rouge")]
    assert {row["n"] for row in whole if row["n"]} == {sum(SITES.values())}


def test_a_killed_run_resumes_to_the_rows_of_one_that_was_not(federation, merged):
    command = [sys.executable, "-m", "kommunbench", *federation.run_words("killed")]
    process = subprocess.Popen(command, cwd=federation.place, env=federation.environment, start_new_session=True)
    federation.wait_for("killed", "reply")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "stopped" in federation.kommunbench("runs", "list").stdout
    federation.site("bro", "stop")  # and a site falls with it
    federation.start_node("bro")
    federation.wait_online(*SITES)
    federation.kommunbench("runs", "resume", "killed")
    assert federation.report("killed")["rows"] == merged[0]["rows"]
    assert federation.report("killed")["pairs"] == merged[0]["pairs"]
