"""Searches for runs that were answered before, answered again from memory while nothing in the store has changed.

The run list asks the same at every opening, and with hundreds of runs MLflow reads and writes out its answer for a
quarter of a second. SQLite itself tells whether anybody has written since (`PRAGMA data_version`), so no answer is old.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]
SEARCH = "/ajax-api/2.0/mlflow/runs/search"
MOST_ANSWERS, LONGEST_QUESTION = 16, 2**16


@dataclass(frozen=True, slots=True)
class _Answer:
    version: int
    status: str
    headers: list[tuple[str, str]]
    body: bytes


class KeptSearches:
    """`application` in front of the SQLite store at `store`; every other address passes through.

    Host and origin belong to a question, since MLflow answers some of them alone. Who gives a name and a password is
    passed through: what they may see is written elsewhere.
    """

    def __init__(self, application: Application, store: Path) -> None:
        self.application, self.lock = application, Lock()
        self.store = sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self.kept: dict[tuple[str, str, bytes], _Answer] = {}

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        length = environ.get("CONTENT_LENGTH") or ""
        searches = environ.get("PATH_INFO") == SEARCH and environ.get("REQUEST_METHOD") == "POST"
        if not searches or "HTTP_AUTHORIZATION" in environ or not length.isdigit() or int(length) > LONGEST_QUESTION:
            return self.application(environ, start_response)
        asked = environ["wsgi.input"].read(int(length))
        name = (environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN", ""), asked)
        version = self.version()  # before the answer: what is written meanwhile makes it old
        answer = self.kept.get(name)
        if answer is None or answer.version != version:
            answer = self._ask(environ | {"wsgi.input": BytesIO(asked)}, version)
            if answer.status.startswith("200"):
                while len(self.kept) >= MOST_ANSWERS:
                    self.kept.pop(next(iter(self.kept)), None)
                self.kept[name] = answer
        start_response(answer.status, answer.headers)
        return [answer.body]

    def version(self) -> int:
        """Another number whenever somebody has written to the store."""
        with self.lock:
            return int(self.store.execute("PRAGMA data_version").fetchone()[0])

    def _ask(self, environ: dict[str, Any], version: int) -> _Answer:
        began: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            began[:] = [status, headers]

        parts = self.application(environ, start)
        body = b"".join(parts)
        if hasattr(parts, "close"):
            parts.close()
        return _Answer(version, began[0], began[1], body)
