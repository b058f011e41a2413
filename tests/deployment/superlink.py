"""A real SuperLink over TLS on the loopback, as a coordinator has one: for tests of a site's node."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flwr.app import Message, RecordDict
from flwr.common.serde import run_from_proto
from flwr.proto.control_pb2 import RegisterNodeRequest, StartRunRequest, StopRunRequest
from flwr.proto.fab_pb2 import Fab
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PullTaskInputRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.grid import HttpGrid

from kommunbench.federation.deployment.invitation import (
    Invitation,
    JoinRequest,
    certificate_fingerprint,
    node_public_key,
    write,
)
from kommunbench.site.processes import SILENT

ACQUIRE = "/flwr.proto.Runtime/AcquireTask"


def make_certificates(folder: Path, days: float = 1.0) -> None:
    """ca.pem, server.pem and server.key; with negative `days`, a server certificate that has expired."""
    now = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), now + timedelta(days=30)).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    server = _certificate(ca_name, name, key.public_key(), now + timedelta(days=days)).add_extension(hosts, False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.pem").write_bytes(server.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _certificate(issuer: x509.Name, subject: x509.Name, key: object, until: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=60))
        .not_valid_after(until)
    )


class TestLink:
    """`flower-superlink` with TLS, node authentication and our own hands on its ServerApp's task."""

    __test__ = False

    def __init__(self, folder: Path, days: float = 1.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        make_certificates(folder, days)
        self.folder, self.secret = folder, secrets.token_bytes(32)
        (folder / "secret").write_bytes(self.secret)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.authority = (folder / "ca.pem").read_bytes()
        environment = {**os.environ, **SILENT, "FLWR_HOME": str(folder / "flwr")}
        self.log = (folder / "superlink.log").open("wb")
        host, port = self.address.split(":")
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("flower-superlink"), "--host", host, "--port", port,
             "--ssl-ca-certfile", folder / "ca.pem", "--ssl-certfile", folder / "server.pem",
             "--ssl-keyfile", folder / "server.key", "--enable-supernode-auth", "--isolation", "process",
             "--superexec-auth-secret-file", folder / "secret", "--disable-runtime-dependency-installation"],
            env=environment, stdout=self.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_for(lambda: _answers(host, int(port)), 30)

    def invitation(self, site: str) -> Path:
        """An invitation's file for `site`."""
        pem = self.authority.decode()
        path = self.folder / f"{site}-invitation.yaml"
        write(path, Invitation(federation="prov", coordinator="Provkommunen", site=site, title=site,
                               address=self.address, ca_certificate=pem,
                               ca_fingerprint=certificate_fingerprint(pem)))  # fmt: skip
        return path

    def control(self) -> ControlHttpClient:
        """Flower's Control API, which has no authentication and is therefore on loopback."""
        version = RuntimeVersionHttpInterceptor(component_name="flwr CLI")
        return ControlHttpClient.from_server_address(self.address, False, self.authority, [version])

    def register(self, request: JoinRequest) -> None:
        """Approve a site's node."""
        pem = node_public_key(request.node_key).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.control().RegisterNode(RegisterNodeRequest(public_key=pem, name=request.site))

    def run(self, bundle: bytes) -> TestRun:
        """Start a run with `bundle`, and be its ServerApp."""
        control = self.control()
        run_id = control.StartRun(StartRunRequest(fab=Fab(content=bundle))).run_id
        auth = SuperExecAuthHttpInterceptor(master_secret=self.secret, protected_methods={ACQUIRE})
        client = RuntimeHttpClient.from_server_address(
            self.address, False, self.authority, [RuntimeVersionHttpInterceptor(component_name="SuperExec"), auth]
        )
        tasks: list[str] = []

        def acquire() -> bool:
            found = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
            tasks.extend([found.token] if found.token and found.task.run_id == run_id else [])
            return bool(tasks)

        wait_for(acquire, 20)
        return TestRun(self, run_id, tasks[0])

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(timeout=5)  # it waits for open connections
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class TestRun:
    """One run, whose ServerApp is the test."""

    __test__ = False

    def __init__(self, link: TestLink, run_id: int, token: str) -> None:
        self.link, self.run_id = link, run_id
        self.grid = HttpGrid(link.address, insecure=False, root_certificates=link.authority, token=token)
        client = self.grid._runtime_client
        self.heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
        task = client.PullTaskInput(PullTaskInputRequest())
        self.heartbeat.start()
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = run_id, task.task_id, 1
        self.grid.set_run(run_from_proto(task.run))

    def nodes(self, count: int, patience_s: float = 60) -> list[int]:
        """Ids of the nodes that are online, when there are so many."""
        wait_for(lambda: len(list(self.grid.get_node_ids())) >= count, patience_s)
        return list(self.grid.get_node_ids())

    def ask(self, node: int, content: RecordDict, patience_s: float = 90) -> Message | None:
        """The reply of `node`, or None where there is none in time."""
        replies = list(
            self.grid.send_and_receive([Message(content, node, "query", ttl=patience_s)], timeout=patience_s)
        )
        return replies[0] if replies else None

    def close(self) -> None:
        """Stop the run, so that no node works for it any longer."""
        self.heartbeat.stop()
        self.link.control().StopRun(StopRunRequest(run_id=self.run_id))


def wait_for(condition, patience_s: float) -> None:
    """Ask until it is so."""
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience_s} s")
        time.sleep(0.2)


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True
