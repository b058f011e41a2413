"""A real federation on this machine's loopback: coordinator and sites by the commands that people give."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner

from deployment.namespaces import COORDINATOR, Machines
from deployment.namespaces import SITES as SITES_MACHINE
from federated_folder import rows
from kommunbench.cli.coordinator import app as coordinator
from kommunbench.cli.site import app as site
from kommunbench.federation.deployment import service
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.invitation import read_request
from kommunbench.federation.deployment.superlink import SuperLink

SITES = {"ale": 14, "bro": 17, "cedra": 12}
"""Test examples a task."""
TASKS = ("summarization", "guideline_qa", "lattlast")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


class RealFederation:
    """A coordinator that runs, and sites that were approved; each starts and ends when a test says so."""

    def __init__(
        self, place: Path, sites: Mapping[str, int] = SITES, called_at: int = 0, machines: Machines | None = None
    ) -> None:
        """`sites`: test examples a task; `called_at`: the port that sites call, where it is not the front's own."""
        self.place, self.nodes, self.machines = place, set[str](), machines
        self.environment = {**os.environ, **service.QUIET}
        self.folder = CoordinatorFolder(place / "coordinator")
        self.front, superlink, mlflow = free_ports(3)
        host = COORDINATOR if machines else "127.0.0.1"
        self.address = (host if machines else "localhost", self.front)
        called = f"{self.address[0]}:{called_at or self.front}"
        try:
            self.say("init", "--federation", "norr", "--name", "Region Norr", "--address", called,
                     "--port", str(self.front), "--listen", host, "--superlink-port", str(superlink),
                     "--mlflow-port", str(mlflow), "--no-mlflow")  # fmt: skip
            self.say("start")
            for name, count in sites.items():
                self.join(name, count)
        except BaseException:
            self.end()
            raise

    def kommunbench(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command where the coordinator sits."""
        command = [sys.executable, "-m", "kommunbench", *words]
        done = subprocess.run(
            command, cwd=self.place, env=self.environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def say(self, *words: str, check: bool = True) -> str:
        """`kommunbench coordinator ...`, in this process; what it printed."""
        done = CliRunner().invoke(coordinator, [*words, "--dir", str(self.place / "coordinator")])
        assert not check or done.exit_code == 0, f"{words}: {done.output}{done.exception!r}"
        return done.output

    def run_words(self, name: str) -> list[str]:
        """A small run of the three tasks."""
        return ["run", "federation=deployed", "strategy=none", "models=[lead,copy,retrieval]", "tracking=off",
                "join_s=5", "quorum=2", f"name={name}"]  # fmt: skip

    def site(self, name: str, *words: str) -> str:
        """`kommunbench site ...` at one site, in this process; what it printed."""
        done = CliRunner().invoke(
            site, [words[0], *words[1:], *([] if words[0] == "init" else ["--home", self.home(name)])]
        )
        assert done.exit_code == 0, f"{words}: {done.output}{done.exception!r}"
        return done.output

    def home(self, name: str) -> str:
        return str(self.place / name)

    def join(self, name: str, count: int) -> None:
        """Invite, answer, approve: the two people's steps, with the digits that each reads to the other."""
        self.say("invite", name, "--title", name.title())
        invitation = self.folder.path / "invitations" / f"{name}.yaml"
        request = self.answer(name, count, invitation)
        self.say("approve", str(request), "--fingerprint", self.spoken(name))

    def spoken(self, name: str) -> str:
        """What a site reads aloud."""
        return read_request(Path(self.home(name), "request.yaml")).spoken

    def answer(self, name: str, count: int, invitation: Path) -> Path:
        """What a site does with an invitation; its request."""
        home = Path(self.home(name))
        policy = ("min_cell=1", "training=allow", "adapters=allow", "memorisation=skip")
        self.site(
            name, "init", str(home), "--yes", "--threads", "1", *(word for line in policy for word in ("--set", line))
        )
        for task in TASKS:
            lines = "\n".join(self.lines(name, task, count))
            (home / "data" / f"{task}.jsonl").write_text(lines + "\n", encoding="utf-8")
        self.site(name, "join", str(invitation))
        return home / "request.yaml"

    def lines(self, site: str, task: str, count: int) -> list[str]:
        """A site's file for a task."""
        salt = sum(site.encode())
        found = [*rows(task, count, salt), *rows(task, 2 * count, salt + 1000, "train")]
        return [json.dumps(row, ensure_ascii=False) for row in found]

    def start_node(self, name: str) -> None:
        """Start a site's node, and return when its worker is ready; it may be refused."""
        self.start_nodes(name)

    def start_nodes(self, *names: str) -> None:
        """Start several at once."""
        self.nodes |= set(names)
        with self.machines.inside(SITES_MACHINE) if self.machines else nullcontext():
            command = [sys.executable, "-m", "kommunbench", "site", "start", "--home"]
            started = [
                subprocess.Popen([*command, self.home(name)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for name in names
            ]
        for process in started:
            process.wait(timeout=240)

    def kill_node(self, name: str) -> None:
        """SIGKILL everything of a site at once, as a power cut would."""
        processes = self.node_processes(name).values()
        for process in processes:
            process.send_signal(signal.SIGSTOP)  # none of them sees another go
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=20)

    def node_processes(self, name: str) -> dict[str, psutil.Process]:
        """A site's node, its worker and its SuperNode."""
        state = json.loads(Path(self.home(name), "run", "node.json").read_bytes())
        return {"node": psutil.Process(state["pid"])} | {
            child: psutil.Process(pid) for child, pid in state["children"].items()
        }

    @contextmanager
    def front_stopped(self) -> Iterator[None]:
        """The front takes connections and answers none."""
        front = dict(service.alive(self.folder))["front"]
        front.suspend()
        try:
            yield
        finally:
            front.resume()

    def node_says(self, name: str, sentence: str, seconds: float = 240) -> dict[str, Any]:
        """What `site status --json` says, once that sentence is in it."""
        end, said = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            said = CliRunner().invoke(site, ["status", "--json", "--home", self.home(name)]).stdout
            if sentence in said:
                return dict(json.loads(said))
            time.sleep(0.5)
        log = Path(self.home(name), "node.log")
        raise AssertionError(f"{said}\n{log.read_text(encoding='utf-8')[-3000:] if log.is_file() else ''}")

    def wait_online(self, *sites: str, seconds: float = 300) -> None:
        """Return when these sites' nodes are online."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = {node.name: node.status for node in SuperLink(self.folder).nodes()}
            if all(found[site] == "online" for site in sites):
                return
            time.sleep(0.5)
        raise AssertionError(f"not online: {found}")

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.say("status", "--json", check=False)))

    def start_run(self, words: list[str]) -> subprocess.Popen[bytes]:
        """`kommunbench run` in a process group of its own."""
        command = [sys.executable, "-m", "kommunbench", *words]
        return subprocess.Popen(
            command, cwd=self.place, env=self.environment, start_new_session=True, stdout=subprocess.DEVNULL
        )

    def events(self, run: str) -> list[dict[str, Any]]:
        path = self.place / "results" / run / "events.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [json.loads(line) for line in lines]

    def wait_for(self, run: str, kind: str, seconds: float = 300) -> dict[str, Any]:
        """Return the first event of that kind when it has happened."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in self.events(run):
                if event["kind"] == kind:
                    return event
            time.sleep(0.1)
        raise AssertionError(f"no {kind} in {self.events(run)}")

    def report(self, run: str) -> dict[str, Any]:
        return dict(json.loads((self.place / "results" / run / "report.json").read_text(encoding="utf-8")))

    def end(self) -> None:
        for name in self.nodes:
            CliRunner().invoke(site, ["stop", "--home", self.home(name)])
        self.say("stop", check=False)
