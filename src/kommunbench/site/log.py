"""The site's own log: what went wrong and where, never a word of an example.

An exception's message may quote the text that it failed on, so only its type and its place in the code are written,
unless our own code raised it: our faults never quote an example. Another package's model can raise our exceptions too,
with a message of its own making. The file stays at the site, readable by its owner alone.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kommunbench.core.errors import KommunbenchError
from kommunbench.core.folders import PACKAGE

LOG = "site.log"
log = logging.getLogger("kommunbench")


class _OwnFile(logging.FileHandler):
    """A log whose disk is full says so in a sentence; logging's own way prints the line, its arguments and a trace."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        print(f"kommunbench: {self.baseFilename} cannot be written; is the disk full?", file=sys.stderr)


@contextmanager
def logging_to(home: Path) -> Iterator[None]:
    """Write kommunbench's log lines to `home`/site.log while the body runs, and nowhere else."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / LOG
    path.touch(mode=0o600)
    handler = _OwnFile(path, encoding="utf-8")
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
    """Log what failed: with its message where kommunbench's own code states it, else its type and place alone."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name != "raise_if"][:-4:-1]
    own = bool(frames) and Path(frames[0].filename).is_relative_to(PACKAGE)
    if own and isinstance(error, KommunbenchError):
        log.error("%s: %s", what, error)
        return
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames)
    log.error("%s: %s at %s", what, type(error).__name__, places)
