"""Is this machine ready to be a site? Each check says what it found and, where it is not well, what to do.

Nothing here leaves the machine; what concerns the coordinator's address is in federation/deployment/reach.py.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from kommunbench.core.endpoints import address_of
from kommunbench.core.errors import KommunbenchError, ModelError, PolicyError
from kommunbench.core.folders import overlay
from kommunbench.core.task import load_task, task_names
from kommunbench.release import ReleasePolicy, read_policy
from kommunbench.site.data import read_examples
from kommunbench.site.files import SUFFIXES
from kommunbench.site.home import SiteHome

GIB = 2**30
LEAST_DISK_GIB, LEAST_MEMORY_GIB = 10, 4
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class Finding(NamedTuple):
    """One line of the doctor's. `state` is stable; `do` is empty where all is well."""

    check: str
    state: Literal["ok", "warn", "fail"]
    what: str
    do: str = ""


def examine(home: SiteHome) -> Iterator[Finding]:
    """Every check of the machine and of the site's own folder, in an order that a person can follow."""
    yield _python()
    yield from _space(home)
    yield _gpu()
    yield _worker_network()
    yield _port(home)
    yield from _keys(home)
    yield from _policy(home)
    yield from _endpoints(home)
    yield from _data(home)


def _python() -> Finding:
    return Finding("python", "ok", ".".join(map(str, sys.version_info[:3])))


def _space(home: SiteHome) -> Iterator[Finding]:
    import psutil

    free = shutil.disk_usage(home.path).free / GIB
    few = free < LEAST_DISK_GIB
    yield Finding("disk", "warn" if few else "ok", f"{free:.0f} GiB free at {home.path}",
                  f"models need room: free {LEAST_DISK_GIB} GiB" if few else "")  # fmt: skip
    memory = psutil.virtual_memory()
    few = memory.total / GIB < LEAST_MEMORY_GIB
    what = f"{memory.total / GIB:.1f} GiB, of which {memory.available / GIB:.1f} free"
    yield Finding("memory", "fail" if few else "ok", what,
                  f"a node needs {LEAST_MEMORY_GIB} GiB, and a model's own size beside it" if few else "")  # fmt: skip


def _gpu() -> Finding:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Finding("gpu", "ok", "none; models run on the processor")
    try:
        asked = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        found = None
    if found is None or found.returncode:
        return Finding("gpu", "warn", "nvidia-smi does not answer", "see to the driver, or the processor is used")
    return Finding("gpu", "ok", "; ".join(found.stdout.strip().splitlines()))


def _worker_network() -> Finding:
    code = "import sys; from kommunbench.site.no_network import give_up_network; sys.exit(not give_up_network())"
    tried = subprocess.run([sys.executable, "-sP", "-c", code], capture_output=True, timeout=60, check=False)
    if tried.returncode == 0:
        return Finding("worker", "ok", "the process that reads the text can give up the network (seccomp)")
    do = "use Linux on x86_64 or aarch64, or let systemd or the container keep the network from it"
    return Finding("worker", "warn", "the process that reads the text keeps its network here", do)


def _port(home: SiteHome) -> Finding:
    port = home.settings().port
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        return Finding(
            "port", "warn", f"{port} on the loopback is taken", "by this node? else set port: 0 in node.yaml"
        )
    return Finding("port", "ok", f"{port or 'any free one'} on the loopback; no port is opened to the outside")


def _keys(home: SiteHome) -> Iterator[Finding]:
    for path in (home.node_key, home.identity_key):
        if not path.is_file():
            yield Finding("keys", "fail", f"{path.name} is not there", f"kommunbench site init {home.path}")
        elif path.stat().st_mode & 0o077:
            yield Finding("keys", "fail", f"others than the owner can read {path.name}", f"chmod 600 {path}")
        elif not os.access(path, os.R_OK):
            yield Finding("keys", "fail", f"{path.name} cannot be read by this user", "start the node as its owner")
        else:
            yield Finding("keys", "ok", f"{path.name}, for its owner alone")


def _policy(home: SiteHome) -> Iterator[Finding]:
    try:
        policy = read_policy(home.policy)
    except PolicyError as error:
        for fault in error.faults:
            yield Finding("policy", "fail", f"{fault.where}: {fault.what}", fault.do)
        return
    told = ", ".join(f"{name}: {getattr(policy, name)}" for name in ("training", "adapters", "results", "min_examples"))
    yield Finding("policy", "ok", told)
    if policy.adapters == "allow":
        default = ReleasePolicy().adapters
        yield Finding("policy", "warn", "trained weights leave without anyone's yes",
                      f"adapters: approve, or {default}, unless the text bears it")  # fmt: skip


def _endpoints(home: SiteHome) -> Iterator[Finding]:
    """Does each server that the policy names lead into its network, and does it take a call? Nothing is sent."""
    try:
        allowed = read_policy(home.policy).endpoints
    except PolicyError:
        return
    for server in allowed:
        try:
            address = address_of(server, allowed)
            socket.create_connection((address, int(server.rpartition(":")[2])), timeout=5).close()
        except ModelError as error:
            yield Finding("endpoint", "fail", error.faults[0].what, error.faults[0].do)
        except OSError:
            yield Finding(
                "endpoint", "warn", f"{server} takes no call", "is it running, and does a firewall stand between?"
            )
        else:
            yield Finding("endpoint", "ok", f"{server} at {address}, within {allowed[server]}")


def _data(home: SiteHome) -> Iterator[Finding]:
    folder: Path = home.path / home.settings().data
    files = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES) if folder.is_dir() else []
    if not files:
        yield Finding("data", "warn", f"no task's file in {folder}", "kommunbench site import FILE --task TASK")
    tasks = (home.tasks, *overlay("tasks"))
    for path in files:
        if path.stem not in task_names(tasks):
            yield Finding("data", "fail", f"{path.name}: no task of that name", "kommunbench tasks list")
            continue
        try:
            data = read_examples(path, load_task(path.stem, tasks), home.path.name)
        except KommunbenchError as error:
            yield Finding("data", "fail", f"{path.name}: {error.faults[0].what}", error.faults[0].do)
            continue
        what = f"{path.name}: {len(data)} examples, {data.skipped} lines left out"
        state: Literal["ok", "warn", "fail"] = "fail" if data.refused else "warn" if data.faults else "ok"
        yield Finding("data", state, what, f"kommunbench site check {folder}" if data.faults else "")
