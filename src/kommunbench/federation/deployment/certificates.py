"""The federation's own certificate authority, and the certificates that it signs.

keys/ca.key, ca.pem              the authority: sites trust it and nothing else; move ca.key off the machine if you like
keys/server.key, server.pem      the TLS front's, for the address that sites call
keys/loopback.key, loopback.pem  the SuperLink's, for 127.0.0.1
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kommunbench.core.errors import ConfigError, Fault

AUTHORITY_YEARS = 10
SERVER_DAYS = 397
"""As public authorities have it: long enough to plan for, short enough to be renewed by whoever set it up."""
WARN_DAYS = 30
_EARLY = timedelta(minutes=10)
"""Certificates are valid from a little before now, for sites whose clocks are behind."""


def make_authority(folder: Path, federation: str) -> None:
    """Make ca.key and ca.pem in `folder`."""
    key = ec.generate_private_key(ec.SECP384R1())
    name, now = _name(f"kommunbench {federation}"), datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key.public_key(), now + timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA384())
    )
    _save(folder, "ca", key, certificate)


def make_certificate(folder: Path, name: str, hosts: tuple[str, ...], days: float = SERVER_DAYS) -> None:
    """Make NAME.key and NAME.pem in `folder` for `hosts` (names or IP addresses), signed by the authority there.

    Raises:
        ConfigError: the authority's key has been moved away.
    """
    authority = load_certificate(folder / "ca.pem")
    try:
        loaded = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    except FileNotFoundError:
        do = "put it back from where you keep it, for as long as this takes"
        raise ConfigError(Fault("the authority's key is not here", str(folder / "ca.key"), do)) from None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise TypeError("ca.key is not an EC key")
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = (
        _builder(_name(hosts[0]), authority.subject, key.public_key(), datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(loaded.public_key()), critical=False)
        .sign(loaded, hashes.SHA384())
    )
    _save(folder, name, key, certificate)


def load_certificate(path: Path) -> x509.Certificate:
    """The certificate in a PEM file."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def days_left(path: Path) -> float:
    """Days until a certificate expires; negative when it has."""
    return (load_certificate(path).not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def lasts(days: float) -> str:
    """How long a certificate lasts, for a sentence."""
    if days <= 0:
        return f"expired {-days:.0f} days ago" if days <= -1 else "expired today"
    return f"lasts {days:.0f} days more"


def remedy(name: str) -> str:
    """What to do about a certificate that expires: the authority's is in every invitation, the others are its own."""
    if name == "ca":
        return "make a new folder with `kommunbench coordinator init` and invite every site anew"
    return "`kommunbench coordinator renew`, then `stop` and `start`; sites need nothing new"


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from its first moment on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, end: datetime
) -> x509.CertificateBuilder:
    start = min(datetime.now(UTC) - _EARLY, end - _EARLY)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _save(folder: Path, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(folder / f"{name}.key", secret)
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
