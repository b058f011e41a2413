"""A site's node with real processes and TLS: only vetted code, no network where text is, one address outside."""

from __future__ import annotations

import io
import json
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from deployment.real import free_ports
from deployment.superlink import TestLink, TestRun, make_certificates, wait_for
from kommunbench.cli.compose import make_spec
from kommunbench.config.hydra import compose_settings
from kommunbench.core.answer import Code
from kommunbench.core.spec import Request, RunSpec
from kommunbench.federation.deployment import supernode
from kommunbench.federation.deployment.bundle import bundle
from kommunbench.federation.deployment.invitation import read_request
from kommunbench.federation.deployment.supernode import EXECUTOR_FILE
from kommunbench.federation.plan import base_cells
from kommunbench.federation.records import read_reply, write_request
from kommunbench.release import unpack, unpack_status
from kommunbench.report.codes import remedy
from kommunbench.site.home import SiteHome, node_key
from kommunbench.site.node_state import read_connection
from kommunbench.site.private import write_private
from kommunbench.site.processes import clean_environment
from kommunbench.site.setup import make_site, with_settings

pytestmark = pytest.mark.slow
KOMMUNBENCH = Path(sys.executable).with_name("kommunbench")


def site(*words: object, fails: int = 0) -> str:
    """Run `kommunbench site ...` as municipal IT would."""
    done = subprocess.run(
        [KOMMUNBENCH, "site", *map(str, words)], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def link() -> Iterator[TestLink]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path is
        link = TestLink(Path(folder))
        yield link
        link.close()


@pytest.fixture(scope="module")
def spec() -> RunSpec:
    words = ["strategy=none", "models=[lead]", "tasks=[summarization]", "tracking=off", "max_examples=20"]
    return make_spec(compose_settings(words))


@pytest.fixture(scope="module")
def home(link: TestLink) -> Iterator[Path]:
    """A site that was made, has joined, was approved and runs."""
    home = link.folder / "lovvik"
    site("init", home, "--yes")
    rows = [
        {"id": f"r{number}", "input": f"Nämnden beslutar om ärende {number}. Kostnaden är {number} kronor.",
         "references": [f"Ärende {number} kostar {number} kronor."], "split": "test"}
        for number in range(30)
    ]  # fmt: skip
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (home / "data" / "summarization.jsonl").write_text(lines, encoding="utf-8")
    site("join", link.invitation("lovvik"), "--home", home)
    link.register(read_request(home / "request.yaml"))
    site("start", "--home", home)
    yield home
    site("stop", "--home", home)
    wait_for(
        lambda: not any(str(home) in (each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])), 15
    )


def test_a_run_is_answered_and_the_site_speaks_to_one_address(home: Path, link: TestLink, spec: RunSpec) -> None:
    wait_for(lambda: json.loads(site_json("status", home))["connection"] == "connected", 60)
    state = json.loads(site_json("status", home))
    assert state["worker_network"] == "none"
    with Watch(state["pid"]) as watch:
        run = link.run(bundle())
        try:
            (node,) = run.nodes(1)
            request = Request(spec=spec, cells=base_cells(spec))
            seconds = []
            for _ in range(2):
                began = time.monotonic()
                message = run.ask(node, write_request(request, {}))
                seconds.append(time.monotonic() - began)
        finally:
            run.close()
    assert message is not None
    reply = read_reply(message)
    assert unpack_status(reply.status)[0] is Code.OK
    codes = [code for _, code, _ in unpack(request, reply.values, reply.codes, reply.cost)]
    assert codes == [Code.OK] * 5 + [Code.NO_READING, Code.OK]  # bertscore has no encoder here; the last is the cost
    port = int(link.address.split(":")[1])
    assert watch.outbound == {("127.0.0.1", port), ("127.0.0.1", watch.inner_port)}
    assert seconds[1] < 8, "a warm worker answers at the pace of Flower's three-second polls"


def test_a_bundle_with_code_is_refused_before_any_of_it_runs(home: Path, link: TestLink, spec: RunSpec) -> None:
    mark = link.folder / "it-ran"
    run = link.run(hostile_bundle(mark))
    try:
        (node,) = run.nodes(1)
        message = run.ask(node, write_request(Request(spec=spec, cells=base_cells(spec)), {}))
    finally:
        run.close()
    assert message is not None
    assert unpack_status(read_reply(message).status)[0] is Code.FOREIGN_BUNDLE
    assert not mark.exists()
    said = site("logs", "--site", "--home", home)
    assert "refused (FOREIGN_BUNDLE): the run came with app bundle" in said
    assert "nothing was unpacked (tell the coordinator" in said
    assert not list(home.rglob("kommunbench"))


def test_what_the_site_does_not_allow_comes_back_as_a_code_that_has_words(
    home: Path, link: TestLink, spec: RunSpec
) -> None:
    other_task = spec.tasks[0].model_copy(update={"digest": "0" * 64})
    changed = spec.model_copy(update={"run": "changed", "tasks": (other_task,)})
    newer, older = (spec.model_copy(update={"run": name, "kommunbench": name}) for name in ("99.0", "0.0.1"))
    policy = home / "site.yaml"
    before = policy.read_text(encoding="utf-8")
    run = link.run(bundle())
    try:
        (node,) = run.nodes(1)
        told = {asked.run: codes_of(run, node, asked) for asked in (changed, newer, older)}
        policy.write_text(with_settings(before, {"runs_a_year": "1"}), encoding="utf-8")
        told["second"] = codes_of(run, node, spec.model_copy(update={"run": "second"}))
    finally:
        policy.write_text(before, encoding="utf-8")
        run.close()
    assert told == {
        "changed": {Code.OK, Code.TASK_NOT_APPROVED},  # the reply itself is well; each of its numbers is refused
        "99.0": {Code.VERSION_MISMATCH},
        "0.0.1": {Code.VERSION_MISMATCH},
        "second": {Code.OVER_LIMIT},
    }
    assert all(remedy(code.name) for codes in told.values() for code in codes - {Code.OK})
    said = site("logs", "--site", "--home", home)
    for words in ("run changed: task summarization (000000000000) is not approved", "site task diff summarization",
                  "run 99.0: asked by kommunbench 99.0, and this site has", "run 0.0.1: asked by kommunbench 0.0.1",
                  "ask the coordinator for", "run second: runs_a_year: 1, and"):  # fmt: skip
        assert words in said


def codes_of(run: TestRun, node: int, spec: RunSpec) -> set[Code]:
    """Every code in the reply to a request for the base models' numbers."""
    request = Request(spec=spec, cells=base_cells(spec))
    message = run.ask(node, write_request(request, {}))
    assert message is not None
    reply = read_reply(message)
    slots = unpack(request, reply.values, reply.codes, reply.cost)
    return {unpack_status(reply.status)[0], *(code for _, code, _ in slots)}


def test_a_worker_that_is_killed_comes_back(home: Path) -> None:
    state = json.loads((home / "run" / "node.json").read_bytes())
    worker = psutil.Process(state["children"]["worker"])
    assert not [c for c in worker.net_connections() if c.family.name != "AF_UNIX"]
    worker.kill()
    wait_for(lambda: json.loads((home / "run" / "node.json").read_bytes())["children"]["worker"] != worker.pid, 90)


def test_a_second_node_on_the_same_folder_is_refused(home: Path) -> None:
    assert "runs already" in site("start", "--home", home, fails=7)


@pytest.mark.parametrize(
    ("state", "days", "words"),
    [("expired", -1, "the coordinator's certificate has expired"),
     ("untrusted", 1, "does not have the certificate of the invitation")],
)  # fmt: skip
def test_a_certificate_that_is_no_good_is_told_in_a_sentence(state: str, days: float, words: str) -> None:
    """A real SuperNode before a server that has expired, or that somebody else's authority vouches for."""
    with tempfile.TemporaryDirectory() as folder, served_with_tls(Path(folder), days) as address:
        authority = Path(folder, "ca.pem")
        if state == "untrusted":
            (Path(folder) / "other").mkdir()
            make_certificates(Path(folder) / "other")
            authority = Path(folder, "other", "ca.pem")
        home = SiteHome(Path(folder, "site"))
        make_site(home, {}, Path("data"), 1)
        home.ca.write_bytes(authority.read_bytes())
        node_key(home)
        write_private(home.running / EXECUTOR_FILE, b"0" * 32)
        with home.node_log.open("wb") as log:
            command = [sys.executable, "-m", supernode.__name__, str(home.path), address, str(free_ports(1)[0])]
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=clean_environment(home.running / "flwr"), stdin=subprocess.DEVNULL
            )
        try:
            wait_for(lambda: read_connection(home, 0).state == state, 90)
        finally:
            process.kill()
            process.wait()
        assert words in read_connection(home, 0).what
        assert read_connection(home, 0).do


@contextmanager
def served_with_tls(folder: Path, days: float) -> Iterator[str]:
    """The address of a server that has a certificate of the authority in `folder`."""
    make_certificates(folder, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"localhost:{server.server_address[1]}"
    server.shutdown()


def site_json(command: str, home: Path) -> str:
    """A command's JSON, whatever its exit code."""
    done = subprocess.run(
        [KOMMUNBENCH, "site", command, "--json", "--home", home],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def hostile_bundle(mark: Path) -> bytes:
    """A bundle that shadows kommunbench: importing anything of it leaves a mark."""
    evil, hostile = f"open({str(mark)!r}, 'w').close()\n", io.BytesIO()
    ours = zipfile.ZipFile(io.BytesIO(bundle()))
    with zipfile.ZipFile(hostile, "w") as archive:
        for name in ours.namelist():
            archive.writestr(name, ours.read(name))
        for name in ("__init__.py", "federation/__init__.py", "federation/client_app.py"):
            archive.writestr(f"kommunbench/{name}", evil)
    return hostile.getvalue()


class Watch:
    """Every connection that a node and its children make, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.node, self.seen, self.inner_port = psutil.Process(pid), set[tuple[int, str, int]](), 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._end.wait(0.1):
            for process in (self.node, *self.node.children(recursive=True)):
                for connection in process.net_connections("inet"):
                    if connection.status == psutil.CONN_LISTEN:
                        assert connection.laddr.ip == "127.0.0.1"
                        self.inner_port = connection.laddr.port
                    elif connection.raddr:
                        self.seen.add((connection.laddr.port, connection.raddr.ip, connection.raddr.port))

    @property
    def outbound(self) -> set[tuple[str, int]]:
        """Where connections went that were made here; the inner port's accepted ends are not such."""
        return {(host, port) for own, host, port in self.seen if own != self.inner_port}

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
