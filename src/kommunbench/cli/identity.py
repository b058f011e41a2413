"""`kommunbench site identity`: the key that other sites know this one by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kommunbench.core.errors import Fault, PolicyError
from kommunbench.release.identity import Identity
from kommunbench.release.peers import PEERS, read_peers


def add_identity(app: typer.Typer) -> None:
    """Register the command of this module."""
    app.command("identity")(identity)


def identity(
    home: Annotated[Path, typer.Argument(help="The site's own folder, which has its site.yaml.")],
    name: Annotated[str, typer.Option(help="The name that the site is registered under.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the site's line for other sites' peers.yaml, and whom this site knows. Makes its key where it has none.

    Masked sums (privacy=secagg) take keys only from sites that stand in the site's own peers.yaml. Exchange the lines
    with the other sites yourselves, read the keys aloud once, and put every site's line, your own too, into the file.

    Example: kommunbench site identity /srv/kommunbench --name lovvik
    """
    if not home.is_dir():
        raise PolicyError(Fault("no such folder", str(home), "name the folder that has the site's site.yaml"))
    public, peers = Identity.of(home).public, dict(read_peers(home))
    if as_json:
        typer.echo(json.dumps({"name": name, "key": public, "peers": peers}, ensure_ascii=False))
        return
    typer.echo(f"{name}: {public}")
    own = "as it should" if peers.get(name) == public else "not with this key: put the line above into it"
    typer.echo(f"# {home / PEERS} knows {len(peers)} sites; this one {own}", err=True)
