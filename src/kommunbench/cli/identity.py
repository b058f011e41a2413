"""`kommunbench site identity` and `site peers`: the key that other sites know this one by, and those that it knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kommunbench.core.errors import ConfigError, Fault, FederationError, PolicyError
from kommunbench.release.identity import Identity
from kommunbench.release.peers import PEERS, read_peers

console = Console(soft_wrap=True, highlight=False)
Home = Annotated[
    Path, typer.Option("--home", envvar="KOMMUNBENCH_SITE", help="The site's folder; by default the current one.")
]


def add_identity(app: typer.Typer) -> None:
    """Register the commands of this module."""
    app.command("identity")(identity)
    app.command("peers")(peers)


def identity(
    home: Annotated[Path, typer.Argument(help="The site's own folder, which has its site.yaml.")],
    name: Annotated[
        str, typer.Option(help="The name that the site is registered under; after `site join` it is known.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the site's line for other sites' peers.yaml, and whom this site knows. Makes its key where it has none.

    Masked sums (privacy=secagg) take keys only from sites that stand in the site's own peers.yaml. Exchange the lines
    with the other sites yourselves, or take them from a list with `kommunbench site peers`; compare digits by phone.

    Example: kommunbench site identity /srv/kommunbench --name lovvik
    """
    from kommunbench.site.peers import read_aloud

    if not home.is_dir():
        raise PolicyError(Fault("no such folder", str(home), "name the folder that has the site's site.yaml"))
    name = name or _registered(home)
    public, known = Identity.of(home).public, dict(read_peers(home))
    digits = read_aloud(name, public)
    if as_json:
        typer.echo(json.dumps({"name": name, "key": public, "read_aloud": digits, "peers": known}, ensure_ascii=False))
        return
    typer.echo(f"{name}: {public}")
    own = "is among them" if known.get(name) == public else "is not: `kommunbench site peers LIST` puts it there"
    typer.echo(f"# Read to others who compare it: {digits}", err=True)
    typer.echo(f"# {home / PEERS} knows {len(known)} sites; this one {own}", err=True)


def peers(
    listed: Annotated[Path, typer.Argument(metavar="LIST", help="What `kommunbench coordinator peers` printed.")],
    home: Home = Path(),
    name: Annotated[str, typer.Option(help="This site's name; after `site join` it is known.")] = "",
    heard: Annotated[
        list[str] | None, typer.Option(help="NAME=DIGITS as that site read them; can be repeated, and asks nothing.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; takes what was --heard.")] = False,
) -> None:
    """Take other sites' keys from a list into this site's peers.yaml, each once its digits were compared by phone.

    Call each site at a number that you know and let it read its digits (`kommunbench site identity` there). The
    coordinator made the list and is not asked: it could have put its own keys in. Whom you leave out stays a stranger.

    Example: kommunbench site peers peers-list.yaml --home /srv/kommunbench
    """
    from kommunbench.site.peers import is_same, read_aloud, read_list, take

    found, known, own = read_list(listed), dict(read_peers(home)), Identity.of(home).public
    name = name or _registered(home)
    if name in found and found[name].key != own:
        do = "use nothing of it, and tell the coordinator: it has another key for this site"
        raise FederationError(Fault("the list has another key for this very site", f"{listed}: {name}", do))
    told = _told(heard or [], tuple(found))
    wrong = [site for site, digits in told.items() if not is_same(digits, site, found[site].key)]
    FederationError.raise_if(
        Fault(
            "its owner reads other digits than this key gives",
            f"{listed}: {site}",
            "do not take it: somebody may have put another key in",
        )
        for site in wrong
    )
    compared = {name: own} | {site: found[site].key for site in told}
    for site, each in found.items():
        if heard or as_json or site == name or known.get(site) == each.key:
            continue
        before = "  (peers.yaml has another key for it)" if site in known else ""
        console.print(f"{site}  {each.title}{before}\n    {read_aloud(site, each.key)}", markup=False)
        if typer.confirm("Did they read these digits to you?", default=False):
            compared[site] = each.key
    after = take(home, compared)
    missing = [site for site in found if after.get(site) != found[site].key]
    if as_json:
        typer.echo(json.dumps({"peers": dict(after), "not_taken": missing}, ensure_ascii=False))
        return
    console.print(f"{home / PEERS} knows {len(after)} sites", markup=False)
    if missing:
        console.print(f"Not taken, and no part of masked sums with this site: {', '.join(missing)}", markup=False)


def _told(heard: list[str], names: tuple[str, ...]) -> dict[str, str]:
    """NAME=DIGITS by name. Raises ConfigError with every word that is not, or names nobody in the list."""
    told = {site.strip(): digits for site, equals, digits in (word.partition("=") for word in heard) if equals}
    ConfigError.raise_if(Fault("not NAME=DIGITS", word) for word in heard if "=" not in word)
    ConfigError.raise_if(Fault(f"no site {site!r} in the list", "--heard") for site in told if site not in names)
    return told


def _registered(home: Path) -> str:
    """The name in the invitation that was accepted. Raises ConfigError where there is none."""
    from kommunbench.federation.deployment.invitation import read_invitation
    from kommunbench.site.home import SiteHome

    place = SiteHome(home)
    if not place.invitation.is_file():
        raise ConfigError(Fault("the site's name is not known before `site join`", str(home), "say it: --name NAME"))
    return read_invitation(place.invitation).site
