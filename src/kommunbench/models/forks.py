"""Work on rows in several one-thread processes, where one process would lose more to its threads than they bring.

A small model's step is hundreds of calls of microseconds: two threads wait for each other at each of them, a process a
core does not. Processes are forked, so the model is in memory once and an adapter that is loaded is there at once;
whoever is free takes the next row.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import warnings
from collections.abc import Callable, Iterator

import torch

from kommunbench.core.errors import ModelError

Work = Callable[[Iterator[int]], Iterator[tuple[int, list[int]]]]
"""Takes the numbers of rows, one when it has room for one, and gives a row's number and its tokens as it ends."""
_NUMBER = struct.Struct("=I")


def can_fork(device: torch.device) -> bool:
    """Whether a process that has used torch on `device` can be forked and go on with it: Linux, and no GPU."""
    return sys.platform.startswith("linux") and device.type == "cpu"


def in_processes(work: Work, rows: int, processes: int) -> Iterator[tuple[int, list[int]]]:
    """Do `work` on the row numbers below `rows`, the first first, in so many processes.

    Raises:
        ModelError: a process ended before its work was done.
    """
    queue, numbers = os.pipe()
    results = [_fork(work, queue, numbers) for _ in range(processes)]
    os.close(queue)
    with os.fdopen(numbers, "wb") as file:
        file.write(b"".join(map(_NUMBER.pack, range(rows))))
    done = []
    for pid, pipe in results:
        with os.fdopen(pipe, "rb") as file:
            text = file.read()
        _, status = os.waitpid(pid, 0)
        done.append(json.loads(text) if not status and text else None)
    for pairs in done:
        if pairs is None:
            raise ModelError("a process that answers prompts ended: out of memory? Fewer threads need less")
        yield from ((number, tokens) for number, tokens in pairs)


def _fork(work: Work, queue: int, numbers: int) -> tuple[int, int]:
    """Start a process; its id and the pipe that its results come through."""
    parent = os.getpid()
    results, out = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses none of theirs
        pid = os.fork()
    if pid:
        os.close(out)
        return pid, results
    code = 1
    try:
        os.close(numbers)  # or the queue would never end
        torch.set_num_threads(1)
        with os.fdopen(out, "wb") as file:
            file.write(json.dumps(list(work(_taken(queue, parent)))).encode())
        code = 0
    finally:
        os._exit(code)


def _taken(queue: int, parent: int) -> Iterator[int]:
    """Row numbers from the queue until it is empty; nothing goes on when the process that asked is gone."""
    while (data := os.read(queue, _NUMBER.size)) and os.getppid() == parent:
        yield _NUMBER.unpack(data)[0]
