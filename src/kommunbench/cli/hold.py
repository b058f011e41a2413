"""One process a run: whoever conducts a run holds its lock, which the system lets go of however the process ends."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from multiprocessing.util import register_after_fork
from pathlib import Path

from kommunbench.core.errors import Fault, FederationError

LOCK = ".lock"


@contextmanager
def holding(run: Path) -> Iterator[None]:
    """Hold the run in `run`. Inside, SIGTERM interrupts as Ctrl-C does, also where a shell had Ctrl-C ignored.

    Raises:
        FederationError: another process holds it.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            do = f"`kommunbench runs watch {run}`, or `kommunbench runs cancel {run}`"
            raise FederationError(Fault(f"is being run by process {holder(run)}", str(run), do)) from None
        register_after_fork(lock, TextIOWrapper.close)  # or a worker would hold it on for a coordinator that was killed
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.default_int_handler)
        yield


def holder(run: Path) -> int | None:
    """The id of the process that holds the run in `run`, or None."""
    path = run / LOCK
    if not path.is_file():
        return None
    with path.open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0) or None
        return None
