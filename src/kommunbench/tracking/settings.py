"""Where runs are logged, and what is said to MLflow before it is imported."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # else a pyproject.toml in the working directory is copied beside a model
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # 7 would have a run wait for minutes on a server that is down
}


def keep_quiet() -> None:
    """Set what MLflow reads when it is imported, where the environment does not say otherwise: nothing is sent home."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


class TrackingSettings(BaseModel):
    """Where runs are logged, as conf/tracking/ states it.

    Args:
        enabled: log at all.
        uri: an MLflow server (`https://...`) or a database URL; empty: SQLite in `mlflow.db` beside the run's folder.
        experiment: the MLflow experiment; empty: `kommunbench/<federation>`.
        artifacts: where artifacts go when `uri` is no server; empty: `mlartifacts/` beside the run's folder.
        sites: also a run for each site that lets its own values out, below each system.
        register_adapter: put the trained adapter into the model registry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    enabled: bool = True
    uri: str = ""
    experiment: str = ""
    artifacts: str = ""
    sites: bool = True
    register_adapter: bool = True

    def store(self, results: Path) -> str:
        """The tracking URI for the runs whose folders lie in `results`."""
        return self.uri or f"sqlite:///{results.resolve() / 'mlflow.db'}"

    def artifact_root(self, results: Path) -> str | None:
        """Where a new experiment keeps its artifacts; None where the server decides."""
        if self.uri.startswith(("http://", "https://")):
            return None
        return self.artifacts or (results.resolve() / "mlartifacts").as_uri()
