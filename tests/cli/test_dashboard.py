"""When the dashboard starts, and when it says why not."""

from __future__ import annotations

import socket
from base64 import b64encode
from http.client import HTTPConnection
from pathlib import Path

import pytest

from kommunbench.cli.dashboard import free_port, serving, wait_until_ready
from kommunbench.core.addresses import is_loopback
from kommunbench.core.errors import ConfigError, DataError
from kommunbench.tracking import TrackingSettings
from kommunbench.tracking.first_page import FirstPage, list_of_runs, with_first_page
from kommunbench.tracking.server import prepare_server, runs_page
from kommunbench.tracking.store import open_store


@pytest.fixture
def taken() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        probe.listen()
        yield probe.getsockname()[1]


def test_a_port_that_is_taken_is_told(taken):
    with pytest.raises(ConfigError, match=f"port {taken} is taken"):
        free_port("127.0.0.1", taken)


def test_without_a_port_the_next_free_one_is_taken(taken, monkeypatch):
    monkeypatch.setattr("kommunbench.cli.dashboard.FIRST_PORT", taken)
    assert taken < free_port("127.0.0.1", 0) < taken + 50


def test_an_address_of_another_machine_is_told():
    with pytest.raises(ConfigError):
        free_port("203.0.113.7", 0)


def test_without_runs_there_is_nothing_to_show(tmp_path):
    with pytest.raises(DataError, match="no run has been logged here"):
        runs_page(tmp_path)
    assert list(tmp_path.iterdir()) == [], "looking makes no store"


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.1.4", False),
        ("ok.se", False),
    ],
)
def test_what_only_this_machine_can_reach(host, alone):
    assert is_loopback(host) is alone


@pytest.mark.parametrize("password", [None, "", "kort"])
def test_beyond_this_machine_a_password_is_needed(tmp_path, monkeypatch, password):
    monkeypatch.delenv("MLFLOW_AUTH_CONFIG_PATH", raising=False)
    monkeypatch.delenv("MLFLOW_AUTH_ADMIN_PASSWORD", raising=False)
    if password is not None:
        monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", password)
    with pytest.raises(ConfigError, match="nobody would be asked for a password"):
        prepare_server(tmp_path, "0.0.0.0", 5000, FirstPage())


def test_with_a_password_mlflow_asks_for_it_and_it_is_written_nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_AUTH_CONFIG_PATH", raising=False)
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", "tolv tecken eller fler")
    server = prepare_server(tmp_path, "0.0.0.0", 5000, FirstPage())
    assert server.command[-2:] == ("--app-name", "basic-auth")
    assert server.environment["MLFLOW_AUTH_CONFIG_PATH"] == str(tmp_path / "mlflow-auth.ini")
    assert all("tolv" not in path.read_text() for path in Path(tmp_path).iterdir())
    assert not [word for word in server.command if "tolv" in word]


def test_the_server_reports_to_nobody(tmp_path):
    server = prepare_server(tmp_path, "127.0.0.1", 5000, FirstPage())
    assert server.environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "basic-auth" not in server.command


def test_only_the_start_page_is_touched_and_its_length_is_right():
    def application(environ, start_response):
        body = b"<html><head></head></html>"
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body))), ("ETag", "x")])
        return [body]

    said: list = []
    serve = with_first_page(application, FirstPage("#/experiments/1/runs", {"columns": "</script>"}))
    page = b"".join(serve({"PATH_INFO": "/", "REQUEST_METHOD": "GET"}, lambda *answer: said.append(answer)))
    assert page.startswith(b"<html><head><script>")
    assert b'location.replace("#/experiments/1/runs")' in page
    assert page.count(b"</script>") == 1, "nothing that is remembered ends the script"
    assert dict(said[0][1]) == {"Content-Type": "text/html", "Content-Length": str(len(page))}
    other = serve({"PATH_INFO": "/health", "REQUEST_METHOD": "GET"}, lambda *answer: said.append(answer))
    assert list(other) == [b"<html><head></head></html>"]


def test_a_page_survives_the_environment():
    page = list_of_runs("7", ["lattlast"])
    assert FirstPage.of(page.text) == page
    assert "/experiments/7/runs" in page.fragment
    assert "primary/lattlast" in next(iter(page.remembers.values()))


@pytest.mark.slow
def test_beyond_this_machine_mlflow_lets_nobody_in_without_the_password(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_AUTH_CONFIG_PATH", raising=False)
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD", "tolv-tecken-eller-fler")
    with open_store(TrackingSettings().store(tmp_path)) as client:
        client.create_experiment("kommunbench/pilot", (tmp_path / "mlartifacts").as_uri())
    port = free_port("0.0.0.0", 0)
    server = prepare_server(tmp_path, "0.0.0.0", port, runs_page(tmp_path))
    with serving(server, tmp_path / "dashboard.log") as process:
        wait_until_ready(process, "127.0.0.1", port, tmp_path / "dashboard.log")
        secret = b64encode(b"admin:tolv-tecken-eller-fler").decode()
        statuses = {}
        for name, headers in {"without": {}, "with": {"Authorization": f"Basic {secret}"}}.items():
            for path in ("/", "/ajax-api/2.0/mlflow/experiments/get?experiment_id=1"):
                connection = HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", path, headers=headers)
                statuses[name, path] = connection.getresponse().status
    assert [status for (name, _), status in statuses.items() if name == "without"] == [401, 401]
    assert [status for (name, _), status in statuses.items() if name == "with"] == [200, 200]
    assert process.poll() is not None
