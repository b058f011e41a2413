"""`kommunbench site init|join|start|stop|status|logs`: a site's folder and its node, from the first day."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from kommunbench.core.errors import ConfigError, Fault, FederationError
from kommunbench.site.home import SiteHome
from kommunbench.site.node_state import read_connection

console = Console(soft_wrap=True, highlight=False)
Home = Annotated[
    Path, typer.Option("--home", envvar="KOMMUNBENCH_SITE", help="The site's folder; by default the current one.")
]
HERE = Path()
CONNECTED_WITHIN_S = 20.0
"""How long `start` waits to tell whether the coordinator answers; the node goes on trying after that."""
EMPTY = {"node.log": "the node has not been started yet", "site.log": "nothing was refused, and nothing failed"}
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of sentences.")]


def add_node(app: typer.Typer) -> None:
    """Add the commands to `kommunbench site`."""
    for command in (init, join, start, stop, status, logs):
        app.command()(command)


def init(
    folder: Annotated[Path, typer.Argument(help="The site's own folder; made, for its owner alone.")],
    data: Annotated[Path, typer.Option(help="Where <task>.jsonl, .csv or .parquet are.")] = Path("data"),
    threads: Annotated[int, typer.Option(help="CPU threads for models; 0: all.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A line of the policy: setting=value. Can be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; what is not set gets its default.")] = False,
) -> None:
    """Make a site's folder: its policy with every setting explained, its settings, its keys. Nothing is sent anywhere.

    Asks what matters most, with the careful answer as default. An existing policy is never overwritten.

    Example: kommunbench site init /srv/kommunbench --yes --set training=allow
    """
    from kommunbench.site.setup import QUESTIONS, make_site

    home = SiteHome(folder)
    chosen = _settings(set_ or [])
    if not yes:
        for question in QUESTIONS:
            if question.setting not in chosen:
                console.print(f"\n{question.sv}\n{question.en}", style="dim")
                chosen[question.setting] = typer.prompt(question.setting, default=question.default)
    made = make_site(home, chosen, data, threads)
    console.print(f"{home.path}: " + ", ".join(made), markup=False)
    console.print(
        f"Go through {home.policy.name} line by line. Then: kommunbench site join INVITATION --home {home.path}",
        markup=False,
    )


def _settings(words: list[str]) -> dict[str, str]:
    faults = [Fault("not setting=value", word) for word in words if "=" not in word]
    ConfigError.raise_if(faults)
    return {name.strip(): value.strip() for name, _, value in (word.partition("=") for word in words)}


def join(
    invitation: Annotated[Path, typer.Argument(help="The file that the coordinator sent.")],
    home: Home = HERE,
    as_json: AsJson = False,
) -> None:
    """Accept an invitation: check it, keep it, and write request.yaml to send back. No private key leaves.

    Read both fingerprints aloud on the telephone, to a number that you know and not one from the invitation's mail.

    Example: kommunbench site join invitation.yaml --home /srv/kommunbench
    """
    from kommunbench.federation.deployment.joining import accept

    joined = accept(SiteHome(home), invitation)
    if as_json:
        typer.echo(json.dumps(joined._asdict(), indent=1))
        return
    for fault in joined.warnings:
        console.print(f"warning: {fault}", style="yellow", markup=False)
    console.print(
        f"coordinator   {joined.coordinator}, {joined.address}\n"
        f"their CA      {joined.ca_spoken}\n"
        f"our keys      {joined.spoken}\n\n"
        f"Telephone the coordinator: they read the first line of digits, you the second.\n"
        f"Send {joined.request} back. When it is approved: kommunbench site start --home {SiteHome(home).path}",
        markup=False,
    )


def start(
    home: Home = HERE,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here, as systemd wants.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the site's node: outbound TLS to the coordinator's address alone, work in a process without network.

    Example: kommunbench site start --home /srv/kommunbench
    """
    from kommunbench.federation.deployment.invitation import read_invitation
    from kommunbench.federation.deployment.node import run_node, start_node
    from kommunbench.release import read_policy

    place = joined(home)
    read_policy(place.policy)
    invitation = read_invitation(place.invitation)
    FederationError.raise_if(place.socket_faults())
    if foreground:
        run_node(place, invitation)
        return
    state = start_node(place)
    end = time.monotonic() + CONNECTED_WITHIN_S
    while time.monotonic() < end and read_connection(place, state["log_from"]).state == "connecting":
        time.sleep(0.1)
    found = _status(place)
    _show(found, as_json)
    if found["connection"] != "connected" and not as_json:
        console.print(f"{found['connection']}: {found['what']} ({found['do']})", markup=False)


def stop(home: Home = HERE) -> None:
    """Stop the node. What was being worked on is called off; nothing half done leaves.

    Example: kommunbench site stop --home /srv/kommunbench
    """
    from kommunbench.federation.deployment.node import stop_node

    place = SiteHome(home)
    place.settings()
    console.print("stopped" if stop_node(place) else "was not running")


def status(home: Home = HERE, as_json: AsJson = False) -> None:
    """Is the node running, connected, without network where it works? Exit code 7 when it is not connected.

    Example: kommunbench site status --json
    """
    found = _status(joined(home))
    _show(found, as_json)
    if found["connection"] != "connected":
        raise FederationError(Fault(found["what"], found["connection"], found["do"]))


def logs(
    home: Home = HERE,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 40,
    site_only: Annotated[bool, typer.Option("--site", help="Only the site's own log: refusals and failures.")] = False,
) -> None:
    """The last lines of the node's log and of the site's. Neither ever quotes an example.

    Example: kommunbench site logs -n 100
    """
    place = SiteHome(home)
    place.settings()
    for path in (place.site_log,) if site_only else (place.node_log, place.site_log):
        console.print(f"== {path}", style="bold", markup=False)
        found = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
        for line in found[-lines:] or [EMPTY[path.name]]:
            typer.echo(line)


def joined(home: Path) -> SiteHome:
    """The site's folder. Raises ConfigError where there is none or it has joined nobody."""
    place = SiteHome(home)
    place.settings()
    if not place.invitation.is_file():
        do = f"kommunbench site join INVITATION --home {place.path}"
        raise ConfigError(Fault("this site has joined no federation", str(place.path), do))
    return place


def _status(place: SiteHome) -> dict[str, Any]:
    from kommunbench.federation.deployment.node import read_state

    state = read_state(place)
    found: dict[str, Any] = {"site": state.get("site", ""), "running": state["running"], "home": str(place.path)}
    if not state["running"]:
        do = f"kommunbench site start --home {place.path}"
        return found | {"connection": "stopped", "what": "the node is not running", "do": do}
    connection = read_connection(place, state["log_from"])
    network = place.running / "worker.network"
    found |= {name: state[name] for name in ("pid", "started_at", "address", "kommunbench")}
    found["worker_network"] = network.read_text(encoding="ascii") if network.is_file() else "starting"
    return found | {"connection": connection.state, "what": connection.what, "do": connection.do}


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
        return
    if found["running"]:
        console.print(
            f"{found['site']}: running since {found['started_at']}, process {found['pid']}, {found['address']}\n"
            f"worker's network: {found['worker_network']}",
            markup=False,
        )
    if found["connection"] == "connected":
        console.print(found["what"], markup=False)
