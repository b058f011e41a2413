"""MLflow beside a coordinator on a real PostgreSQL: passwords, artifacts behind the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deployment.real import free_ports
from fabricate import fabricate
from kommunbench.report.write import write_report
from kommunbench.tracking import TrackingSettings, log_run
from kommunbench.tracking.shared_server import credentials, shared_server

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BIN is None, reason="no PostgreSQL of Debian's here"),
]


@pytest.fixture(scope="module")
def database():
    """An own cluster on a port of its own; initdb refuses to run as root, so then it runs as `postgres`."""
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: pip install kommunbench[postgres]")
    place = Path(tempfile.mkdtemp(prefix="kommunbench-pg-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(place, "postgres")
    (port,) = free_ports(1)
    subprocess.run([*as_user, BIN / "initdb", "-D", place / "data", "-A", "trust", "-U", "mlflow"], check=True,
                   capture_output=True, cwd="/")  # fmt: skip
    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [*as_user, BIN / "pg_ctl", "-D", place / "data", "-w"]
    subprocess.run([*control, "-o", options, "-l", place / "log", "start"], check=True, capture_output=True, cwd="/")
    yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/")
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def served(database, tmp_path_factory):
    place = tmp_path_factory.mktemp("coordinator")
    for name in ("state", "keys"):
        (place / name).mkdir()
    (port,) = free_ports(1)
    server = shared_server(place / "state", place / "keys", port, backend=database)
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(server.command, env=server.environment, cwd=place, stdout=log, stderr=log,
                                   start_new_session=True)  # fmt: skip
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.3)
    yield place, f"http://127.0.0.1:{port}"
    os.killpg(process.pid, 15)
    process.wait()


def test_who_has_no_password_sees_nothing(served):
    _, url = served
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}/api/2.0/mlflow/experiments/search?max_results=1", timeout=60)
    assert refused.value.code == 401


def test_a_run_is_logged_to_postgres_with_its_artifacts_behind_the_server(served, database, tmp_path, monkeypatch):
    import psycopg2

    place, url = served
    for name, value in credentials(place / "keys").items():
        monkeypatch.setenv(name, value)
    folder = fabricate(tmp_path / "results" / "pilot-1")
    write_report(folder)
    log_run(folder, TrackingSettings(uri=url, sites=False, register_adapter=False))
    with psycopg2.connect(database.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from runs where name = 'pilot-1'")
        assert cursor.fetchone() == (1,)
        cursor.execute("select artifact_uri from runs where name = 'pilot-1'")
        assert cursor.fetchone()[0].startswith("mlflow-artifacts:/")
    kept = list((place / "state" / "artifacts").rglob("report.json"))
    assert kept[0].read_bytes() == (folder.path / "report.json").read_bytes()
    assert not list(tmp_path.rglob("mlruns"))
