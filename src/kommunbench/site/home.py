"""A site's own folder: where everything that municipal IT owns lies, and what its node is set to.

    site.yaml        the policy: what may leave              node.yaml        where the text is, threads, port
    invitation.yaml  the coordinator's, after `site join`    ca.pem           the authority that it names
    node.key         by which the coordinator knows the node  identity.key    by which the site signs
    data/ tasks/ conf/ models/   the site's own text, tasks, model cards and weights
    ledger.jsonl site.log node.log run/                      what has left, what happened, what is running

Everything is for the owner alone. Private keys are made here and never leave.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_ssh_private_key
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kommunbench.core.errors import ConfigError, Fault, plainly
from kommunbench.core.folders import overlay
from kommunbench.core.registry import did_you_mean
from kommunbench.site.log import LOG
from kommunbench.site.private import write_private
from kommunbench.site.settings import SiteSettings

LONGEST_SOCKET = 100
"""Bytes in a unix socket's path; Linux ends at 107."""


class NodeSettings(BaseModel):
    """node.yaml: what this machine's node needs to know beside its policy.

    Args:
        data: folder with `<task>.jsonl`, `.csv` or `.parquet`; relative to the site's folder.
        threads: CPU threads for models; 0: all.
        port: on the loopback, between this node's own processes; 0: any free one.
        device: where models run; auto is CUDA where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    data: Path = Path("data")
    threads: int = Field(0, ge=0)
    port: int = Field(0, ge=0, le=65535)
    device: Literal["auto", "cpu", "cuda"] = "auto"


class SiteHome:
    """One site's folder, and the names of what lies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.policy = self.path / "site.yaml"
        self.node = self.path / "node.yaml"
        self.invitation = self.path / "invitation.yaml"
        self.request = self.path / "request.yaml"
        self.ca = self.path / "ca.pem"
        self.node_key = self.path / "node.key"
        self.identity_key = self.path / "identity.key"
        self.models = self.path / "models"
        self.tasks = self.path / "tasks"
        self.conf = self.path / "conf"
        self.approved = self.path / "approved"
        self.ledger = self.path / "ledger.jsonl"
        self.node_log = self.path / "node.log"
        self.site_log = self.path / LOG
        self.running = self.path / "run"
        self.socket = self.running / "worker.sock"
        self.connector = self.running / "connector.sock"

    def settings(self) -> NodeSettings:
        """What node.yaml says.

        Raises:
            ConfigError: this is no site's folder, or every fault of the file at once.
        """
        if not self.node.is_file():
            raise ConfigError(Fault("no site's folder: there is no node.yaml", str(self.path), "kommunbench site init"))
        try:
            raw = yaml.safe_load(self.node.read_text(encoding="utf-8")) or {}
            return NodeSettings.model_validate(raw)
        except (yaml.YAMLError, UnicodeDecodeError):
            raise ConfigError(Fault("not YAML in UTF-8", str(self.node))) from None
        except ValidationError as error:
            raise ConfigError(*(_fault(fault, self.node) for fault in error.errors(include_input=False))) from None

    def site_settings(self, name: str) -> SiteSettings:
        """What the ClientApp needs to know, when the coordinator calls this site `name`."""
        node = self.settings()
        return SiteSettings(
            name=name,
            home=self.path,
            data=(self.path / node.data).resolve(),
            conf=(self.conf, *overlay("conf")),
            tasks=(self.tasks, *overlay("tasks")),
            threads=node.threads,
            device=node.device,
            connector=self.connector,
            own_split=True,
        )

    def socket_faults(self) -> list[Fault]:
        """A unix socket's path is short."""
        if len(os.fsencode(self.connector)) <= LONGEST_SOCKET:
            return []
        what = f"the folder's name is too long for a socket: {len(os.fsencode(self.connector))} bytes"
        return [Fault(what, str(self.path), "use a folder with a shorter name, /srv/kommunbench for instance")]


def make_folders(home: SiteHome) -> None:
    """The folders of a site, for its owner alone."""
    home.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    home.path.chmod(0o700)
    for folder in (home.path / "data", home.models, home.tasks, home.conf / "models", home.running):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def node_key(home: SiteHome) -> ec.EllipticCurvePrivateKey:
    """The key by which the coordinator's SuperLink knows this node (EC P-384), made here where there is none.

    Raises:
        ConfigError: others can read the file, or it holds no such key.
    """
    path = home.node_key
    if not path.is_file():
        key = ec.generate_private_key(ec.SECP384R1())
        write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), durable=True)
    if path.stat().st_mode & 0o077:
        raise ConfigError(Fault("others than its owner can read the node's key", str(path), f"chmod 600 {path}"))
    try:
        found: Any = load_ssh_private_key(path.read_bytes(), password=None)
    except ValueError:
        found = None
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ConfigError(Fault("not an EC key in OpenSSH's format", str(path), "move it away and join again"))
    return found


def _fault(fault: Any, path: Path) -> Fault:
    name = ".".join(map(str, fault["loc"]))
    known = tuple(NodeSettings.model_fields)
    do = did_you_mean(name, known) if fault["type"] == "extra_forbidden" else ""
    return Fault(f"{name}: {plainly(fault)}", str(path), do)
