"""`kommunbench coordinator`: set a federation up, run its server, let sites in and take them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kommunbench.core.digests import spoken
from kommunbench.core.errors import Fault, FederationError
from kommunbench.federation.deployment.certificates import WARN_DAYS, days_left, lasts, remedy
from kommunbench.federation.deployment.folder import EVERYWHERE, CoordinatorFolder
from kommunbench.federation.deployment.invitation import certificate_fingerprint
from kommunbench.federation.deployment.roster import Kind, Member, Roster

HELP = "Coordinate a real federation: set it up, run its server, let sites in and take them out."
app = typer.Typer(no_args_is_help=True, help=HELP)
console = Console(soft_wrap=True, highlight=False)
Dir = Annotated[Path, typer.Option("--dir", help="The coordinator's folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
DEFAULT = Path("coordinator")


@app.command()
def init(
    federation: Annotated[str, typer.Option(help="The federation's name: a-z, 0-9, -.")] = "",
    name: Annotated[str, typer.Option(help="Your organisation, as sites know it.")] = "",
    address: Annotated[str, typer.Option(help="host:port that sites call.")] = "",
    folder: Dir = DEFAULT,
    listen: Annotated[str, typer.Option(help="Address of this machine that the front listens on.")] = EVERYWHERE,
    port: Annotated[int, typer.Option(help="Port that the front listens on; by default that of --address.")] = 0,
    superlink_port: Annotated[int, typer.Option(help="Port of the SuperLink, on loopback.")] = 9400,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow, on loopback.")] = 9401,
    mlflow: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="MLflow beside it.")] = True,
) -> None:
    """Make the coordinator's folder: an authority of its own, certificates, secrets, and settings to read through.

    Example: kommunbench coordinator init --federation norr --name "Region Norr" --address kb.regionnorr.example:8443
    """
    from kommunbench.federation.deployment.folder import read_raw
    from kommunbench.federation.deployment.invitation import split_address
    from kommunbench.federation.deployment.setup import make_folder

    federation = federation or typer.prompt("Name of the federation (a-z, 0-9, -)")
    name = name or typer.prompt("Who coordinates it, as sites know you")
    address = address or typer.prompt("Address that sites call (host:port)")
    try:
        port = port or split_address(address)[1]
    except ValueError as error:
        raise FederationError(Fault(str(error), "--address", "such as kommunbench.example.se:8443")) from None
    raw = {
        "federation": federation,
        "coordinator": name,
        "address": address,
        "front": {"host": listen, "port": port},
        "superlink": {"port": superlink_port},
        "mlflow": {"port": mlflow_port, "enabled": mlflow},
    }
    made = make_folder(folder, read_raw(raw, "init"))
    console.print(f"Made {made.path} with an authority of its own.")
    console.print("Its fingerprint, to be read aloud to sites:")
    console.print(f"\n    {authority(made)}\n")
    console.print("Keep a copy of keys/ where only you can read it: without ca.key no certificate can be renewed.")
    console.print(f"Next: kommunbench coordinator start{_dir(folder)}")


@app.command()
def start(
    folder: Dir = DEFAULT,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and end with Ctrl-C or SIGTERM: for systemd.")
    ] = False,
) -> None:
    """Start SuperLink, front and MLflow, and keep them running.

    Example: kommunbench coordinator start
    """
    from kommunbench.federation.deployment import service

    made = CoordinatorFolder(folder)
    if foreground:
        service.supervise(made)
        return
    console.print("Starting ...")
    service.start(made)
    for row in service.status(made):
        console.print(f"{row['name']:<10} {row['state']} at {row['address']}")
    console.print(f"Sites call {made.settings.address}. Next: kommunbench coordinator invite NAME{_dir(folder)}")


@app.command()
def stop(folder: Dir = DEFAULT) -> None:
    """Stop them. Runs that are under way can be resumed after the next start.

    Example: kommunbench coordinator stop
    """
    from kommunbench.federation.deployment import service

    made = CoordinatorFolder(folder)
    made.check()
    stopped = service.stop(made)
    console.print(f"Stopped {', '.join(stopped)}." if stopped else "Nothing was running.")


@app.command()
def status(folder: Dir = DEFAULT, as_json: Json = False) -> None:
    """What runs, which sites are online, what was refused lately. Exit code 7 where something does not run.

    Example: kommunbench coordinator status --json
    """
    found = overview(CoordinatorFolder(folder))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        _print_status(found)
    if any(row["state"] != "running" for row in found["processes"]):
        raise typer.Exit(FederationError.exit_code)


def overview(folder: CoordinatorFolder) -> dict[str, Any]:
    """What `status --json` prints; fields are only ever added."""
    from kommunbench.federation.deployment import service
    from kommunbench.federation.deployment.superlink import SuperLink, site_nodes

    settings, roster = folder.settings, Roster(folder.roster_path)
    processes = service.status(folder)
    online: dict[str, str] = {}
    if any(row["name"] == "superlink" and row["state"] == "running" for row in processes):
        try:
            online = {name: node.status for name, node in site_nodes(SuperLink(folder).nodes(), roster).items()}
        except FederationError:
            online = {}
    return {
        "schema_version": 1,
        "federation": settings.federation,
        "coordinator": settings.coordinator,
        "address": settings.address,
        "fingerprint": authority(folder),
        "mlflow": folder.mlflow_uri,
        "processes": processes,
        "sites": [
            {
                "name": member.name,
                "title": member.title,
                "kind": member.kind,
                "standing": member.standing,
                "node": online.get(member.name, "unknown" if member.standing == "approved" else ""),
                "fingerprint": spoken(member.fingerprint) if member.fingerprint else "",
                "kommunbench": member.kommunbench,
                "changed_at": member.changed_at,
            }
            for member in roster.members().values()
        ],
        "certificates": {
            name: round(days_left(folder.keys / f"{name}.pem"), 1) for name in ("ca", "server", "loopback")
        },
        "refused": recent_refusals(folder),
    }


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="The site's name in every report: a-z, 0-9, -.")],
    folder: Dir = DEFAULT,
    title: Annotated[str, typer.Option(help="As people call it, such as `Härnösands kommun`.")] = "",
    kind: Annotated[Kind, typer.Option(help="What it is.")] = "municipality",
    trains: Annotated[bool, typer.Option("--trains/--no-training", help="Whether it is asked to train.")] = True,
) -> None:
    """Write the invitation to send to a site: address, authority, versions. It has no secret.

    Example: kommunbench coordinator invite harnosand --title "Härnösands kommun"
    """
    from pydantic import ValidationError

    from kommunbench.federation.deployment.setup import write_invitation

    made = CoordinatorFolder(folder)
    made.check()
    try:
        member = Member(name=name, title=title or name, kind=kind, trains=trains)
    except ValidationError:
        raise FederationError(Fault("not a name", name, "letters a-z, digits, `-`, `_` and `.`")) from None
    Roster(made.roster_path).invite(member)
    path = write_invitation(made, member)
    console.print(f"Send {path} to {escape(member.title)}; there they run `kommunbench site join {path.name}`.")
    console.print("They will ask you on the phone for this fingerprint:")
    console.print(f"\n    {authority(made)}\n")
    console.print(f"When their request is here: kommunbench coordinator approve REQUEST{_dir(folder)}")


@app.command()
def approve(
    request: Annotated[Path, typer.Argument(help="The file that the site sent back.")],
    folder: Dir = DEFAULT,
    fingerprint: Annotated[
        str, typer.Option(help="What the site read aloud; without it you are asked to compare.")
    ] = "",
) -> None:
    """Let a site in, once its keys' fingerprint has been compared on the phone.

    Example: kommunbench coordinator approve harnosand-request.yaml
    """
    from kommunbench.federation.deployment.invitation import (
        check_request,
        read_invitation,
        read_request,
        version_faults,
    )
    from kommunbench.federation.deployment.setup import invitation_path

    made, asked = CoordinatorFolder(folder), read_request(request)
    roster = Roster(made.roster_path)
    member = roster.member(asked.site)
    check_request(asked, read_invitation(invitation_path(made, member.name)))
    console.print(f"{escape(member.title)} ({member.name}) asks to join with these keys:\n\n    {asked.spoken}\n")
    if fingerprint:
        if "".join(fingerprint.split()).lower() != asked.spoken.replace(" ", ""):
            do = "do not approve: somebody may have put another file in its place; ask the site to send it again"
            raise FederationError(Fault("the fingerprint is another one", str(request), do))
    elif not typer.confirm("Call them on a number that you know. Do they read the same?"):
        do = "somebody may have put another file in its place: ask the site to send its request by another way"
        raise FederationError(Fault(f"{member.name} was not let in", str(request), do))
    roster.approve(asked)
    for fault in version_faults(asked):
        console.print(f"Note: {escape(str(fault))}")
    console.print(f"{member.name} may take part." + ("" if _follow(made) else " It is let in at the next start."))


@app.command()
def peers(folder: Dir = DEFAULT) -> None:
    """Print the approved sites with the keys that they sign with: a list for `kommunbench site peers`.

    Sites need each other's keys for masked sums (privacy=secagg). The list saves them typing; each site compares every
    key with its owner by phone, since nobody is to take the coordinator's word for it.

    Example: kommunbench coordinator peers
    """
    made = CoordinatorFolder(folder)
    made.check()
    members = Roster(made.roster_path).approved().values()
    listed = {member.name: {"title": member.title, "key": member.signing_key} for member in members}
    typer.echo("# Not to be trusted as it is: `kommunbench site peers FILE` compares each key with its owner's words.")
    typer.echo(yaml.safe_dump(listed, sort_keys=False, allow_unicode=True, width=1000), nl=False)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The site's name.")], folder: Dir = DEFAULT) -> None:
    """Take a site out at once. What it has answered stays in the reports of runs that it was part of.

    Example: kommunbench coordinator remove harnosand
    """
    made = CoordinatorFolder(folder)
    made.check()
    member = Roster(made.roster_path).remove(name)
    _follow(made)
    console.print(f"{escape(member.title)} is out: its key is refused from now on.")


@app.command()
def renew(
    folder: Dir = DEFAULT,
    days: Annotated[float | None, typer.Option(help="How long it shall last; by default 397 days.")] = None,
) -> None:
    """Make the server's certificates anew, and nginx.conf. Sites need nothing new; restart to use them.

    Example: kommunbench coordinator renew
    """
    from kommunbench.federation.deployment import setup

    made = CoordinatorFolder(folder)
    setup.renew(made, days)
    left = days_left(made.keys / "server.pem")
    console.print(f"Good for {left:.0f} days. Use them: kommunbench coordinator stop{_dir(folder)}, then start.")
    if not made.settings.front.enabled:
        console.print("And let nginx read its certificate again: nginx -s reload")


@app.command(hidden=True)
def front(folder: Dir = DEFAULT) -> None:
    """The TLS front alone; `start` runs it. Example: kommunbench coordinator front"""
    from kommunbench.federation.deployment.front import serve

    serve(CoordinatorFolder(folder))


def authority(folder: CoordinatorFolder) -> str:
    """The authority's fingerprint as read aloud."""
    return spoken(certificate_fingerprint((folder.keys / "ca.pem").read_text(encoding="utf-8")))


def recent_refusals(folder: CoordinatorFolder, last: int = 1000) -> list[dict[str, Any]]:
    """Who was refused at the front and why, counted over the last lines of its log, the latest first."""
    from kommunbench.federation.deployment.front import REFUSALS

    path = folder.logs / REFUSALS
    lines = path.read_text(encoding="utf-8").splitlines()[-last:] if path.is_file() else []
    counts: dict[tuple[str, str, str], dict[str, Any]] = {}
    for line in map(json.loads, lines):
        key = (line["reason"], line["site"], line["from"])
        known = counts.get(key, {"times": 0})
        counts[key] = {**line, "times": known["times"] + 1}
    return sorted(counts.values(), key=lambda found: found["time"], reverse=True)[:20]


def _follow(folder: CoordinatorFolder) -> bool:
    """Tell a running SuperLink of the roster; whether it was told. One that starts anew is told by who starts it."""
    from kommunbench.federation.deployment import service
    from kommunbench.federation.deployment.superlink import SuperLink

    if not any(name == "superlink" for name, _ in service.alive(folder)):
        return False
    try:
        SuperLink(folder).follow(Roster(folder.roster_path))
    except FederationError as error:
        console.print(f"Note: {escape(str(error))}")
        return False
    return True


def _print_status(found: dict[str, Any]) -> None:
    from kommunbench.federation.deployment.front import REMEDIES

    console.print(
        f"{escape(found['federation'])}, coordinated by {escape(found['coordinator'])}, at {found['address']}"
    )
    console.print(f"Authority  {found['fingerprint']}")
    for row in found["processes"]:
        console.print(
            f"{row['name']:<10} {row['state']:<8} {row['address']}" + (f"  pid {row['pid']}" if row["pid"] else "")
        )
    table = Table("site", "title", "standing", "node", "since", box=SIMPLE_HEAD, pad_edge=False)
    for site in found["sites"]:
        table.add_row(site["name"], escape(site["title"]), site["standing"], site["node"], site["changed_at"][:16])
    console.print(table if found["sites"] else "No site was invited yet: kommunbench coordinator invite NAME")
    for name, days in found["certificates"].items():
        if days < WARN_DAYS:
            console.print(f"The certificate {name} {lasts(days)}: {remedy(name)}")
    for line in found["refused"][:5]:
        who, how_often = (
            f"{line['site']} from {line['from']}".strip(),
            f"{line['times']} times, last {line['time'][:19]}",
        )
        console.print(f"Refused {how_often}: {line['reason']} ({escape(who)}). To do: {REMEDIES[line['reason']]}.")


def _dir(folder: Path) -> str:
    return "" if folder == DEFAULT else f" --dir {folder}"
