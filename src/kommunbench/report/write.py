"""Write what people look at beside a run's releases."""

from __future__ import annotations

from pathlib import Path

from kommunbench.report.build import build_report, report_json
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import Report


def write_report(folder: RunFolder) -> Report:
    """Build the report and write report.json, report.md, report.sv.md and figures/*.svg into the run's folder.

    Raises:
        DataError: the folder is no run.
        TaskError: a task of the run is no longer to be found.
        ConfigError: a metric of the run is no longer registered.
    """
    report = build_report(folder)
    folder.write("report.json", report_json(report))
    return report


def read_report(path: Path) -> Report:
    """A report as it was written to `path` (report.json)."""
    return Report.model_validate_json(path.read_text(encoding="utf-8"))
