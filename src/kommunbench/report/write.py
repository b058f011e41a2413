"""Write what people look at beside a run's releases."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from kommunbench.core.errors import DataError, Fault
from kommunbench.report.build import build_report, report_json
from kommunbench.report.card import card
from kommunbench.report.figures import figures
from kommunbench.report.markdown import markdown
from kommunbench.report.page import page
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import Report
from kommunbench.report.statistics import MIN_SITES

LIBRARIES = ("scipy.special", "matplotlib.figure", "matplotlib.backends.backend_svg")
FOR_SEVERAL_SITES = ("statsmodels.stats.meta_analysis", "statsmodels.stats.proportion")


def load_libraries(sites: int) -> None:
    """Import what a report is worked out and drawn with: a second that can be spent while sites work."""
    for name in (*LIBRARIES, *(FOR_SEVERAL_SITES if sites >= MIN_SITES else ())):
        import_module(name)


def write_report(folder: RunFolder) -> Report:
    """Build the report and write it into the run's folder: report.json, report.md, report.sv.md,
    card.md, report.html and figures/*.svg.

    Raises:
        DataError: the folder is no run.
        TaskError: a task of the run is no longer to be found.
        ConfigError: a metric of the run is no longer registered.
    """
    report = build_report(folder)
    for name, text in outputs(report).items():
        folder.write(name, text)
    return report


def outputs(report: Report) -> dict[str, str]:
    """Everything that is written of a report, by its path in the run's folder: the same report, the same text."""
    drawn = figures(report)
    return {
        "report.json": report_json(report),
        "report.md": markdown(report, "en"),
        "report.sv.md": markdown(report, "sv"),
        "card.md": card(report),
        **{f"figures/{name}": svg for name, svg in drawn.items()},
        "report.html": page(report, drawn),
    }


def read_report(path: Path) -> Report:
    """A report as it was written to `path` (report.json).

    Raises:
        DataError: the file is not there.
    """
    if not path.is_file():
        raise DataError(Fault("no report here", str(path), f"`kommunbench report {path.parent.name}` makes one"))
    return Report.model_validate_json(path.read_text(encoding="utf-8"))
