"""`kommunbench site preview|approve|deny|ledger`: what a person at the site sees and decides before anything leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from kommunbench.cli.kept import need_folder
from kommunbench.core.errors import Fault, PolicyError
from kommunbench.release import Identity, Ledger, verify
from kommunbench.release.approval import Approvals
from kommunbench.release.identity import FILE as IDENTITY
from kommunbench.release.preview import preview_page

console = Console()
Home = Annotated[Path, typer.Option("--home", help="The site's own folder.")]
LedgerFile = Annotated[
    Path | None, typer.Option("--ledger", help="The site's ledger, with what waits beside it; by default in --home.")
]
Digest = Annotated[str, typer.Argument(help="Digest of the bytes, or its first digits, as `site preview` shows it.")]
By = Annotated[str, typer.Option(help="Who decides; it goes into the ledger.")]
HERE = Path()
LEDGER = "ledger.jsonl"


def add_door(app: typer.Typer) -> None:
    """Add the commands to `kommunbench site`."""
    for command in (preview, approve, deny, show_ledger):
        app.command("ledger" if command is show_ledger else command.__name__)(command)


def preview(
    digest: Annotated[str, typer.Argument(help="Show one release; without it, the list of what waits.")] = "",
    home: Home = HERE,
    ledger: LedgerFile = None,
    language: Annotated[Literal["sv", "en"], typer.Option(help="Language of the page.")] = "sv",
) -> None:
    """The exact bytes that would leave, as a page to read. Approval is of their digest.

    Example: kommunbench site preview 5f0c --home /srv/kommunbench
    """
    approvals = _waiting(home, ledger)
    if digest:
        found = _whole(approvals, digest)
        same = [each for each in approvals.all() if each.payload == found]
        waiting = next((each for each in same if each.decision == "waiting"), same[0])
        typer.echo(preview_page(waiting.request, approvals.bytes_of(waiting), language))
        return
    table = Table("digest", "run", "action", "round", "made", "decision", "by")
    for each in approvals.all():
        request = each.request
        made = each.made[:16].replace("T", " ")
        table.add_row(
            each.payload[:12], request.spec.run, request.action, str(request.round), made, each.decision, each.by
        )
    console.print(table if table.row_count else "nothing waits")


def approve(digest: Digest, by: By, home: Home = HERE, ledger: LedgerFile = None) -> None:
    """Say yes: those very bytes leave when the coordinator asks again.

    Example: kommunbench site approve 5f0c --by Berg
    """
    approvals = _waiting(home, ledger)
    decided = approvals.decide(_whole(approvals, digest), "approved", by)
    console.print(f"approved {decided.payload[:12]} by {decided.by}; it leaves when the run asks again", markup=False)


def deny(
    digest: Digest,
    by: By,
    why: Annotated[str, typer.Option(help="For the site's own ledger; it never leaves.")] = "",
    home: Home = HERE,
    ledger: LedgerFile = None,
) -> None:
    """Say no: those bytes never leave, and the coordinator gets a code.

    Example: kommunbench site deny 5f0c --by Berg --why fel-underlag
    """
    approvals = _waiting(home, ledger)
    decided = approvals.decide(_whole(approvals, digest), "denied", by, why)
    console.print(f"denied {decided.payload[:12]} by {decided.by}; nothing of it leaves", markup=False)


def _waiting(home: Path, ledger: Path | None) -> Approvals:
    """What waits beside the ledger. Raises ConfigError where there is no such folder."""
    path = ledger or home / LEDGER
    need_folder(path.parent)
    return Approvals(Ledger(path))


def show_ledger(
    home: Home = HERE,
    ledger: LedgerFile = None,
    check: Annotated[bool, typer.Option("--verify", help="Look for changed, missing or moved lines.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as JSON.")] = False,
) -> None:
    """Everything that has left the site, line by line; with --verify, whether anyone has touched the ledger.

    Example: kommunbench site ledger --verify --home /srv/kommunbench
    """
    ledger = ledger or home / LEDGER
    if not ledger.is_file():
        do = "nothing has left yet, or name the site's folder with --home"
        raise PolicyError(Fault("no ledger", str(ledger.absolute()), do))
    if check:
        key = ledger.with_name(IDENTITY)
        found = verify(ledger, Identity.of(ledger.parent).public if key.is_file() else "")
        where = [Fault(f"{finding.kind}: {finding.what}", f"{ledger}:{finding.line}") for finding in found]
        PolicyError.raise_if(where)
        entries = Ledger(ledger).entries()
        signed = sum("receipt" in entry for entry in entries)
        console.print(f"{len(entries)} lines, whole and in order; {signed} receipts, all signed and about their lines")
        return
    entries = Ledger(ledger).entries()
    if as_json:
        typer.echo(json.dumps(entries, ensure_ascii=False, indent=1))
        return
    table = Table("no", "time", "run", "what", "released", "withheld", "bytes", "by")
    for entry in entries:
        done = f"purged {entry['purged']} files" if "purged" in entry else ""
        done = "statistics for a stand-in" if "statistics" in entry else done
        what = str(entry.get("decision") or done or f"{entry.get('action')} {entry.get('round')}")
        withheld = ", ".join(f"{count} {code}" for code, count in entry.get("withheld", {}).items())
        cells = (entry["number"], entry["time"][:16].replace("T", " "), entry.get("run", ""), what,
                 entry.get("released", ""), withheld, entry.get("bytes", ""), _who(entry))  # fmt: skip
        table.add_row(*map(str, cells))
    console.print(table)


def _who(entry: Mapping[str, Any]) -> str:
    """Who decided, and why where that was said."""
    by, why = entry.get("by") or entry.get("approved_by") or "", entry.get("why")
    return f"{by}: {why}" if why else str(by)


def _whole(approvals: Approvals, digest: str) -> str:
    """The digest that begins so. Raises PolicyError where none or several do."""
    found = sorted({each.payload for each in approvals.all() if each.payload.startswith(digest)})
    if len(found) != 1:
        what = "nothing with that digest waits" if not found else "several digests begin so"
        raise PolicyError(Fault(what, digest, "see `kommunbench site preview`"))
    return found[0]
