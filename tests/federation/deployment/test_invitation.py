"""Invitation and join request: what may be written, and what is refused when it was changed on its way."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kommunbench.core.errors import FederationError
from kommunbench.federation.deployment.invitation import (
    MAX_BYTES,
    Invitation,
    certificate_fingerprint,
    check_request,
    make_request,
    read_invitation,
    read_request,
    split_address,
    version_faults,
    write,
)


def certificate() -> str:
    key = ec.generate_private_key(ec.SECP384R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "prov")]), datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA384()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def invitation():
    pem = certificate()
    return Invitation(
        federation="norr",
        coordinator="Region Norr",
        site="harnosand",
        title="Härnösands kommun",
        address="samordnare.example.se:8443",
        ca_certificate=pem,
        ca_fingerprint=certificate_fingerprint(pem),
    )


@pytest.fixture(scope="module")
def request_(invitation):
    return make_request(invitation, ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate())


def faults(path, read):
    with pytest.raises(FederationError) as found:
        read(path)
    return str(found.value)


def changed(path, file, **changes):
    path.write_text(yaml.safe_dump({**file.model_dump(), **changes}), encoding="utf-8")
    return path


def test_both_files_are_read_as_they_were_written(tmp_path, invitation, request_):
    write(tmp_path / "i.yaml", invitation)
    write(tmp_path / "r.yaml", request_)
    assert read_invitation(tmp_path / "i.yaml") == invitation
    assert read_request(tmp_path / "r.yaml") == request_
    assert "Härnösands kommun" in (tmp_path / "i.yaml").read_text(encoding="utf-8")
    check_request(request_, invitation)
    assert version_faults(request_) == ()


def test_neither_file_has_a_private_key(tmp_path, invitation, request_):
    write(tmp_path / "i.yaml", invitation)
    write(tmp_path / "r.yaml", request_)
    for name in ("i.yaml", "r.yaml"):
        assert "PRIVATE" not in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("field", ["federation", "site", "ca_fingerprint", "node_key", "identity_key", "made_at"])
def test_a_request_with_anything_changed_is_not_signed(tmp_path, request_, field):
    other = make_request(
        Invitation.model_construct(federation="syd", site="lund", ca_fingerprint="0" * 64),
        ec.generate_private_key(ec.SECP384R1()),
        Ed25519PrivateKey.generate(),
    )
    value = "2020-01-01T00:00:00+00:00" if field == "made_at" else getattr(other, field)
    assert "not signed by the keys" in faults(changed(tmp_path / "r.yaml", request_, **{field: value}), read_request)


def test_one_keys_signature_does_not_do_for_the_other(tmp_path, request_):
    path = changed(tmp_path / "r.yaml", request_, identity_proof=request_.node_proof)
    assert "not signed by the keys" in faults(path, read_request)


def test_a_request_to_another_federation_says_everything_that_differs(invitation, request_):
    other = invitation.model_copy(update={"federation": "syd", "site": "lund"})
    with pytest.raises(FederationError) as found:
        check_request(request_, other)
    assert [fault.where for fault in found.value.faults] == ["federation", "site"]


def test_every_fault_of_a_file_is_said_at_once(tmp_path, invitation):
    path = changed(tmp_path / "i.yaml", invitation, adress="x:1", address="x:99999", site="../etc", flwr="")
    found = faults(path, read_invitation)
    assert "adress: unknown field (did you mean 'address'" in found.replace("?", "")
    for name in ("address: ", "site: ", "flwr: "):
        assert name in found


def test_another_certificate_than_the_fingerprints_is_refused(tmp_path, invitation):
    path = changed(tmp_path / "i.yaml", invitation, ca_certificate=certificate())
    assert "changed on its way" in faults(path, read_invitation)


@pytest.mark.parametrize(
    "text", ["", "- a\n", "a: [1, 2]\n", "\x00", "a: &x b\nc: {d: *x}\n", "a: " + "b" * MAX_BYTES, "{{"]
)
def test_what_is_no_invitation_is_refused_without_being_quoted(tmp_path, text):
    path = tmp_path / "i.yaml"
    path.write_text(text, encoding="utf-8")
    assert "is not an invitation" in faults(path, read_invitation)


def test_a_file_of_a_later_format_says_so(tmp_path, invitation):
    assert "another version" in faults(changed(tmp_path / "i.yaml", invitation, format=2), read_invitation)


def test_other_versions_are_named_with_what_to_do(invitation):
    found = version_faults(invitation.model_copy(update={"kommunbench": "9.9.9", "flwr": "1.0.0"}))
    assert [fault.where for fault in found] == ["version of kommunbench", "version of flwr"]
    assert "9.9.9" in str(found[0])


def test_the_spoken_fingerprint_is_the_first_half_of_the_certificates(invitation):
    assert invitation.spoken.replace(" ", "") == invitation.ca_fingerprint[:32]
    assert len(invitation.spoken.split()) == 8


@pytest.mark.parametrize(
    ("address", "parts"),
    [("a.se:1", ("a.se", 1)), ("[::1]:8443", ("::1", 8443)), ("10.0.0.1:65535", ("10.0.0.1", 65535))],
)
def test_an_address_is_host_and_port(address, parts):
    assert split_address(address) == parts


@pytest.mark.parametrize(
    "address", ["a.se", "a.se:0", "a.se:65536", "https://a.se:1", "a b:1", "-a:1", "a:1/x", "::1:80"]
)
def test_anything_else_is_no_address(address):
    with pytest.raises(ValueError, match="host:port"):
        split_address(address)
