"""The coordinator's processes: SuperLink, front and MLflow, kept running by one supervisor.

    state/processes.json   who runs: name, process id and when it started
    logs/<name>.log        what each of them says
    logs/coordinator.log   the supervisor

What ends by itself is started again; the SuperLink finds its runs in state/superlink.db and goes on.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil

from kommunbench.core.addresses import LOOPBACK, from_here
from kommunbench.core.errors import Fault, FederationError, KommunbenchError
from kommunbench.federation.deployment.certificates import days_left, lasts, remedy
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.roster import Roster
from kommunbench.tracking.shared_server import shared_server

SUPERVISOR = "coordinator"
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
}
READY_S = 240.0
END_S = 15.0
PAUSES_S = (0.5, 2.0, 10.0, 30.0)
"""Between a process's end and its next start, longer each time; from the beginning after a minute of running."""


@dataclass(slots=True)
class Worker:
    """One process to keep running."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    address: tuple[str, int]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    ends: int = 0
    next_start: float = field(default=0.0)


def workers(folder: CoordinatorFolder) -> Iterator[Worker]:
    """The processes that `folder`'s settings ask for."""
    settings, keys = folder.settings, folder.keys
    environment = {**os.environ, **QUIET, "FLWR_HOME": str(folder.state / "flwr")}
    command = (
        str(Path(sys.executable).with_name("flower-superlink")),
        *("--host", LOOPBACK, "--port", str(settings.superlink.port)),
        *("--ssl-ca-certfile", str(keys / "ca.pem")),
        *("--ssl-certfile", str(keys / "loopback.pem"), "--ssl-keyfile", str(keys / "loopback.key")),
        *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
        *("--isolation", "process", "--superexec-auth-secret-file", str(keys / "superexec.secret")),
        *("--database", str(folder.state / "superlink.db")),
    )
    yield Worker("superlink", command, environment, (LOOPBACK, settings.superlink.port))
    if settings.front.enabled:
        front = (sys.executable, "-m", "kommunbench", "coordinator", "front", "--dir", str(folder.path))
        yield Worker("front", front, environment, (from_here(settings.front.host), settings.front.port))
    if settings.mlflow.enabled:
        mlflow = settings.mlflow
        server = shared_server(folder.state, folder.keys, mlflow.port, mlflow.backend, mlflow.artifacts)
        yield Worker("mlflow", server.command, server.environment, (LOOPBACK, mlflow.port))


def start(folder: CoordinatorFolder) -> None:
    """Start the supervisor in the background, and return when everything answers.

    Raises:
        FederationError: it runs already, a port is taken, a certificate has expired, or something did not start.
    """
    check_startable(folder)
    command = [sys.executable, "-m", "kommunbench", "coordinator", "start", "--foreground", "--dir", str(folder.path)]
    log = folder.logs / f"{SUPERVISOR}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    end = time.monotonic() + READY_S
    while time.monotonic() < end and process.poll() is None:
        if all(found["state"] == "running" for found in status(folder)):
            return
        time.sleep(0.3)
    if process.poll() is None:
        stop(folder)
    late = ", ".join(str(found["name"]) for found in status(folder) if found["state"] != "running")
    raise FederationError(Fault(f"did not start: {late}", str(folder.logs), "read what the logs there say"))


def check_startable(folder: CoordinatorFolder) -> None:
    """Raise FederationError with everything that stands in the way of a start."""
    running = [name for name, _ in alive(folder)]
    if running:
        raise FederationError(
            Fault(
                f"runs already: {', '.join(running)}", str(folder.path), "`kommunbench coordinator status`, or `stop`"
            )
        )
    faults = []
    for name in ("ca", "loopback", *(["server"] if folder.settings.front.enabled else [])):
        path = folder.keys / f"{name}.pem"
        if not path.is_file():
            faults.append(Fault("no such certificate", str(path), "`kommunbench coordinator init` made it"))
        elif (days := days_left(path)) <= 0:
            faults.append(Fault(f"the certificate {lasts(days)}", str(path), remedy(name)))
    for worker in workers(folder):
        if _answers(worker.address):
            do = "end what listens there, or change the port in coordinator.yaml"
            faults.append(Fault(f"port {worker.address[1]} is taken", worker.name, do))
    FederationError.raise_if(faults)


def stop(folder: CoordinatorFolder) -> list[str]:
    """End everything that runs; the names of what did."""
    found = alive(folder)
    found.sort(key=lambda pair: pair[0] != SUPERVISOR)  # first: it would start the others again
    for name, process in found:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            if name == SUPERVISOR:
                process.wait(timeout=END_S + 5)
    _, left = psutil.wait_procs([process for _, process in found], timeout=END_S)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return [name for name, _ in found]


def alive(folder: CoordinatorFolder) -> list[tuple[str, psutil.Process]]:
    """Our processes that run, by name. A process id that now is another process's does not count."""
    path = folder.state / "processes.json"
    found: list[tuple[str, psutil.Process]] = []
    if not path.is_file():
        return found
    for name, known in json.loads(path.read_text(encoding="utf-8")).items():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(known["pid"])
            if abs(process.create_time() - known["created"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                found.append((name, process))
    return found


def status(folder: CoordinatorFolder) -> list[dict[str, object]]:
    """A row a process: name, state (`running`, `starting`, `stopped`), pid, address."""
    running = dict(alive(folder))
    rows: list[dict[str, object]] = []
    for worker in workers(folder):
        process = running.get(worker.name)
        state = "stopped" if process is None else "running" if _answers(worker.address) else "starting"
        address = f"{worker.address[0]}:{worker.address[1]}"
        rows.append({"name": worker.name, "state": state, "pid": process.pid if process else None, "address": address})
    return rows


def supervise(folder: CoordinatorFolder) -> None:
    """Keep every process running until SIGTERM or Ctrl-C; then end them.

    Raises:
        FederationError: as `check_startable`.
    """
    check_startable(folder)
    kept = list(workers(folder))
    ended = False

    def end(_: int, __: FrameType | None) -> None:
        nonlocal ended
        ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    to_follow = True
    try:
        while not ended:
            for worker in kept:
                if worker.process is None or worker.process.poll() is not None:
                    to_follow |= _start_again(folder, worker, kept) and worker.name == "superlink"
            to_follow = to_follow and not _follow(folder)
            time.sleep(0.3)
    finally:
        _end(kept)
        (folder.state / "processes.json").unlink(missing_ok=True)


def _start_again(folder: CoordinatorFolder, worker: Worker, kept: list[Worker]) -> bool:
    """Start a process that does not run, unless it is too early to; whether it was started."""
    now = time.monotonic()
    if worker.process is not None:
        print(f"{worker.name} ended with {worker.process.returncode}", flush=True)
        worker.ends = 0 if now - worker.started_at > 60 else worker.ends + 1
        worker.next_start = now + PAUSES_S[min(worker.ends, len(PAUSES_S) - 1)]
        worker.process = None
    if now < worker.next_start:
        return False
    with (folder.logs / f"{worker.name}.log").open("ab") as output:
        worker.process = subprocess.Popen(
            worker.command,
            env=worker.environment,
            cwd=folder.state,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    worker.started_at = now
    known = {SUPERVISOR: os.getpid()} | {each.name: each.process.pid for each in kept if each.process}
    content = {name: {"pid": pid, "created": psutil.Process(pid).create_time()} for name, pid in known.items()}
    draft = folder.state / ".processes.json"
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    draft.replace(folder.state / "processes.json")
    return True


def _follow(folder: CoordinatorFolder) -> bool:
    """Let the SuperLink's register follow the roster, once it answers; whether that was done."""
    from kommunbench.federation.deployment.superlink import SuperLink

    if not _answers((LOOPBACK, folder.settings.superlink.port)):
        return False
    try:
        SuperLink(folder).follow(Roster(folder.roster_path))
    except KommunbenchError as error:
        print(f"the register does not follow the roster yet: {error}", flush=True)
        return False
    return True


def _end(kept: list[Worker]) -> None:
    running = [worker.process for worker in kept if worker.process is not None and worker.process.poll() is None]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        end = time.monotonic() + END_S
        while time.monotonic() < end and any(process.poll() is None for process in running):
            time.sleep(0.1)
        running = [process for process in running if process.poll() is None]


def _answers(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=2):
        return True
    return False
