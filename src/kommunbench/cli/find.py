"""Where a run is that was named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.registry import did_you_mean
from kommunbench.report.record import RunFolder

Results = Annotated[Path, typer.Option(help="The folder that runs are kept in.")]


def find_run(run: str, results: Path = Path("results")) -> RunFolder:
    """The folder of a run, given as a path or by name.

    Raises:
        DataError: there is no such run; the message offers the nearest name.
    """
    for path in (Path(run), results / run):
        if (path / "spec.json").is_file():
            return RunFolder(path)
    names = tuple(folder.name for folder in all_runs(results))
    raise DataError(Fault(f"no run {run!r} in {results}", do=did_you_mean(run, names)))


def all_runs(results: Path) -> list[RunFolder]:
    """Every run in the folder, by name."""
    return [RunFolder(path.parent) for path in sorted(results.glob("*/spec.json"))]
