"""A real federation on this machine's loopback: the coordinator by its commands, sites as Flower's own SuperNode."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from federated_folder import rows
from kommunbench.cli.coordinator import app as coordinator
from kommunbench.federation.deployment import service
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.invitation import make_request, read_invitation, write
from kommunbench.federation.deployment.superlink import SuperLink
from kommunbench.site.settings import SiteSettings

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

    def __init__(self, place: Path) -> None:
        self.place, self.nodes = place, dict[str, subprocess.Popen[bytes]]()
        self.environment = {**os.environ, **service.QUIET, "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2"}
        front, superlink, mlflow = free_ports(3)
        self.say("init", "--federation", "norr", "--name", "Region Norr", "--address", f"localhost:{front}",
                 "--listen", "127.0.0.1", "--superlink-port", str(superlink), "--mlflow-port", str(mlflow),
                 "--no-mlflow")  # fmt: skip
        self.folder = CoordinatorFolder(place / "coordinator")
        self.say("start")
        for site, count in SITES.items():
            self.join(site, count)

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
        assert not check or done.exit_code == 0, done.output
        return done.output

    def run_words(self, name: str) -> list[str]:
        """A small run of the three tasks."""
        return ["run", "federation=deployed", "strategy=none", "models=[lead,copy,retrieval]", "tracking=off",
                "join_s=5", "quorum=2", f"name={name}"]  # fmt: skip

    def make_site(self, site: str, count: int) -> Path:
        """A site's folder with data and a policy."""
        home = self.place / "sites" / site
        (home / "data").mkdir(parents=True)
        for task in TASKS:
            lines = [json.dumps(row, ensure_ascii=False) for row in rows(task, count, salt=sum(site.encode()))]
            (home / "data" / f"{task}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (home / "site.yaml").write_text("min_cell: 1\n", encoding="utf-8")
        settings = SiteSettings(name=site, home=home, data=home / "data", threads=1)
        config = f"site = {json.dumps(settings.model_dump_json(), ensure_ascii=False)}\n"
        (home / "node.toml").write_text(config, encoding="utf-8")
        return home

    def join(self, site: str, count: int) -> None:
        """Invite, answer, approve."""
        home = self.make_site(site, count)
        self.say("invite", site, "--title", site.title())
        invitation = read_invitation(self.folder.path / "invitations" / f"{site}.yaml")
        key = self.make_key(home)
        request = make_request(invitation, key, Ed25519PrivateKey.generate())
        (home / "ca.pem").write_text(invitation.ca_certificate, encoding="utf-8")
        write(home / "request.yaml", request)
        self.say("approve", str(home / "request.yaml"), "--fingerprint", request.spoken)

    def make_key(self, home: Path) -> ec.EllipticCurvePrivateKey:
        key = ec.generate_private_key(ec.SECP384R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        (home / "node.key").write_bytes(key.private_bytes(*form))
        return key

    def start_node(self, site: str) -> subprocess.Popen[bytes]:
        """Start a site's SuperNode."""
        home = self.place / "sites" / site
        command = [
            str(Path(sys.executable).with_name("flower-supernode")),
            *("--root-certificates", "ca.pem", "--superlink", self.folder.settings.address),
            *("--auth-supernode-private-key", "node.key", "--port", str(free_ports(1)[0])),
            *("--node-config", "node.toml"),
        ]
        with (home / "node.log").open("ab") as log:
            node = subprocess.Popen(
                command,
                cwd=home,
                env={**self.environment, "FLWR_HOME": str(home / "flwr")},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.nodes[site] = node
        return node

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
        for node in self.nodes.values():
            if node.poll() is None:
                os.killpg(node.pid, signal.SIGKILL)
                node.wait()
        self.say("stop", check=False)
