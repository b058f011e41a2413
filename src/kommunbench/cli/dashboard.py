"""`kommunbench dashboard`: MLflow on the results folder, until Ctrl-C."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kommunbench.core.errors import ConfigError, Fault, TrackingError

if TYPE_CHECKING:
    from kommunbench.tracking.server import Server

FIRST_PORT = 5000
PORTS = 50
PATIENCE = 90.0
"""Seconds to wait for MLflow to answer; it imports for some six on a small machine."""

app = typer.Typer()


@app.command(
    epilog="Example: kommunbench dashboard --results results --port 5001",
)
def dashboard(
    results: Annotated[Path, typer.Option(help="The folder with the runs.")] = Path("results"),
    host: Annotated[str, typer.Option(help="Address to listen on. Beyond this machine a password is needed.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port; 0 takes the first free one from 5000.", min=0, max=65535)] = 0,
    allowed_hosts: Annotated[
        str, typer.Option(help="Names that browsers may call it by, with commas, such as `mlflow.example.org`.")
    ] = "",
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Open MLflow on the results: runs, curves, comparisons, reports, the trained adapter. Ctrl-C ends it."""
    from kommunbench.core.addresses import from_here, is_loopback
    from kommunbench.tracking.server import prepare_server, runs_page

    page = runs_page(results)
    port = free_port(host, port)
    server = prepare_server(results, host, port, page, allowed_hosts)
    address = from_here(host)
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}/"
    log = results / "dashboard.log"
    print("Starting MLflow ...", flush=True)
    with suppress(KeyboardInterrupt), serving(server, log) as process:
        wait_until_ready(process, address, port, log)
        print(f"The dashboard is at {url}", flush=True)
        if not is_loopback(host):
            print("It asks for name and password. Put TLS in front of it before it leaves your own network.")
        print("Ctrl-C ends it.", flush=True)
        if open_browser:
            webbrowser.open(url)
        process.wait()
        raise TrackingError(Fault("MLflow stopped by itself", str(log), "read what it says there"))
    print("\nThe dashboard has ended.")


def free_port(host: str, port: int) -> int:
    """`port` itself, or the first free one from 5000 where it is 0.

    Raises:
        ConfigError: it is taken, or `host` is no address of this machine.
    """
    for candidate in [port] if port else range(FIRST_PORT, FIRST_PORT + PORTS):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except socket.gaierror:
                raise ConfigError(Fault(f"{host!r} is no address of this machine", "--host")) from None
            except OSError:
                continue
            return candidate
    what = f"port {port} is taken" if port else f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1} are taken"
    raise ConfigError(Fault(f"{what} on {host}", "--port", "choose another, or leave --port out to take a free one"))


@contextmanager
def serving(server: Server, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The running server; its whole process group is gone afterwards, whatever happened inside. Ctrl-C ends it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command,
            env=server.environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            yield process
        finally:
            signal.signal(signal.SIGTERM, before)
            _end(process)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return


def wait_until_ready(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    """Return when the server answers.

    Raises:
        TrackingError: it stopped, or says nothing for too long.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(host, port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise TrackingError(Fault("MLflow did not start", str(log), "read what it says there"))
