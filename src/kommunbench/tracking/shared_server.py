"""MLflow's server beside a coordinator: on loopback, with names and passwords, artifacts behind the server."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from kommunbench.tracking.server import Server
from kommunbench.tracking.settings import QUIET

SECRET = "mlflow.secret"  # noqa: S105
USER = "admin"


def shared_server(state: Path, keys: Path, port: int, backend: str = "", artifacts: str = "") -> Server:
    """The server to start.

    Args:
        state: where SQLite databases and artifacts go that are not elsewhere.
        keys: has `mlflow.secret`, the password of `admin`, made here where it is missing.
        backend: a database URL; empty: SQLite in `state`. Users are kept in SQLite in `state` in either case.
        artifacts: a folder or an object store's URL; empty: `state`/artifacts. Only the server touches it.
    """
    settings = state / "mlflow-auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{state / 'mlflow-users.db'}\n"
        f"admin_username = {USER}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
        encoding="utf-8",
    )
    environment = {
        **os.environ,
        **QUIET,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password(keys),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--app-name", "basic-auth", "--backend-store-uri", backend or f"sqlite:///{state / 'mlflow.db'}",
               "--artifacts-destination", artifacts or (state / "artifacts").as_uri())  # fmt: skip
    return Server(command, environment)


def password(keys: Path) -> str:
    """The password of `admin`, made on first use; only its owner can read the file."""
    path = keys / SECRET
    if not path.is_file():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(handle, secrets.token_urlsafe(24).encode())
        os.close(handle)
    return path.read_text(encoding="utf-8")


def credentials(keys: Path) -> dict[str, str]:
    """What MLflow's client reads name and password from: environment variables, never a configuration."""
    return {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": password(keys)}
