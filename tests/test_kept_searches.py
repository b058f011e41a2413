"""A search that was answered is answered from memory until somebody writes to the store, and only for who may ask."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from kommunbench.tracking.kept_searches import LONGEST_QUESTION, MOST_ANSWERS, SEARCH, KeptSearches, Start


class Counting:
    """Answers with how often it was asked, and with what; refuses the host `elsewhere`."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        self.asked.append(environ["wsgi.input"].read())
        allowed = environ["HTTP_HOST"] != "elsewhere"
        start_response("200 OK" if allowed else "403 FORBIDDEN", [("Content-Type", "application/json")])
        return [str(len(self.asked)).encode()]


@pytest.fixture
def store(tmp_path: Path) -> sqlite3.Connection:
    """As MLflow's: another connection writes to it, ahead of the file."""
    made = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)
    made.execute("PRAGMA journal_mode=WAL")
    made.execute("CREATE TABLE runs (name TEXT)")
    return made


def ask(server: KeptSearches, question: bytes = b"{}", path: str = SEARCH, **headers: str) -> tuple[str, bytes]:
    told: list[str] = []
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(len(question)),
               "HTTP_HOST": "localhost:5000", "wsgi.input": BytesIO(question), **headers}  # fmt: skip
    body = b"".join(server(environ, lambda status, _: told.append(status)))
    return told[0], body


def test_the_same_question_is_answered_from_memory_until_somebody_writes(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    server = KeptSearches(Counting(), tmp_path / "mlflow.db")
    assert [ask(server) for _ in range(3)] == [("200 OK", b"1")] * 3
    assert ask(server, b'{"filter": ""}') == ("200 OK", b"2")
    store.execute("INSERT INTO runs VALUES ('new')")
    assert [ask(server)[1] for _ in range(2)] == [b"3", b"3"]
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.execute("DELETE FROM runs")
    assert ask(server)[1] == b"4"


def test_who_gives_a_name_and_other_addresses_are_never_answered_from_memory(
    store: sqlite3.Connection, tmp_path: Path
) -> None:
    application = Counting()
    server = KeptSearches(application, tmp_path / "mlflow.db")
    assert [ask(server, HTTP_AUTHORIZATION="Basic x")[1] for _ in range(2)] == [b"1", b"2"]
    assert [ask(server, path="/graphql")[1] for _ in range(2)] == [b"3", b"4"]
    long = b" " * (LONGEST_QUESTION + 1)
    assert [ask(server, long)[1] for _ in range(2)] == [b"5", b"6"]
    assert application.asked[-1] == long
    assert not server.kept


def test_what_is_refused_to_another_host_stays_refused(store: sqlite3.Connection, tmp_path: Path) -> None:
    server = KeptSearches(Counting(), tmp_path / "mlflow.db")
    assert ask(server) == ("200 OK", b"1")
    assert ask(server, HTTP_HOST="elsewhere") == ("403 FORBIDDEN", b"2")
    assert ask(server, HTTP_ORIGIN="http://elsewhere") == ("200 OK", b"3")
    assert ask(server, HTTP_HOST="elsewhere") == ("403 FORBIDDEN", b"4")
    assert ask(server) == ("200 OK", b"1")


def test_only_so_many_answers_are_kept(store: sqlite3.Connection, tmp_path: Path) -> None:
    server = KeptSearches(Counting(), tmp_path / "mlflow.db")
    for number in range(MOST_ANSWERS + 5):
        ask(server, str(number).encode())
    assert len(server.kept) == MOST_ANSWERS
    assert ask(server, b"0")[1] == str(MOST_ANSWERS + 6).encode(), "the oldest went"
