"""Where runs are logged."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


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
