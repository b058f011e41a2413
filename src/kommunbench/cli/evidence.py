"""`kommunbench evidence` and `kommunbench site evidence`: a bundle in Swedish for a data-protection officer to file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from rich.console import Console

from kommunbench.cli.find import Results, find_run
from kommunbench.cli.kept import HERE, Home, LedgerFile, place_of
from kommunbench.core.errors import TrackingError

if TYPE_CHECKING:
    from kommunbench.report.evidence import Bundle
    from kommunbench.report.record import RunFolder

evidence = typer.Typer()
console = Console(soft_wrap=True)
Run = Annotated[str, typer.Argument(help="Name or folder of a run.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write evidence.sv.md and evidence.sv.pdf to.")]


@evidence.command()
def run_evidence(run: Run, results: Results = Path("results"), out: Out = None) -> None:
    """Write what a run's own records show, as Markdown and PDF, with blanks for what no record can know.

    It stands among the run's artifacts in the dashboard too. At a site it is `kommunbench site evidence`, from the
    site's ledger.

    Example: kommunbench evidence pilot-20260301-101500
    """
    from kommunbench.report.evidence import run_bundle

    folder = find_run(run, results)
    _write(run_bundle(folder), out or folder.path / "evidence")
    if out is None:
        _log(folder)


def site_evidence(
    run: Annotated[str, typer.Argument(help="The run's name, as the ledger has it.")],
    home: Home = HERE,
    ledger: LedgerFile = None,
    out: Out = None,
) -> None:
    """Write what left this site to a run, as its own ledger shows it, as Markdown and PDF.

    Example: kommunbench site evidence pilot-20260301-101500 --home /srv/kommunbench
    """
    from kommunbench.release import Identity, NoPolicyError, read_policy
    from kommunbench.report.site_evidence import SiteRecords, site_bundle
    from kommunbench.site.kept import of_run

    place = place_of(home, ledger, None)
    try:
        policy = read_policy(home / "site.yaml")
    except NoPolicyError:
        policy = None
    records = SiteRecords(place.ledger, Identity.of(home).public, policy, of_run(place, run))
    _write(site_bundle(run, records), out or home / "evidence" / run)


def _log(folder: RunFolder) -> None:
    """Put the bundle beside the run's report in MLflow, where the run was logged."""
    from kommunbench.cli.compose import tracking_of
    from kommunbench.config.settings import read_settings
    from kommunbench.tracking import log_evidence

    config = folder.path / "config.yaml"
    if not config.is_file():
        return
    settings = read_settings(yaml.safe_load(config.read_text(encoding="utf-8")))
    try:
        if settings.tracking.enabled and log_evidence(folder, tracking_of(settings)):
            console.print("It is among the run's artifacts in the dashboard too.")
    except TrackingError as error:
        console.print(f"Dashboard  not logged: {error}", markup=False)


def _write(bundle: Bundle, folder: Path) -> None:
    from kommunbench.report.pdf import bundle_markdown, bundle_pdf

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in (
        ("evidence.sv.md", bundle_markdown(bundle).encode()),
        ("evidence.sv.pdf", bundle_pdf(bundle)),
    ):
        path = folder / name
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        console.print(str(path), markup=False, highlight=False)
