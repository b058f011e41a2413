"""`kommunbench verify`: is a run what it was, and are its numbers the ones that the sites signed?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kommunbench.cli.find import Results, find_run
from kommunbench.core.errors import DataError

verify = typer.Typer()
console = Console(soft_wrap=True)
WHOLE = {
    "plain": "Whole: every answer is the one that its site signed, and the report is theirs.",
    "secagg": "Whole: each sum is that of the numbers which its sites signed behind masks, they signed who is in it, "
    "and the report is made of these sums.\nNot seen: what one site put in. Its own ledger has the digest of that "
    "(--ledger). Sums of trained weights are not kept.",
}


@verify.command()
def verify_folder(
    run: Annotated[str, typer.Argument(help="Name or folder of a run.")],
    results: Results = Path("results"),
    ledger: Annotated[list[Path] | None, typer.Option(help="A site's own ledger, to hold against the run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Find any answer, receipt, line or report of a run that was changed, taken away or moved. Works offline.

    Exit code 3 when anything is wrong, with every fault of it.

    Example: kommunbench verify pilot-20260301-101500
    """
    from kommunbench.report.verify import verify_run

    found = verify_run(find_run(run, results), ledger or ())
    if as_json:
        typer.echo(json.dumps({**asdict(found), "whole": not found.faults}, ensure_ascii=False, indent=1))
    else:
        console.print(f"{found.run}: {found.files} files, {found.answers} answers, {found.receipts} receipts")
        for site, key in found.keys.items():
            how = "registered" if site in found.registered else "from its first receipt; compare it with the site's own"
            console.print(f"  {site}  {key[:16]}…  {how}", markup=False, highlight=False)
        for remark in found.remarks:
            console.print(f"  {remark}", markup=False)
        if not found.faults:
            console.print(WHOLE[found.privacy])
    DataError.raise_if(found.faults)
