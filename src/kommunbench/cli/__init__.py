"""The command line: coordinator, site, tasks. Each command's module is imported when it is called."""

from __future__ import annotations

import gc
import importlib
import sys
from typing import Any

import click
from typing_extensions import override

from kommunbench import __version__
from kommunbench.core.errors import INTERRUPTED_EXIT_CODE, KommunbenchError

OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Of Python's search for garbage, by default 700. Imports make hundreds of thousands of objects that all stay: looking
through them again and again was a sixth of a command's time."""
COMMANDS = {
    "run": ("kommunbench.cli.run:run", "Evaluate models at every site, fine-tune one together, compare. The main job."),
    "runs": ("kommunbench.cli.runs:app", "Runs that exist: list them, watch one, stop one, go on with one."),
    "report": ("kommunbench.cli.report:report", "Print a run's report again."),
    "verify": ("kommunbench.cli.verify:verify", "Was anything of a run changed, taken away or moved? Works offline."),
    "evidence": ("kommunbench.cli.evidence:evidence", "A bundle in Swedish for a data-protection officer, as PDF."),
    "compare": ("kommunbench.cli.report:compare", "Put runs side by side."),
    "dashboard": ("kommunbench.cli.dashboard:app", "Open MLflow on the results."),
    "tasks": ("kommunbench.cli.tasks:app", "What is asked, and how an answer is measured."),
    "site": ("kommunbench.cli.site:app", "At a site: is its data right, what has left, what waits for a yes."),
    "coordinator": ("kommunbench.cli.coordinator:app", "Coordinate a real federation: its server, its sites."),
    "model": ("kommunbench.cli.model:app", "Models: list them, make the built-in one anew."),
    "synth": ("kommunbench.cli.synth:synth", "Write a synthetic federation to disk."),
}
"""name: (where it is, one line of help). The help is here so that `kommunbench --help` imports none of them."""


class Commands(click.Group):
    """A group whose commands are imported when they are needed."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and give the command of that name."""
        if name not in COMMANDS:
            return None
        where, _, attribute = COMMANDS[name][0].partition(":")
        found: Any = getattr(importlib.import_module(where), attribute)
        if isinstance(found, click.Command):
            return found
        from typer.main import get_command

        return get_command(found)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


EPILOG = """\b
Examples
  kommunbench run                            the main job, on synthetic data
  kommunbench run federation=folder federation.path=DIR
  kommunbench dashboard                      look at the results
  kommunbench tasks list                     what is measured

Exit codes: 0 done, 2 settings, 3 data, 4 task, 5 model, 6 policy, 7 federation, 8 tracking, 130 interrupted."""


@click.command(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Language models in Swedish municipalities and regions, compared: text stays at each site, counts travel.",
)
@click.version_option(__version__, prog_name="kommunbench")
def cli() -> None:
    """The group itself does nothing."""


def main() -> None:
    """Run the command line; what the user can mend is shown as sentences, not as a traceback."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        code = cli(standalone_mode=False)  # what a command that raises Exit ends with is given back here
    except KommunbenchError as error:
        for fault in error.faults:
            print(f"kommunbench: {fault}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        print("kommunbench: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED_EXIT_CODE)
    if isinstance(code, int):
        sys.exit(code)
