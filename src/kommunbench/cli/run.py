"""`kommunbench run`: Hydra's words in, a run and its report out."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from kommunbench.core.errors import (
    INTERRUPTED_EXIT_CODE,
    ConfigError,
    Fault,
    FederationError,
    KommunbenchError,
    TrackingError,
)

if TYPE_CHECKING:
    from kommunbench.config.settings import Settings
    from kommunbench.federation.plan import Plan
    from kommunbench.report.record import RunFolder
    from kommunbench.tracking import RunStatus

console = Console()


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def run(words: tuple[str, ...]) -> None:
    """Hydra owns the words after `kommunbench run`."""
    from kommunbench.config.hydra import run_hydra

    def job(settings: Settings, resolved: str) -> None:
        from kommunbench.cli.compose import earlier_folders, make_plan
        from kommunbench.cli.start_from import begin_from
        from kommunbench.report.earlier import carry_over
        from kommunbench.report.record import RunFolder

        folder = RunFolder(settings.folder)
        if (folder.path / "spec.json").is_file():
            do = f"choose another name=..., or `kommunbench runs resume {folder.path}`"
            raise ConfigError(Fault(f"{folder.path} is a run already", "name", do))
        plan = make_plan(settings)
        if settings.dry_run:
            rehearse(settings, plan)
            return
        folder.write_info(plan.info)
        begin_from(settings, plan)
        carry_over(folder, plan.info, earlier_folders(settings))
        folder.write("plan.json", plan.model_dump_json(indent=1))
        folder.write("config.yaml", resolved)
        if settings.detach:
            detach(folder.path)
            return
        conduct(settings, plan)

    run_hydra(list(words), job)


def rehearse(settings: Settings, plan: Plan) -> None:
    """Say what the run would ask of whom and what they hold for it, and leave nothing behind."""
    from kommunbench.cli.preview import preview

    try:
        preview(settings, plan, console)
    finally:
        with suppress(OSError):  # Hydra made the folder; something else in it stays
            settings.folder.rmdir()
            settings.results.rmdir()


def detach(folder: Path) -> None:
    """Conduct the run in `folder` in a process of its own that outlives this one and the terminal."""
    with (folder / "run.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "kommunbench", "runs", "resume", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    console.print(f"{folder.name} runs on as process {process.pid}; what it prints is in {folder / 'run.log'}")
    console.print(f"kommunbench runs watch {folder}     how it goes")
    console.print(f"kommunbench runs cancel {folder}    stop it; `runs resume` goes on")


def conduct(settings: Settings, plan: Plan) -> None:
    """Run `plan` on its engine while showing how it goes, then make and log the report whatever happened.

    Raises:
        SystemExit: with 130 after Ctrl-C.
        KommunbenchError: the run could not be finished; what there is has been written.
    """
    from kommunbench.cli.compose import make_sites, node_config
    from kommunbench.cli.hold import holding
    from kommunbench.cli.progress import Peak, watching
    from kommunbench.federation.engines import opened_engine
    from kommunbench.federation.progress import Events
    from kommunbench.report.record import RunFolder
    from kommunbench.report.write import load_libraries
    from kommunbench.tracking.machine import watching_machine

    logging.getLogger("flwr").setLevel(logging.ERROR)
    folder = RunFolder(settings.folder)
    started, interrupted, failure = time.monotonic(), False, None
    machine = watching_machine(folder.path, settings.tracking.enabled)
    peak, watch = Peak(), watching(folder.path, console)
    with holding(folder.path):
        try:
            nodes = [node_config(site) for site in make_sites(settings)]
            with opened_engine(settings.engine, nodes) as run_plan, peak, machine, watch:
                threading.Thread(target=load_libraries, args=(len(nodes),), daemon=True).start()
                run_plan(plan)
        except KeyboardInterrupt:
            interrupted = True
        except KommunbenchError as error:
            failure = error
        except OSError as error:
            failure = _unwritten(folder.path, error)
        if interrupted or failure:
            with suppress(OSError):
                Events(folder.path).say("stopped")
    try:
        show(settings, folder, "KILLED" if interrupted else "FAILED" if failure else "FINISHED")
    except OSError as error:
        failure = failure or _unwritten(folder.path, error)
    console.print(f"\n{time.monotonic() - started:.0f} s, peak memory {peak.gibibytes:.1f} GiB over all processes")
    if interrupted:
        console.print(f"Stopped. Go on with: kommunbench runs resume {folder.path}", soft_wrap=True)
        sys.exit(INTERRUPTED_EXIT_CODE)
    if failure:
        raise failure


def _unwritten(folder: Path, error: OSError) -> KommunbenchError:
    """A disk that is full, or a folder that cannot be written: what came in before is there."""
    do = f"make room or mend it, then `kommunbench runs resume {folder}`"
    return FederationError(Fault(f"cannot go on: {error.strerror or type(error).__name__}", str(folder), do))


def show(settings: Settings, folder: RunFolder, status: RunStatus) -> None:
    """Write the report, log it, print the leaderboard and say where everything is."""
    from kommunbench.cli.compose import tracking_of
    from kommunbench.report.terminal import print_leaderboard
    from kommunbench.report.write import write_report
    from kommunbench.tracking import log_run

    report = write_report(folder)
    print_leaderboard(report, console)
    console.print(f"\nReport     {folder.path / 'report.html'} (as text: report.md, report.sv.md)", soft_wrap=True)
    if settings.tracking.enabled:
        began = time.monotonic()
        try:
            log_run(folder, tracking_of(settings), status)
        except TrackingError as error:
            console.print(f"Dashboard  not logged: {error}", markup=False)
        else:
            where = tracking_of(settings).uri or f"kommunbench dashboard --results {settings.results}"
            console.print(f"Dashboard  {where} (logged in {time.monotonic() - began:.1f} s)", soft_wrap=True)
