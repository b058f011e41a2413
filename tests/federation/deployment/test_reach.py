"""What lies between a site and its coordinator: a real TLS server, its certificate right, expired or another's."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deployment.superlink import make_certificates
from kommunbench import __version__
from kommunbench.federation.deployment.invitation import Invitation, certificate_fingerprint
from kommunbench.federation.deployment.reach import examine_coordinator


class Silent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path, days: float = 30) -> Iterator[int]:
    make_certificates(folder, days)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def found(authority: Path, port: int, **other: str) -> dict[str, tuple[str, str]]:
    pem = (authority / "ca.pem").read_text(encoding="ascii")
    invitation = Invitation(federation="prov", coordinator="Prov", site="lovvik", title="Lövvik",
                            address=f"localhost:{port}", ca_certificate=pem,
                            ca_fingerprint=certificate_fingerprint(pem), **other)  # fmt: skip
    return {
        finding.check: (finding.state, f"{finding.what}: {finding.do}") for finding in examine_coordinator(invitation)
    }


def test_a_coordinator_as_invited_is_well(tmp_path: Path) -> None:
    with serving(tmp_path) as port:
        told = found(tmp_path, port)
    assert {check: state for check, (state, _) in told.items() if check != "proxy"} == dict.fromkeys(
        ("version", "address", "tls", "clock"), "ok"
    )


@pytest.mark.parametrize(
    ("days", "words"),
    [(-1, ("the coordinator's certificate has expired", "tell the coordinator: `kommunbench coordinator renew`")),
     (30, ("does not have the certificate of the invitation", "telephone the coordinator and compare ca_fingerprint"))],
)  # fmt: skip
def test_an_expired_certificate_is_told_from_a_strangers(tmp_path: Path, days: float, words: tuple[str, str]) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    make_certificates(ours)
    with serving(theirs, days) as port:
        state, what = found(theirs if days < 0 else ours, port)["tls"]
    assert state == "fail"
    assert all(each in what for each in words)


def test_a_port_that_nobody_answers_ends_the_examination(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        told = found(tmp_path, probe.getsockname()[1])
    assert told["address"][0] == "fail"
    assert "tls" not in told


def test_another_version_is_told(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    state, what = found(tmp_path, 1, kommunbench="99.0")["version"]
    assert state == "fail"
    assert f"99.0 there and {__version__} here" in what
    assert "install kommunbench==99.0 here, or ask the other side" in what
