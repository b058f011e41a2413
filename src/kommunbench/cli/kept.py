"""`kommunbench site inventory|purge|registrations`: what a site keeps, until when, of which data, and how it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kommunbench.core.errors import ConfigError, Fault
from kommunbench.core.task import load_task, task_names
from kommunbench.release import Identity, Ledger, NoPolicyError, read_policy
from kommunbench.site.data import read_examples
from kommunbench.site.files import SUFFIXES
from kommunbench.site.home import SiteHome
from kommunbench.site.kept import (
    KeptFile,
    Place,
    inventory,
    of_registration,
    of_run,
    older_than,
    purge,
    trained_on,
    trim_log,
)
from kommunbench.site.registrations import Registration, Registrations

console = Console(soft_wrap=True)
Home = Annotated[Path, typer.Option("--home", help="The site's own folder.")]
LedgerFile = Annotated[Path | None, typer.Option("--ledger", help="The site's ledger; by default in --home.")]
Data = Annotated[Path | None, typer.Option("--data", help="The site's examples; by default node.yaml's folder.")]
Language = Annotated[Literal["sv", "en"], typer.Option("--language", help="Language of what is printed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
HERE = Path()


def add_kept(app: typer.Typer) -> None:
    """Add the commands to `kommunbench site`."""
    app.command("inventory")(show_inventory)
    app.command("purge")(purge_files)
    app.command("registrations")(show_registrations)


def need_folder(folder: Path, do: str = "name the site's own folder with --home") -> None:
    """Raises ConfigError where there is no such folder."""
    if not folder.is_dir():
        raise ConfigError(Fault("no such folder", str(folder), do))


def place_of(home: Path, ledger: Path | None, data: Path | None) -> Place:
    """Where the site keeps things. Raises ConfigError where there is no such folder, or its node.yaml is broken."""
    need_folder(home)
    site = SiteHome(home)
    folder = data or (site.path / site.settings().data if site.node.is_file() else home / "data")
    return Place(home, ledger or home / "ledger.jsonl", folder if folder.is_dir() else None)


def show_inventory(
    home: Home = HERE, ledger: LedgerFile = None, data: Data = None, language: Language = "sv", as_json: AsJson = False
) -> None:
    """Every file that the site keeps: what for, whether there is text of examples in it, its mode, and until when.

    Example: kommunbench site inventory --home /srv/kommunbench --data /srv/kommunbench/data
    """
    files = inventory(place_of(home, ledger, data), _retention_days(home))
    if as_json:
        typer.echo(json.dumps([each.as_json() for each in files], ensure_ascii=False, indent=1))
        return
    heads = {
        "sv": ("fil", "ändamål", "text", "läge", "byte", "gallras"),
        "en": ("file", "purpose", "text", "mode", "bytes", "goes"),
    }
    words = {"yes": ("ja", "yes"), "no": ("nej", "no"), "unknown": ("okänt", "unknown")}
    table = Table(*heads[language], box=SIMPLE_HEAD, pad_edge=False)
    table.columns[0].overflow = "fold"
    for each in files:
        path = each.path.relative_to(home.resolve()) if each.path.is_relative_to(home.resolve()) else each.path
        mode = f"{each.mode:04o}" + (" !" if each.loose else "")
        text = words[each.kind.text][language == "en"]
        cells = (path, getattr(each.kind, language), text, mode, each.size, each.expires or "–")
        table.add_row(*map(str, cells), style="red" if each.loose else None)
    console.print(table)


def purge_files(
    home: Home = HERE,
    ledger: LedgerFile = None,
    run: Annotated[str, typer.Option("--run", help="What is kept of this run.")] = "",
    registration: Annotated[
        str,
        typer.Option("--registration", help="What is kept of this data set, by the first digits of its registration."),
    ] = "",
    older: Annotated[int | None, typer.Option("--older-than", min=0, help="What is older than so many days.")] = None,
    by: Annotated[str, typer.Option(help="Who purges; it goes into the ledger.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what is kept of runs. The ledger stays whole and gets a line; policy, key and examples are never touched.

    Example: kommunbench site purge --older-than 90 --dry-run --home /srv/kommunbench
    """
    if bool(run) + bool(registration) + (older is not None) != 1:
        raise ConfigError(Fault("say what to purge", "purge", "one of --run, --registration, --older-than"))
    place = place_of(home, ledger, None)
    why = f"run {run}"
    if registration:
        registration = _whole(place, registration)
        files, why = of_registration(place, registration), f"registration {registration}"
    elif older is not None:
        files, why = older_than(place, older), f"older-than {older}"
    else:
        files = of_run(place, run)
    lines = 0
    if not dry_run:
        files = purge(place, files, why, by)
        lines = trim_log(home, older) if older is not None else 0
    _print_purged(files, lines, dry_run, as_json)


def _print_purged(files: list[KeptFile], lines: int, dry_run: bool, as_json: bool) -> None:
    if as_json:
        found = {"dry_run": dry_run, "files": [each.as_json() for each in files], "log_lines": lines}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for each in files:
        console.print(f"{'would remove' if dry_run else 'removed'} {each.path}", markup=False, highlight=False)
    size = sum(each.size for each in files)
    console.print(
        f"{len(files)} files, {size} bytes, {lines} lines of the log{'; nothing was removed' if dry_run else ''}"
    )


def show_registrations(
    home: Home = HERE, ledger: LedgerFile = None, data: Data = None, as_json: AsJson = False
) -> None:
    """The data sets that numbers were made of, what was withdrawn since, and the adapters trained on each.

    With the data at hand, each old registration is held against what is there now. Nothing is written.

    Example: kommunbench site registrations --home /srv/kommunbench --data /srv/kommunbench/data
    """
    place = place_of(home, ledger, data)
    known = Registrations(home, Identity.of(home))
    now = _now(place, known)
    entries = Ledger(place.ledger).entries()
    rows: list[dict[str, Any]] = []
    for each in known.all():
        marks = set(now[each.task].marks) if each.task in now else None
        rows.append(
            {
                "registration": each.registration, "task": each.task, "made": each.made, "rows": each.rows,
                "splits": each.splits,
                "current": each.task in now and now[each.task].registration == each.registration,
                "withdrawn": None if marks is None else len(set(each.marks) - marks),
                "added": None if marks is None else len(marks - set(each.marks)),
                "trained": list(trained_on(entries, each.registration)),
            }
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    table = Table("registration", "task", "first used", "rows", "now", "withdrawn", "added", "trained on it")
    for row in rows:
        trained = ", ".join(f"{one['run']} {one['round']}{' (left)' if one['left'] else ''}" for one in row["trained"])
        changes = ("–" if row[name] is None else str(row[name]) for name in ("withdrawn", "added"))
        table.add_row(row["registration"][:12], row["task"], row["made"][:10], str(row["rows"]),
                      "yes" if row["current"] else "no", *changes, trained or "–")  # fmt: skip
    console.print(table if rows else "no data set has been used yet")


def _now(place: Place, known: Registrations) -> dict[str, Registration]:
    """What the data that is there now would be registered as, by task."""
    found: dict[str, Registration] = {}
    for path in sorted(place.data.iterdir()) if place.data is not None else ():
        if path.suffix in SUFFIXES and path.stem in task_names():
            data = read_examples(path, load_task(path.stem), place.home.resolve().name)
            if len(data):
                found[path.stem] = known.of(data)
    return found


def _retention_days(home: Path) -> int:
    """The policy's; 0 where there is no policy that can be read, and then nothing works here anyway."""
    try:
        return read_policy(home / "site.yaml").retention_days
    except NoPolicyError:
        return 0


def _whole(place: Place, digits: str) -> str:
    """The registration that begins so. Raises ConfigError where none or several do."""
    known = Registrations(place.home, Identity.of(place.home)).all()
    found = [each.registration for each in known if each.registration.startswith(digits)]
    if len(found) != 1:
        what = "no registration begins so" if not found else "several registrations begin so"
        raise ConfigError(Fault(what, digits, "see `kommunbench site registrations`"))
    return found[0]
