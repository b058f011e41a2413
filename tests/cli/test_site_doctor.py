"""`kommunbench site doctor` and `site upgrade`: what a person reads who has just joined."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from deployment.superlink import make_certificates
from json_shapes import FLAG, TEXT, closed, many, one_of
from kommunbench import __version__
from kommunbench.cli.site import app
from kommunbench.core.errors import ConfigError, FederationError
from kommunbench.federation.deployment.invitation import Invitation, certificate_fingerprint, write
from kommunbench.site.home import SiteHome
from kommunbench.site.setup import make_site

FINDINGS = many(closed(check=TEXT, state=one_of("ok", "warn", "fail"), what=TEXT, do=TEXT))
COMPARED = closed(installed=TEXT, federation=TEXT, flwr=TEXT, same=FLAG, checked_only=FLAG)
Say = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    """A site that was made and has joined; nobody answers at the coordinator's address."""
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 1)
    make_certificates(tmp_path)
    pem = (tmp_path / "ca.pem").read_text(encoding="ascii")
    write(home.invitation, Invitation(federation="prov", coordinator="Prov", site="lovvik", title="Lövvik",
                                      address="127.0.0.1:9", ca_certificate=pem,
                                      ca_fingerprint=certificate_fingerprint(pem)))  # fmt: skip
    return home


@pytest.fixture
def say(home: SiteHome) -> Say:
    return lambda *words: CliRunner().invoke(app, [*words, "--home", str(home.path)])


def of_version(home: SiteHome, version: str) -> None:
    """The invitation of a coordinator that has another version."""
    raw = yaml.safe_load(home.invitation.read_text(encoding="utf-8"))
    home.invitation.write_text(yaml.safe_dump(raw | {"kommunbench": version}), encoding="utf-8")


def test_the_doctor_in_json_keeps_its_schema_and_every_trouble_has_something_to_do(say: Say, home: SiteHome) -> None:
    home.node_key.chmod(0o644)
    (home.path / "data" / "ingenting.jsonl").write_text("{}\n", encoding="utf-8")
    done = say("doctor", "--no-rehearse", "--json")
    findings = json.loads(done.stdout)
    jsonschema.validate(findings, FINDINGS)
    assert all(finding["do"] for finding in findings if finding["state"] != "ok")
    failed = {finding["check"]: finding for finding in findings if finding["state"] == "fail"}
    assert failed.keys() == {"keys", "data", "address"}
    assert f"chmod 600 {home.node_key}" in failed["keys"]["do"]
    assert "no task of that name" in failed["data"]["what"]
    assert "let 127.0.0.1 port 9, TCP, out through the firewall" in failed["address"]["do"]
    assert done.exit_code == FederationError.exit_code


def test_the_doctor_prints_a_line_a_check_with_what_to_do_below_it_once(say: Say, home: SiteHome) -> None:
    done = say("doctor", "--no-rehearse")
    said = done.stdout
    assert said.count("does not answer") == 1
    assert said.splitlines()[-1].endswith(" fail: address")
    assert done.exit_code == FederationError.exit_code
    assert "fail address   127.0.0.1:9 does not answer" in said
    assert "\n               -> let 127.0.0.1 port 9, TCP, out through the firewall" in said


def test_logs_that_are_not_there_yet_are_told(say: Say, tmp_path: Path) -> None:
    said = say("logs").stdout
    assert "the node has not been started yet" in said
    assert "nothing was refused, and nothing failed" in said
    nowhere = CliRunner().invoke(app, ["logs", "--home", str(tmp_path / "nowhere")])
    assert "no site's folder" in str(nowhere.exception)


def test_an_upgrade_is_compared_and_told_and_nothing_is_installed(say: Say, home: SiteHome) -> None:
    assert f"kommunbench {__version__}, as the federation runs" in say("upgrade", "--check").stdout
    of_version(home, "99.0")
    done = say("upgrade", "--check")
    assert "with internet:     pip install kommunbench==99.0 -c constraints.txt" in done.stdout
    assert "from a wheelhouse: pip install --no-index --find-links WHEELHOUSE kommunbench==99.0" in done.stdout
    assert f"99.0 there and {__version__} here" in str(done.exception)
    told = json.loads(say("upgrade", "--check", "--json").stdout)
    jsonschema.validate(told, COMPARED)
    assert (told["installed"], told["federation"], told["same"]) == (__version__, "99.0", False)


def test_the_service_files_are_written_where_they_are_asked_for(say: Say, home: SiteHome, tmp_path: Path) -> None:
    done = say("service", str(tmp_path / "out"), "--user", "kommun", "--memory-gib", "4")
    assert done.exit_code == 0, done.output
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"kommunbench-site.service", "Containerfile"}
    unit = (tmp_path / "out" / "kommunbench-site.service").read_text(encoding="utf-8")
    assert {"User=kommun", "MemoryMax=4G", f"ReadWritePaths={home.path}"} <= set(unit.splitlines())
    container = (tmp_path / "out" / "Containerfile").read_text(encoding="utf-8")
    assert f"--no-index --find-links /wheelhouse kommunbench=={__version__} " in container


@pytest.mark.parametrize(
    "words", [("doctor", "--no-rehearse"), ("preview",), ("approve", "5f0c", "--by", "Berg"), ("inventory",)]
)
def test_a_folder_that_is_not_there_is_told(words: tuple[str, ...], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*words, "--home", str(tmp_path / "nowhere")])
    assert isinstance(done.exception, ConfigError)
    assert "no such folder" in str(done.exception)
