"""Which files of a run's folder are artifacts in MLflow. What is not named here is never opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDERS = {
    "": ("spec.json", "config.yaml", "report.json", "report.md", "report.sv.md", "report.html", "card.md"),
    "figures": ("*.svg", "*.png"),
    "receipts": ("*.jsonl",),
    "evidence": ("evidence.sv.md", "evidence.sv.pdf"),
}
"""Patterns of file names by folder; the folder has the same name among the artifacts."""


def log_files(client: MlflowClient, run_id: str, run: Path, folders: Sequence[str] = tuple(FOLDERS)) -> None:
    """Log what there is of them to the MLflow run; a file that is there already is replaced."""
    for folder in folders:
        for path in sorted(path for pattern in FOLDERS[folder] for path in (run / folder).glob(pattern)):
            client.log_artifact(run_id, str(path), folder or None)
