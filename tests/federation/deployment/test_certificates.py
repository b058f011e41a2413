"""The authority and its certificates, judged by openssl."""

import subprocess

import pytest

from kommunbench.federation.deployment.certificates import (
    days_left,
    make_authority,
    make_certificate,
    write_secret,
)


@pytest.fixture
def keys(tmp_path):
    make_authority(tmp_path, "norr")
    return tmp_path


def verdict(keys, name, host="kb.example.se", authority="ca.pem"):
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host]
    done = subprocess.run(
        [*command, "-CAfile", keys / authority, keys / f"{name}.pem"], capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


def test_openssl_takes_the_certificate_for_its_host_and_no_other(keys):
    make_certificate(keys, "server", ("kb.example.se",))
    good, said = verdict(keys, "server")
    assert good, said
    assert not verdict(keys, "server", "annan.example.se")[0]


def test_an_expired_certificate_is_seen_by_us_and_by_openssl(keys):
    make_certificate(keys, "server", ("kb.example.se",), days=-3)
    assert -3.1 < days_left(keys / "server.pem") < -2.9
    good, said = verdict(keys, "server")
    assert not good
    assert "expired" in said


def test_a_certificate_of_another_authority_is_refused(keys, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    make_authority(other, "norr")
    make_certificate(other, "server", ("kb.example.se",))
    (keys / "other.pem").write_bytes((other / "ca.pem").read_bytes())
    make_certificate(keys, "server", ("kb.example.se",))
    assert not verdict(keys, "server", authority="other.pem")[0]


def test_a_server_certificate_signs_no_other(keys):
    make_certificate(keys, "server", ("kb.example.se",))
    shown = subprocess.run(
        ["openssl", "x509", "-in", keys / "server.pem", "-noout", "-text"], capture_output=True, text=True, check=True
    ).stdout
    assert "CA:FALSE" in shown
    assert "TLS Web Server Authentication" in shown


def test_a_secret_is_never_readable_by_others(tmp_path):
    path = tmp_path / "secret"
    write_secret(path, b"one")
    write_secret(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
