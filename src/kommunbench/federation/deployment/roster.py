"""Who is in the federation: roster.yaml, the one truth. The SuperLink's register of nodes is made to follow it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from kommunbench.core.errors import ConfigError, Fault, FederationError
from kommunbench.core.registry import did_you_mean
from kommunbench.core.spec import Name
from kommunbench.federation.deployment.invitation import (
    JoinRequest,
    Title,
    identity_public_key,
    node_public_key,
)

Kind = Literal["municipality", "region", "other"]
Standing = Literal["invited", "approved", "removed"]


class Member(BaseModel):
    """One site of the federation.

    Args:
        node_key, identity_key: OpenSSH lines, once approved.
        fingerprint: of both keys, as it was compared by phone.
        former_keys: node keys that it had when it was removed; Flower's SuperLink takes none of them a second time.
        changed_at: when its standing last changed, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: Name
    title: Title
    kind: Kind = "other"
    trains: bool = True
    standing: Standing = "invited"
    node_key: str = ""
    identity_key: str = ""
    fingerprint: str = ""
    kommunbench: str = ""
    flwr: str = ""
    former_keys: tuple[str, ...] = ()
    changed_at: str = ""

    @property
    def node_key_pem(self) -> bytes:
        """The node's key as Flower registers it."""
        return public_pem(self.node_key)

    @property
    def signing_key(self) -> str:
        """The key that the site signs with, 64 hexadecimal digits; empty before it is approved."""
        return public_hex(self.identity_key) if self.identity_key else ""


class Roster:
    """Reads and changes roster.yaml."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def members(self) -> dict[str, Member]:
        """Everyone who was ever invited, by name, in the order of invitation.

        Raises:
            ConfigError: the file is broken.
        """
        try:
            raw = yaml.safe_load(self._path.read_text(encoding="utf-8")) if self._path.is_file() else {}
            return {name: Member(name=name, **member) for name, member in (raw or {}).items()}
        except (yaml.YAMLError, ValidationError, TypeError, AttributeError):
            do = "take it from a backup; it is written by `coordinator invite`, `approve` and `remove` only"
            raise ConfigError(Fault("is not a roster", str(self._path), do)) from None

    def approved(self) -> dict[str, Member]:
        """Those who may take part."""
        return {name: member for name, member in self.members().items() if member.standing == "approved"}

    def member(self, name: str) -> Member:
        """A member by name. Raises FederationError with the nearest name."""
        members = self.members()
        if name not in members:
            do = did_you_mean(name, tuple(members)) if members else "`kommunbench coordinator invite NAME` first"
            raise FederationError(Fault(f"no site {name!r} was invited", str(self._path), do))
        return members[name]

    def invite(self, member: Member) -> None:
        """Add a site; inviting one again that has not joined changes its words. Raises FederationError if it has."""
        with self._changing() as members:
            old = members.get(member.name)
            if old is not None and old.standing == "approved":
                do = f"`kommunbench coordinator remove {member.name}` first"
                raise FederationError(Fault(f"{member.name} is in the federation already", do=do))
            former = old.former_keys if old is not None else ()
            members[member.name] = member.model_copy(update={"former_keys": former, "changed_at": _now()})

    def approve(self, request: JoinRequest) -> Member:
        """Let a site in with the keys of its request.

        Raises:
            FederationError: it was not invited, has other keys already, or its keys are somebody else's, or removed.
        """
        member = self.member(request.site)
        signing = public_hex(request.identity_key)
        with self._changing() as members:
            faults = []
            if member.standing == "approved" and member.fingerprint != request.fingerprint:
                do = f"`kommunbench coordinator remove {member.name}`, invite it anew and compare by phone"
                faults.append(Fault(f"{member.name} has joined with other keys", do=do))
            if member.standing == "removed":
                do = f"`kommunbench coordinator invite {member.name}` if it shall come back"
                faults.append(Fault(f"{member.name} was removed", do=do))
            former = {public_pem(key) for each in members.values() for key in each.former_keys}
            if public_pem(request.node_key) in former:
                do = "at the site: move node.key away, `kommunbench site join` again, and send the new request.yaml"
                faults.append(Fault("its node's key was removed before, and stays refused", "node_key", do))
            for other in members.values():
                if other.name == member.name or other.standing != "approved":
                    continue
                same = {"node_key": other.node_key_pem == public_pem(request.node_key),
                        "identity_key": other.signing_key == signing}  # fmt: skip
                do = "every site makes keys of its own"
                faults += [Fault(f"the same key as {other.name}", name, do) for name, found in same.items() if found]
            FederationError.raise_if(faults)
            members[member.name] = member.model_copy(
                update={
                    "standing": "approved",
                    "node_key": request.node_key,
                    "identity_key": request.identity_key,
                    "fingerprint": request.fingerprint,
                    "kommunbench": request.kommunbench,
                    "flwr": request.flwr,
                    "changed_at": _now(),
                }
            )
            return members[member.name]

    def remove(self, name: str) -> Member:
        """Take a site out; its name and keys stay on record."""
        member = self.member(name)
        with self._changing() as members:
            former = (*member.former_keys, *([member.node_key] if member.standing == "approved" else ()))
            members[name] = member.model_copy(
                update={"standing": "removed", "former_keys": former, "changed_at": _now()}
            )
            return member

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Member]]:
        """The members, one change at a time; written whole when the change went well."""
        with self._path.with_name(".roster.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            members = self.members()
            yield members
            content = {name: member.model_dump(mode="json", exclude={"name"}) for name, member in members.items()}
            draft = self._path.with_name(f".roster.{os.getpid()}")
            opening = "# Who is in the federation. Changed by `kommunbench coordinator invite|approve|remove`.\n"
            draft.write_text(opening + yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
            draft.replace(self._path)


def public_hex(line: str) -> str:
    """An OpenSSH line's Ed25519 key as 64 hexadecimal digits, which is how receipts state it."""
    return identity_public_key(line).public_bytes_raw().hex()


def public_pem(line: str) -> bytes:
    """An OpenSSH line's key as PEM, which is how Flower stores and compares node keys."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return node_public_key(line).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
