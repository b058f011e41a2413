"""A site's node: one process that keeps the SuperNode and the worker alive and hands tasks from the one to the other.

    node (this one)  asks the SuperNode for tasks, hands them to the worker; starts both anew if they end
    SuperNode        Flower's; the only one that talks to the coordinator, outbound, TLS, one address
    worker           the only one that reads the site's text; no network
    connector        only where the policy names endpoints: takes the worker's questions to servers on the site's net

`run_node` is what systemd and containers start (`kommunbench site start --foreground`); `start_node` puts the same into
the background. Who holds the lock on run/node.lock is the node, so that a stale file never looks like one.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from kommunbench import __version__
from kommunbench.core.errors import Fault, FederationError
from kommunbench.federation.deployment.invitation import Invitation
from kommunbench.federation.deployment.supernode import EXECUTOR_FILE
from kommunbench.release import read_policy
from kommunbench.site.connector import key_names
from kommunbench.site.home import SiteHome, node_key
from kommunbench.site.private import write_private
from kommunbench.site.processes import clean_environment

PACKAGE = "kommunbench.federation.deployment"
ASK_EVERY_S = 0.2
LONGEST_PAUSE_S = 60.0
READY_S = 120.0
LARGEST_LOG = 10 * 1024 * 1024


@dataclass
class Child:
    """A process that is started anew when it ends, later each time."""

    name: str
    command: list[str]
    ready: tuple[Path, ...] = ()
    """Files that it makes when it is ready; what one before it left is removed when it starts."""
    process: subprocess.Popen[bytes] | None = None
    keeps: tuple[str, ...] = ()
    """Names of the environment that this one alone is given."""
    starts: int = 0
    next_start: float = field(default_factory=time.monotonic)

    def tend(self, environment: dict[str, str], log: IO[bytes]) -> bool:
        """Start it if it is not running and its pause is over. Whether it was started."""
        if (self.process and self.process.poll() is None) or time.monotonic() < self.next_start:
            return False
        own = {name: os.environ[name] for name in self.keeps if name in os.environ}
        for path in self.ready:
            path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            self.command, env=environment | own, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        self.starts += 1
        self.next_start = time.monotonic() + min(2.0 ** min(self.starts, 10), LONGEST_PAUSE_S)
        return True

    def end(self) -> None:
        """Wait until it has stopped, as it was asked to; not for ever."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_node(home: SiteHome, invitation: Invitation) -> None:
    """Be the node until SIGTERM or Ctrl-C.

    Raises:
        FederationError: it runs already, or its folder's name is too long.
    """
    FederationError.raise_if(home.socket_faults())
    home.running.mkdir(exist_ok=True, mode=0o700)
    with _only_one(home), _log(home) as log:
        node_key(home)
        home.ca.write_text(invitation.ca_certificate, encoding="ascii")
        secret = secrets.token_bytes(32)
        write_private(home.running / EXECUTOR_FILE, secret, durable=True)
        port = home.settings().port or _free_port()
        children = _children(home, invitation, port)
        environment = clean_environment(home.running / "flwr")
        signal.signal(signal.SIGTERM, _end)
        try:
            for child in children:
                child.tend(environment, log)
            _tell(home, invitation, port, children)
            _work(home, f"127.0.0.1:{port}", secret, children, environment, log)
        except KeyboardInterrupt:
            pass
        finally:
            for child in children:
                if child.process:
                    child.process.terminate()
            for child in children:
                child.end()
            (home.running / EXECUTOR_FILE).unlink(missing_ok=True)


def _children(home: SiteHome, invitation: Invitation, port: int) -> list[Child]:
    python = [sys.executable, "-sP", "-m"]
    children = [
        Child("worker", [*python, f"{PACKAGE}.worker", str(home.path), invitation.site], _readiness(home)),
        Child("supernode", [*python, f"{PACKAGE}.supernode", str(home.path), invitation.address, str(port)]),
    ]
    if read_policy(home.policy).endpoints:
        keeps = key_names(home.site_settings(invitation.site).conf)
        children.append(Child("connector", [*python, "kommunbench.site.connector", str(home.path)], keeps=keeps))
    return children


def _readiness(home: SiteHome) -> tuple[Path, ...]:
    return (home.running / "worker.network", home.socket)


def _is_ready(home: SiteHome) -> bool:
    """Whether the worker takes messages."""
    return all(path.exists() for path in _readiness(home))


def _work(
    home: SiteHome, address: str, secret: bytes, children: list[Child], environment: dict[str, str], log: IO[bytes]
) -> None:
    import httpx

    from kommunbench.federation.deployment.executor import Executor

    executor = Executor(address, secret, home.socket, home.path)
    while True:
        started = [child.tend(environment, log) for child in children]
        if any(started):
            _note_pids(home, children)
        try:
            if _is_ready(home) and executor.take():  # the SuperNode connects long before the worker has its libraries
                continue
        except httpx.HTTPError:
            pass  # the SuperNode is still starting, or starts anew
        time.sleep(ASK_EVERY_S)


def start_node(home: SiteHome) -> dict[str, Any]:
    """Start the node in the background and give its state once its worker is ready.

    Raises:
        FederationError: it ended at once, or its worker was not ready in time.
    """
    if (running := read_state(home))["running"]:
        raise FederationError(Fault("the node runs already", f"process {running['pid']}", "kommunbench site stop"))
    for path in _readiness(home):
        path.unlink(missing_ok=True)
    command = [sys.executable, "-sP", "-m", f"{PACKAGE}.node", str(home.path)]
    with _log(home) as log:
        node = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd="/"
        )
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if node.poll() is not None:
            raise FederationError(Fault("the node ended at once", str(home.node_log), "kommunbench site logs"))
        if _is_ready(home):
            return read_state(home)
        time.sleep(0.1)
    node.terminate()
    raise FederationError(Fault("the worker was not ready in time", str(home.node_log), "kommunbench site logs"))


def stop_node(home: SiteHome, patience_s: float = 30.0) -> bool:
    """Stop the node and all it started. Whether there was one."""
    state = read_state(home)
    if not state["running"]:
        return False
    os.kill(state["pid"], signal.SIGTERM)
    end = time.monotonic() + patience_s
    while read_state(home)["running"]:
        if time.monotonic() > end:
            os.kill(state["pid"], signal.SIGKILL)  # the kernel then ends its children
        time.sleep(0.1)
    return True


def read_state(home: SiteHome) -> dict[str, Any]:
    """What the running node wrote of itself, with `running`."""
    try:
        state: dict[str, Any] = json.loads((home.running / "node.json").read_bytes())
    except (OSError, ValueError):
        state = {}
    return {**state, "running": bool(state) and _is_locked(home)}


def _tell(home: SiteHome, invitation: Invitation, port: int, children: list[Child]) -> None:
    state = {
        "pid": os.getpid(),
        "started_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "site": invitation.site,
        "address": invitation.address,
        "port": port,
        "kommunbench": __version__,
        "log_from": home.node_log.stat().st_size,
        "children": {child.name: child.process.pid for child in children if child.process},
    }
    write_private(home.running / "node.json", json.dumps(state).encode(), durable=True)


def _note_pids(home: SiteHome, children: list[Child]) -> None:
    state = read_state(home) | {"children": {child.name: child.process.pid for child in children if child.process}}
    write_private(home.running / "node.json", json.dumps(state).encode(), durable=True)


@contextmanager
def _only_one(home: SiteHome) -> Iterator[None]:
    with (home.running / "node.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FederationError(Fault("the node runs already", str(home.path), "kommunbench site stop")) from None
        yield


def _is_locked(home: SiteHome) -> bool:
    try:
        with (home.running / "node.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _log(home: SiteHome) -> Iterator[IO[bytes]]:
    """node.log, for its owner alone; the one before it is kept when it has grown large."""
    path = home.node_log
    if path.is_file() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_suffix(".log.1"))
    path.touch(mode=0o600)
    with path.open("ab") as log:
        yield log


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(_number: int, _frame: object) -> None:
    """SIGTERM ends the node; SIGINT during a task may be Flower's, and calls off that task alone."""
    raise SystemExit(0)


def main() -> None:
    """The node in the background."""
    from kommunbench.federation.deployment.invitation import read_invitation

    home = SiteHome(Path(sys.argv[1]))
    run_node(home, read_invitation(home.invitation))


if __name__ == "__main__":
    main()
