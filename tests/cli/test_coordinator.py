"""`kommunbench coordinator`: what a person types and reads, without starting anything."""

import json
import os
import socket
import time

import jsonschema
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from typer.testing import CliRunner

from json_shapes import AMOUNT, TEXT, WHOLE, closed, many, one_of
from kommunbench.cli import main
from kommunbench.cli.coordinator import app
from kommunbench.core.errors import ConfigError, FederationError
from kommunbench.federation.deployment.invitation import make_request, read_invitation, write


@pytest.fixture
def say(tmp_path):
    def say(*words, fails=None, answer=None):
        done = CliRunner().invoke(app, [*map(str, words), "--dir", str(tmp_path / "c")], input=answer)
        if fails is None:
            assert done.exit_code == 0, done.output
            return done.output
        assert isinstance(done.exception, fails), done.output
        return str(done.exception)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    say.place = str(tmp_path / "c")
    say("init", "--federation", "norr", "--name", "Region Norr", "--address", f"localhost:{port}")
    say.port = port
    return say


@pytest.fixture
def request_file(say, tmp_path):
    say("invite", "harnosand", "--title", "Härnösands kommun")
    invitation = read_invitation(tmp_path / "c" / "invitations" / "harnosand.yaml")
    request = make_request(invitation, ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate())
    write(tmp_path / "request.yaml", request)
    return tmp_path / "request.yaml", request


def test_a_site_gets_in_by_its_fingerprint(say, request_file):
    path, request = request_file
    assert "harnosand may take part" in say("approve", path, "--fingerprint", request.spoken.upper())
    assert json.loads(status_of(say, "--json"))["sites"][0]["standing"] == "approved"


def test_the_list_of_peers_has_approved_sites_with_the_keys_that_they_sign_with(say, request_file):
    path, request = request_file
    assert yaml.safe_load(say("peers")) == {}
    say("approve", path, "--fingerprint", request.spoken)
    listed = yaml.safe_load(say("peers"))
    raw = load_ssh_public_key(request.identity_key.encode()).public_bytes_raw().hex()
    assert listed == {"harnosand": {"title": "Härnösands kommun", "key": raw}}


def test_another_fingerprint_is_refused_and_a_no_on_the_phone_too(say, request_file):
    path, request = request_file
    assert "another one" in say("approve", path, "--fingerprint", "0000 " * 8, fails=FederationError)
    assert "harnosand was not let in" in say("approve", path, fails=FederationError, answer="n\n")
    assert json.loads(status_of(say, "--json"))["sites"][0]["standing"] == "invited"
    assert request.spoken in say("approve", path, answer="y\n")


def test_a_request_from_who_was_not_invited_is_refused(say, request_file, tmp_path):
    path, _ = request_file
    (tmp_path / "c" / "roster.yaml").unlink()
    assert "no site 'harnosand' was invited" in say("approve", path, fails=FederationError)


def test_keys_are_never_overwritten(say):
    words = ("init", "--federation", "syd", "--name", "Region Syd", "--address", "localhost:1")
    assert "is not empty" in say(*words, fails=ConfigError)


def status_of(say, *words):
    """`status` where nothing runs: exit code 7, and all that is said all the same."""
    done = CliRunner().invoke(app, ["status", *words, "--dir", say.place])
    assert done.exit_code == FederationError.exit_code
    return done.stdout


STATUS = closed(
    schema_version={"const": 1},
    federation=TEXT,
    coordinator=TEXT,
    address={"type": "string", "pattern": r"^.+:\d+$"},
    fingerprint={"type": "string", "pattern": "^([0-9a-f]{4} ){7}[0-9a-f]{4}$"},
    mlflow=TEXT,
    processes=many(
        closed(
            name=one_of("superlink", "front", "mlflow"),
            state=one_of("running", "starting", "stopped"),
            pid={"type": ["integer", "null"]},
            address=TEXT,
        )
    ),
    sites=many(
        closed(
            name=TEXT,
            title=TEXT,
            kind=one_of("municipality", "region", "other"),
            standing=one_of("invited", "approved", "removed"),
            node=TEXT,
            fingerprint=TEXT,
            kommunbench=TEXT,
            changed_at=TEXT,
        )
    ),
    certificates=closed(ca=AMOUNT, server=AMOUNT, loopback=AMOUNT),
    refused=many(closed(**{"time": TEXT, "from": TEXT, "reason": TEXT, "site": TEXT, "times": WHOLE})),
)


def test_the_status_in_json_keeps_its_schema(say, request_file, tmp_path):
    line = {"time": "2026-03-01T10:00:00+00:00", "from": "10.0.0.9", "reason": "unknown key", "site": "key 00ff"}
    (tmp_path / "c" / "logs" / "refused.jsonl").write_text(f"{json.dumps(line)}\n" * 2, encoding="utf-8")
    found = json.loads(status_of(say, "--json"))
    jsonschema.validate(found, STATUS)
    assert {row["state"] for row in found["processes"]} == {"stopped"}
    assert found["sites"][0]["title"] == "Härnösands kommun"
    assert 396 < found["certificates"]["server"] <= 397
    assert found["refused"] == [{**line, "times": 2}]
    told = status_of(say)
    assert "Refused 2 times, last 2026-03-01T10:00:00: unknown key (key 00ff from 10.0.0.9)" in told
    assert "if you expect it: `kommunbench coordinator approve` its request" in told


def test_a_start_with_an_expired_certificate_says_how_to_renew(say):
    say("renew", "--days", "-2")
    said = say("start", fails=FederationError)
    assert "expired 2 days ago" in said
    assert "coordinator renew" in said
    assert "Good for 397 days" in say("renew")


def test_a_taken_port_is_named(say):
    with socket.create_server(("127.0.0.1", say.port)):
        assert f"port {say.port} is taken" in say("start", fails=FederationError)


def test_a_broken_setting_is_named_with_what_was_meant(say, tmp_path):
    path = tmp_path / "c" / "coordinator.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("address:", "adress:"), encoding="utf-8")
    said = say("stop", fails=ConfigError)
    assert "adress: unknown setting" in said
    assert "address" in said


def test_the_exit_code_of_a_status_with_something_that_does_not_run_reaches_the_shell(say, monkeypatch):
    monkeypatch.setattr("sys.argv", ["kommunbench", "coordinator", "status", "--json", "--dir", say.place])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == FederationError.exit_code


def test_what_is_no_coordinators_folder_is_said(tmp_path):
    done = CliRunner().invoke(app, ["stop", "--dir", str(tmp_path / "nowhere")])
    assert "no coordinator here" in str(done.exception)


def test_a_stale_process_id_is_nobody(say, tmp_path):
    known = {"coordinator": {"pid": os.getpid(), "created": time.time() - 10_000}}
    (tmp_path / "c" / "state" / "processes.json").write_text(json.dumps(known), encoding="utf-8")
    assert "Nothing was running" in say("stop")
