"""MLflow's server on a results folder: how it is started, and when it may be reached from elsewhere."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from kommunbench.core.addresses import is_loopback
from kommunbench.core.errors import ConfigError, DataError, Fault
from kommunbench.tracking.first_page import PAGE_VARIABLE, STORE_VARIABLE, FirstPage, list_of_runs
from kommunbench.tracking.settings import QUIET, TrackingSettings
from kommunbench.tracking.store import find_experiment, latest_tasks

PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"  # noqa: S105
USERS = "mlflow-users.db"


@dataclass(frozen=True, slots=True)
class Server:
    """A server to start: its command line and environment."""

    command: tuple[str, ...]
    environment: dict[str, str]


def runs_page(results: Path) -> FirstPage:
    """The run list logged to last; each run unfolds to its systems.

    Raises:
        DataError: no run has been logged in `results`.
        TrackingError: the store there cannot be opened.
    """
    found, store = None, TrackingSettings().store(results)
    if (results / "mlflow.db").is_file():
        found = find_experiment(store)
    if found is None:
        raise DataError(Fault("no run has been logged here", str(results), "`kommunbench run` makes one"))
    return list_of_runs(found, latest_tasks(store, found))


def prepare_server(results: Path, host: str, port: int, page: FirstPage, allowed_hosts: str = "") -> Server:
    """The server for `results` on `host` and `port`; beyond loopback it asks for name and password.

    Raises:
        ConfigError: `host` can be reached from elsewhere and no password is set.
    """
    environment = {
        **os.environ,
        **QUIET,
        PAGE_VARIABLE: page.text,
        STORE_VARIABLE: str(results.resolve() / "mlflow.db"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", TrackingSettings().store(results)]
    command += ["--artifacts-destination", (results.resolve() / "mlartifacts").as_uri()]
    command += ["--gunicorn-opts", "-c python:kommunbench.tracking.first_page"]
    if allowed_hosts:
        command += ["--allowed-hosts", allowed_hosts]
    if not is_loopback(host):
        command += ["--app-name", "basic-auth"]
        environment |= _authentication(results.resolve(), host)
    return Server(tuple(command), environment)


def _authentication(results: Path, host: str) -> dict[str, str]:
    if "MLFLOW_AUTH_CONFIG_PATH" in os.environ:
        return {"MLFLOW_FLASK_SERVER_SECRET_KEY": _secret()}
    users = results / USERS
    password = os.environ.get(PASSWORD, "")
    if not users.is_file() and len(password) < 12:
        raise ConfigError(
            Fault(
                f"{host} can be reached from other machines, and nobody would be asked for a password",
                "--host",
                f"set {PASSWORD} to at least 12 characters (user `admin`), or leave --host out and use an ssh tunnel",
            )
        )
    settings = results / "mlflow-auth.ini"
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{users}\nadmin_username = admin\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
        encoding="utf-8",
    )
    return {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret()}


def _secret() -> str:
    return os.environ.get("MLFLOW_FLASK_SERVER_SECRET_KEY") or secrets.token_hex(32)
