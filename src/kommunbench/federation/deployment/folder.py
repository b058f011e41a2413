"""The coordinator's folder: settings that a person edits, keys, the roster, and where its processes keep things.

coordinator.yaml   settings, every line explained
roster.yaml        who was invited, approved, removed (roster.py)
invitations/       one file a site, to send
keys/              the authority, certificates and secrets; readable by their owner only
state/             the SuperLink's database, process ids, MLflow's databases
logs/              one a process
nginx.conf         what to put in front in place of our own front
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from kommunbench.core.addresses import LOOPBACK
from kommunbench.core.errors import ConfigError, Fault, plainly
from kommunbench.core.registry import did_you_mean
from kommunbench.core.spec import Name
from kommunbench.federation.deployment.invitation import Title, split_address

EVERYWHERE = "0.0.0.0"  # noqa: S104  the front is what other organisations' sites call
Port = Annotated[int, Field(ge=1, le=65535)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class FrontSettings(_Frozen):
    """Our TLS front. `enabled: false` where nginx stands there instead."""

    enabled: bool = True
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)] = EVERYWHERE
    port: Port


class SuperLinkSettings(_Frozen):
    """Flower's SuperLink, on this machine's loopback only."""

    port: Port


class MlflowSettings(_Frozen):
    """MLflow beside it, on loopback, with passwords.

    Args:
        backend: a database URL, such as `postgresql+psycopg2://...`; empty: SQLite in state/.
        artifacts: a folder or an object store's URL; empty: state/artifacts.
    """

    enabled: bool = True
    port: Port
    backend: str = ""
    artifacts: str = ""


class CoordinatorSettings(_Frozen):
    """coordinator.yaml."""

    format: int = Field(1, ge=1, le=1)
    federation: Name
    coordinator: Title
    address: str
    front: FrontSettings
    superlink: SuperLinkSettings
    mlflow: MlflowSettings

    @field_validator("address")
    @classmethod
    def _reachable(cls, address: str) -> str:
        split_address(address)
        return address


class CoordinatorFolder:
    """Paths in a coordinator's folder, and its settings."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.keys, self.state, self.logs = self.path / "keys", self.path / "state", self.path / "logs"
        self.roster_path = self.path / "roster.yaml"
        self.settings_path = self.path / "coordinator.yaml"

    @property
    def superlink_address(self) -> str:
        """Host and port of the SuperLink."""
        return f"{LOOPBACK}:{self.settings.superlink.port}"

    @property
    def mlflow_uri(self) -> str:
        """Address of MLflow's server; empty where there is none."""
        return f"http://{LOOPBACK}:{self.settings.mlflow.port}" if self.settings.mlflow.enabled else ""

    def check(self) -> None:
        """Raise ConfigError where this is no coordinator's folder, or its settings are wrong."""
        _ = self.settings

    @cached_property
    def settings(self) -> CoordinatorSettings:
        """What coordinator.yaml says.

        Raises:
            ConfigError: there is none, or every fault of it.
        """
        try:
            raw = yaml.safe_load(self.settings_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            do = "`kommunbench coordinator init` makes one; name another with --dir"
            raise ConfigError(Fault("no coordinator here", str(self.path), do)) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise ConfigError(Fault("is not YAML", f"{self.settings_path}{line}")) from None
        return read_raw(raw, str(self.settings_path))


def read_raw(raw: object, where: str) -> CoordinatorSettings:
    """Settings from a mapping. Raises ConfigError with every fault at once."""
    try:
        return CoordinatorSettings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(*(_fault(where, fault) for fault in error.errors(include_input=False))) from None


def _fault(where: str, fault: Any) -> Fault:
    name = ".".join(str(part) for part in fault["loc"])
    known = tuple(CoordinatorSettings.model_fields)
    do = did_you_mean(name, known) if fault["type"] == "extra_forbidden" else ""
    return Fault(plainly(fault), f"{where}: {name}", do)


SETTINGS_YAML = """\
# Made by `kommunbench coordinator init`. After a change: kommunbench coordinator stop, then start.
format: 1
federation: {federation}
coordinator: {coordinator}  # as sites know you
address: {address}  # host:port that sites call; after a change, run `coordinator renew` and send new invitations
front:  # the only thing that can be reached from outside: TLS, and nothing but what sites need of Flower
  enabled: true  # false where nginx stands here instead, with nginx.conf of this folder
  host: {host}  # address of this machine to listen on; 0.0.0.0: all of them
  port: {front_port}
superlink:  # on this machine's loopback only; its state is in state/superlink.db
  port: {superlink_port}
mlflow:  # on loopback with passwords; put your own TLS front before it if others shall see it
  enabled: {mlflow}
  port: {mlflow_port}
  backend: ""  # empty: SQLite in state/. PostgreSQL: postgresql+psycopg2://user@host/database (password in PGPASSFILE)
  artifacts: ""  # empty: state/artifacts. Otherwise a folder, or s3://bucket/path
"""
