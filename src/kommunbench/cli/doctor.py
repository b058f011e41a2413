"""`kommunbench site doctor|upgrade|service`: is this site ready, on the right version, and started with the machine?"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kommunbench import __version__
from kommunbench.cli.kept import need_folder
from kommunbench.cli.node import HERE, AsJson, Home, joined
from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.core.spec import Request
from kommunbench.release import unpack, unpack_cost, unpack_status
from kommunbench.report.codes import sentence
from kommunbench.site.doctor import Finding, examine
from kommunbench.site.home import SiteHome

console = Console(soft_wrap=True, highlight=False)
STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}
REHEARSAL = ("strategy=none", "models=[nano]", "tasks=[summarization]", "prompt=[plain]", "tracking=off",
             "max_examples=12")  # fmt: skip


def add_doctor(app: typer.Typer) -> None:
    """Add the commands to `kommunbench site`."""
    app.command()(doctor)
    app.command()(upgrade)
    app.command()(service)


def doctor(
    home: Home = HERE,
    rehearse: Annotated[bool, typer.Option(help="Also run the whole path on synthetic data.")] = True,
    as_json: AsJson = False,
) -> None:
    """Look at machine, folder, policy, data and coordinator, then rehearse. Exit code 7 when anything fails.

    The rehearsal makes synthetic text, runs a small model on it and leads the answer out through the real door with
    the site's own policy, in a folder that is removed afterwards. Nothing is sent.

    Example: kommunbench site doctor --home /srv/kommunbench
    """
    site, findings = SiteHome(home), []
    need_folder(site.path, "kommunbench site init")
    for finding in _examine(site, rehearse):
        findings.append(finding)
        if not as_json:
            console.print(f"[{STYLE[finding.state]}]{finding.state:4}[/] {finding.check:9} ", end="")
            console.print(finding.what + (f"\n{'':15}-> {finding.do}" if finding.do else ""), markup=False)
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in findings], ensure_ascii=False, indent=1))
    failed = [finding.check for finding in findings if finding.state == "fail"]
    if failed and not as_json:
        console.print(f"\n{len(failed)} of {len(findings)} fail: {', '.join(failed)}")
    if failed:
        raise typer.Exit(FederationError.exit_code)


def _examine(home: SiteHome, rehearse: bool) -> Iterator[Finding]:
    from kommunbench.federation.deployment.invitation import read_invitation
    from kommunbench.federation.deployment.reach import examine_coordinator

    yield from examine(home)
    if home.invitation.is_file():
        yield from examine_coordinator(read_invitation(home.invitation))
    else:
        yield Finding("joined", "warn", "no federation yet", "kommunbench site join INVITATION")
    if rehearse:
        yield from rehearsal(home)


def rehearsal(home: SiteHome) -> Iterator[Finding]:
    """The whole path of one message with synthetic text, the site's policy and the real door; what it took.

    The time for the site's own text is the measured time an example times its examples; a larger model takes longer.
    """
    from kommunbench.cli.compose import make_spec
    from kommunbench.config.hydra import compose_settings
    from kommunbench.config.settings import SyntheticFederation
    from kommunbench.federation.plan import base_cells
    from kommunbench.site.answer import answer_request
    from kommunbench.site.settings import SiteSettings

    settings = compose_settings(list(REHEARSAL))
    federation = settings.federation
    if not isinstance(federation, SyntheticFederation):
        return
    name, organisation = next(iter(federation.sites.items()))
    spec = make_spec(settings)
    request = Request(spec=spec, cells=base_cells(spec))
    with tempfile.TemporaryDirectory(prefix="kommunbench-") as folder:
        place = Path(folder)
        with suppress(OSError):  # without a policy the door says so below
            (place / "site.yaml").write_bytes(home.policy.read_bytes())
        rehearsed = SiteSettings(
            name=name,
            home=place,
            source="synthetic",
            organisations=(organisation.model_dump_json(),),
            recipe=settings.synthetic.model_dump_json(),
            threads=home.settings().threads,
        )
        began = time.perf_counter()
        release = answer_request(rehearsed, request, {})
        seconds = time.perf_counter() - began
    cost = unpack_cost(release.cost)
    codes = {code for _, code, _ in unpack(request, release.values, release.codes, release.cost)}
    codes.add(unpack_status(release.status)[0])
    broken = codes & {Code.INTERNAL, Code.MODEL_FAULT, Code.DATA_FAULT, Code.POLICY_BROKEN, Code.POLICY_MISSING}
    told = ", ".join(sorted(sentence(code).en for code in codes))
    do = "kommunbench site logs --site" if broken else ""
    yield Finding(
        "rehearsal", "fail" if broken else "ok", f"the door on {cost.examples} synthetic examples: {told}", do
    )
    if cost.examples:
        each = cost.evaluate_ms / cost.examples / 1000
        yield Finding("time", "ok", f"{each:.2f} s an example with nano ({seconds:.1f} s in all with start-up): "
                                    f"1,000 examples take about {each * 1000 / 60:.0f} minutes")  # fmt: skip


def upgrade(
    home: Home = HERE,
    check: Annotated[bool, typer.Option("--check", help="Only compare; what is installed is never changed.")] = True,
    as_json: AsJson = False,
) -> None:
    """Compare the installed version with the federation's, and say how to install the right one.

    Example: kommunbench site upgrade --check --home /srv/kommunbench
    """
    from kommunbench.federation.deployment.invitation import read_invitation, version_faults

    place = joined(home)
    invitation = read_invitation(place.invitation)
    faults = version_faults(invitation)
    if as_json:
        told = {"installed": __version__, "federation": invitation.kommunbench, "flwr": invitation.flwr}
        typer.echo(json.dumps({**told, "same": not faults, "checked_only": check}, indent=1))
    elif not faults:
        console.print(f"kommunbench {__version__}, as the federation runs", markup=False)
    else:
        console.print(
            f"with internet:     pip install kommunbench=={invitation.kommunbench} -c constraints.txt\n"
            f"from a wheelhouse: pip install --no-index --find-links WHEELHOUSE kommunbench=={invitation.kommunbench}\n"
            f"then, with `--home {place.path}`: kommunbench site stop; kommunbench site doctor; kommunbench site start",
            markup=False,
        )
    FederationError.raise_if(faults)


def service(
    folder: Annotated[Path, typer.Argument(help="Where to write the unit and the Containerfile.")] = HERE,
    user: Annotated[str, typer.Option(help="The system user that the node runs as.")] = "kommunbench",
    memory_gib: Annotated[int, typer.Option(min=2, help="The node may use so much memory.")] = 16,
    home: Home = HERE,
) -> None:
    """Write a hardened systemd unit and a Containerfile for this site; the first lines of each say how to install it.

    Example: kommunbench site service /tmp --home /srv/kommunbench
    """
    from kommunbench.site.service import CONTAINER, UNIT, containerfile, unit

    place = SiteHome(home)
    place.settings()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((UNIT, unit(place, user, memory_gib)), (CONTAINER, containerfile(memory_gib))):
        (folder / name).write_text(text, encoding="utf-8")
        console.print(str(folder / name), markup=False)
