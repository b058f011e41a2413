"""The runbook's first section, word for word: a coordinator and two sites on one machine, and the three tasks."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from deployment import namespaces

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs"
PORTS = (8443, 9400, 9401)
"""Of the front, the SuperLink and MLflow."""
SITES = ("lovsala", "sydmark")


def commands(page: str) -> list[str]:
    """The indented lines of section 0."""
    section = re.split(r"^## ", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


def test_both_languages_give_the_same_commands():
    assert commands("coordinator.md") == commands("samordnare.md")


@pytest.fixture
def machine():
    """A machine by itself, where the system lets us: it has the runbook's ports free, and nothing leaves it unheard."""
    with ExitStack() as ends:
        machine = namespaces.Alone() if namespaces.available() else None
        if machine:
            ends.callback(machine.end)
            ends.enter_context(machine.inside())
        yield machine


@pytest.fixture
def place(machine):
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port}, which the runbook uses, is taken here")
    place = Path(tempfile.mkdtemp(prefix="kb-"))  # short: a socket's path is
    yield place
    for words in (["site", "stop", "--home", "site-lovsala"], ["site", "stop", "--home", "site-sydmark"],
                  ["coordinator", "stop"]):  # fmt: skip
        subprocess.run([sys.executable, "-m", "kommunbench", *words], cwd=place, check=False, capture_output=True)
    shutil.rmtree(place)


def test_two_terminals_of_commands_run_the_three_tasks_and_call_nobody_else(place, machine):
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = {}
    for command in commands("coordinator.md"):
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env={**os.environ, "PATH": programs}, input="y\n",
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command] = done.stdout
    digits = re.compile(r"(?:[0-9a-f]{4} ){7}[0-9a-f]{4}")
    for site in SITES:
        joined = said[f"kommunbench site join coordinator/invitations/{site}.yaml --home site-{site}"]
        approved = said[f"kommunbench coordinator approve site-{site}/request.yaml"]
        authority, keys = digits.findall(joined)
        assert digits.findall(approved) == [keys]  # what the site reads aloud is what the coordinator sees
        assert authority in next(text for command, text in said.items() if f"invite {site}" in command)
    (run,) = (place / "results").glob("*/report.json")
    report = json.loads(run.read_text(encoding="utf-8"))
    assert report["complete"]
    assert [site["name"] for site in report["roster"]] == list(SITES)
    assert {site["status"] for site in report["roster"]} <= {"ok", "partly"}  # their doors hold small cells back
    assert {row["task"] for row in report["rows"]} == {"summarization", "guideline_qa", "lattlast"}
    assert "http://127.0.0.1:9401" in said["kommunbench run federation=deployed +experiment=quick"]
    assert said["kommunbench coordinator stop"].startswith("Stopped coordinator")
    if machine is None:
        pytest.skip("who was called cannot be seen here: that needs root and iproute2")
    # Every packet of the coordinator, the run, both sites and MLflow, which the run was logged to, from the first
    # command to the last: nobody outside was called, not even for a name, and here the front, the SuperLink, MLflow
    # and, by each site's node, its own SuperNode.
    inner = {json.loads((place / f"site-{site}" / "run" / "node.json").read_bytes())["port"] for site in SITES}
    assert machine.outside == set()
    assert machine.called == {*PORTS, *inner}
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), timeout=0.5)
    assert machine.outside == {("192.0.2.1", 443)}  # and a call would have been heard
