"""The site's own log: what went wrong and where, never a word of an example.

An exception's message may quote the text that it failed on, so only its type and its place in the code are written. The
file stays at the site, readable by its owner alone.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = "site.log"
log = logging.getLogger("kommunbench")


@contextmanager
def logging_to(home: Path) -> Iterator[None]:
    """Write kommunbench's log lines to `home`/site.log while the body runs, and nowhere else."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / LOG
    path.touch(mode=0o600)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    before, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.propagate = before
        log.removeHandler(handler)
        handler.close()


def log_failure(what: str, error: BaseException) -> None:
    """Log where `error` was raised and of which type, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[:-4:-1]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames)
    log.error("%s: %s at %s", what, type(error).__name__, places)
