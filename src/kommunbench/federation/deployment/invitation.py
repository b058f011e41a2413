"""The two files that coordinator and site exchange before anything runs: an invitation and the request that answers it.

    invitation.yaml  coordinator -> site   where to call, whose certificate to trust, which versions; no secret
    request.yaml     site -> coordinator   the site's two public keys, signed by both private keys, which stay there

Both can go by ordinary e-mail. What makes them trustworthy is a phone call in which each side reads the other's
fingerprint aloud: the coordinator that of its certificate authority, the site that of its keys.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from kommunbench import __version__
from kommunbench.core.digests import canonical, digest, spoken
from kommunbench.core.errors import Fault, FederationError, plainly
from kommunbench.core.registry import did_you_mean
from kommunbench.core.spec import Name

MAX_BYTES = 64 * 1024
"""A file that is larger is neither an invitation nor a request."""
PURPOSE = b"kommunbench join request 1\n"
"""Signed before the request itself, so that a signature made for something else proves nothing here."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,49}$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, StringConstraints(min_length=1, max_length=400)]
SshKey = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_ADDRESS = re.compile(r"^(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):(?P<port>\d{1,5})$")


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Invitation(_File):
    """What a site needs to call the coordinator. It has no secret: whoever reads it can still not join.

    Args:
        coordinator: who runs the federation, as people call it.
        site: the name that the site is registered under.
        title: the organisation as people call it.
        address: host and port of the coordinator's TLS front.
        ca_certificate: PEM; the only authority that the site trusts for `address`.
        ca_fingerprint: SHA-256 of that certificate, 64 hexadecimal digits; read aloud on the phone.
    """

    format: Literal[1] = 1
    federation: Name
    coordinator: Title
    site: Name
    title: Title
    address: Annotated[str, StringConstraints(max_length=270)]
    ca_certificate: Annotated[str, StringConstraints(min_length=1, max_length=8192)]
    ca_fingerprint: Fingerprint
    kommunbench: Version = __version__
    flwr: Version = Field(default_factory=lambda: version("flwr"))

    @field_validator("address")
    @classmethod
    def _reachable(cls, address: str) -> str:
        split_address(address)
        return address

    @model_validator(mode="after")
    def _same_certificate(self) -> Self:
        try:
            found = certificate_fingerprint(self.ca_certificate)
        except ValueError:
            raise ValueError("ca_certificate is not a certificate in PEM") from None
        if found != self.ca_fingerprint:
            raise ValueError("ca_fingerprint is not that of ca_certificate: the file was changed on its way")
        return self

    @property
    def spoken(self) -> str:
        """The certificate authority's fingerprint as read aloud."""
        return spoken(self.ca_fingerprint)


class JoinRequest(_File):
    """What a site sends back: public keys, and proof that it has the private ones.

    Args:
        ca_fingerprint: of the authority in the invitation that is answered.
        node_key: OpenSSH line of the EC P-384 key by which Flower's SuperLink knows the site's node.
        identity_key: OpenSSH line of the Ed25519 key by which the site signs what it lets out.
        made_at: ISO 8601, UTC.
        node_proof, identity_proof: signatures over everything above, base64.
    """

    format: Literal[1] = 1
    federation: Name
    site: Name
    ca_fingerprint: Fingerprint
    node_key: SshKey
    identity_key: SshKey
    kommunbench: Version = __version__
    flwr: Version = Field(default_factory=lambda: version("flwr"))
    made_at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
    node_proof: Signature
    identity_proof: Signature

    @field_validator("node_key")
    @classmethod
    def _is_p384(cls, line: str) -> str:
        node_public_key(line)
        return line

    @field_validator("identity_key")
    @classmethod
    def _is_ed25519(cls, line: str) -> str:
        identity_public_key(line)
        return line

    @model_validator(mode="after")
    def _proven(self) -> Self:
        signed = _signed_bytes(self.model_dump(exclude={"node_proof", "identity_proof"}))
        try:
            node_public_key(self.node_key).verify(_decoded(self.node_proof), signed, ec.ECDSA(hashes.SHA384()))
            identity_public_key(self.identity_key).verify(_decoded(self.identity_proof), signed)
        except (InvalidSignature, ValueError):
            raise ValueError("it is not signed by the keys that it names: changed on its way, or not theirs") from None
        return self

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over federation, site and both public keys, 64 hexadecimal digits."""
        keys = [_comparable(self.node_key), _comparable(self.identity_key)]
        return digest([self.federation, self.site, *keys])

    @property
    def spoken(self) -> str:
        """The keys' fingerprint as read aloud."""
        return spoken(self.fingerprint)


def make_request(
    invitation: Invitation, node_key: ec.EllipticCurvePrivateKey, identity_key: Ed25519PrivateKey
) -> JoinRequest:
    """The answer to `invitation`, signed by both keys."""
    content: dict[str, Any] = {
        "format": 1,
        "federation": invitation.federation,
        "site": invitation.site,
        "ca_fingerprint": invitation.ca_fingerprint,
        "node_key": public_line(node_key),
        "identity_key": public_line(identity_key),
        "kommunbench": __version__,
        "flwr": version("flwr"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    signed = _signed_bytes(content)
    node_proof = base64.b64encode(node_key.sign(signed, ec.ECDSA(hashes.SHA384()))).decode()
    identity_proof = base64.b64encode(identity_key.sign(signed)).decode()
    return JoinRequest(**content, node_proof=node_proof, identity_proof=identity_proof)


File = TypeVar("File", Invitation, JoinRequest)
_OPENING = {
    Invitation: "Invitation to a kommunbench federation. No secret. Compare ca_fingerprint by phone before you join.",
    JoinRequest: "Answer to an invitation: public keys only. The private keys stay at the site.",
}


def write(path: Path, file: Invitation | JoinRequest) -> None:
    """Write an invitation or a request as YAML."""
    content = yaml.safe_dump(file.model_dump(), sort_keys=False, allow_unicode=True, width=1000)
    path.write_text(f"# {_OPENING[type(file)]}\n{content}", encoding="utf-8")


def read_invitation(path: Path) -> Invitation:
    """The invitation in `path`. Raises FederationError with every fault at once."""
    return _read(path, Invitation)


def read_request(path: Path) -> JoinRequest:
    """The request in `path`, its signatures verified. Raises FederationError with every fault at once."""
    return _read(path, JoinRequest)


def check_request(request: JoinRequest, invitation: Invitation) -> None:
    """Check that `request` answers `invitation`.

    Raises:
        FederationError: every way in which it does not.
    """
    answers = {
        "federation": (request.federation, invitation.federation),
        "site": (request.site, invitation.site),
        "ca_fingerprint": (spoken(request.ca_fingerprint), invitation.spoken),
    }
    FederationError.raise_if(
        Fault(f"answers another invitation: {given}, and ours has {ours}", name, "send the site its invitation anew")
        for name, (given, ours) in answers.items()
        if given != ours
    )


def version_faults(file: Invitation | JoinRequest) -> tuple[Fault, ...]:
    """Versions on the other side that are not those installed here. Runs need the same on both."""
    found = []
    for name, here, there in (
        ("kommunbench", __version__, file.kommunbench),
        ("flwr", version("flwr"), file.flwr),
    ):
        if here != there:
            do = f"runs need the same on both sides: install {name}=={there} here, or ask the other side for {here}"
            found.append(Fault(f"{there} there and {here} here", f"version of {name}", do))
    return tuple(found)


def certificate_fingerprint(pem: str) -> str:
    """SHA-256 of a certificate, as 64 hexadecimal digits. Raises ValueError where `pem` is none."""
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()


def split_address(address: str) -> tuple[str, int]:
    """Host (without brackets) and port. Raises ValueError where it is not `host:port`."""
    found = _ADDRESS.match(address)
    if not found or not 0 < int(found["port"]) < 65536:
        raise ValueError("not host:port")
    return found["host"].strip("[]"), int(found["port"])


def public_line(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> str:
    """The public half of `key` as one OpenSSH line."""
    ssh = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return ssh.decode()


def node_public_key(line: str) -> ec.EllipticCurvePublicKey:
    """The EC P-384 key of an OpenSSH line. Raises ValueError for anything else."""
    key = _public_key(line)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise ValueError("not an EC P-384 public key as ssh-keygen writes it")
    return key


def identity_public_key(line: str) -> Ed25519PublicKey:
    """The Ed25519 key of an OpenSSH line. Raises ValueError for anything else."""
    key = _public_key(line)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 public key as ssh-keygen writes it")
    return key


def _public_key(line: str) -> object:
    try:
        return serialization.load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a public key as ssh-keygen writes it") from None


def _comparable(line: str) -> str:
    """Kind and key without the comment that may follow."""
    return " ".join(line.split()[:2])


def _signed_bytes(content: dict[str, Any]) -> bytes:
    return PURPOSE + canonical(content)


def _decoded(signature: str) -> bytes:
    return base64.b64decode(signature, validate=True)


def _read(path: Path, kind: type[File]) -> File:
    what = "an invitation" if kind is Invitation else "a join request"
    try:
        with path.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
        content = yaml.safe_load(raw.decode()) if len(raw) <= MAX_BYTES else None
    except OSError as error:
        raise FederationError(Fault(f"cannot be read: {error.strerror}", str(path))) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(value, str | int) for value in content.values()):
        raise FederationError(Fault(f"is not {what}", str(path), "take the file as it was sent, not pasted text"))
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise FederationError(*(_fault(path, fault, kind) for fault in error.errors(include_input=False))) from None


def _fault(path: Path, fault: Any, kind: type[BaseModel]) -> Fault:
    name = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return Fault("unknown field", f"{path}: {name}", did_you_mean(name, tuple(kind.model_fields)))
    if name == "format":
        return Fault("written by another version of kommunbench", f"{path}: format", f"this one is {__version__}")
    return Fault(plainly(fault), f"{path}: {name}" if name else str(path))
