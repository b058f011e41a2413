"""Makes a coordinator's folder, and what goes out of it: invitations and nginx's configuration."""

from __future__ import annotations

import secrets
from pathlib import Path

import yaml

from kommunbench.core.addresses import LOOPBACK
from kommunbench.core.errors import ConfigError, Fault
from kommunbench.federation.deployment.certificates import make_authority, make_certificate, write_secret
from kommunbench.federation.deployment.folder import (
    SETTINGS_YAML,
    CoordinatorFolder,
    CoordinatorSettings,
)
from kommunbench.federation.deployment.front import MAX_BODY, PATHS
from kommunbench.federation.deployment.invitation import Invitation, certificate_fingerprint, split_address, write
from kommunbench.federation.deployment.roster import Member


def make_folder(path: Path, settings: CoordinatorSettings) -> CoordinatorFolder:
    """Make a coordinator's folder with keys, certificates and secrets of its own.

    Raises:
        ConfigError: something is there already, or `settings` has one port twice.
    """
    folder = CoordinatorFolder(path)
    if folder.path.exists() and any(folder.path.iterdir()):
        raise ConfigError(Fault("is not empty", str(folder.path), "choose another folder; keys are never overwritten"))
    ports = [settings.front.port, settings.superlink.port, settings.mlflow.port]
    if len(set(ports)) < len(ports):
        raise ConfigError(Fault("one port twice", "ports", "front, superlink and mlflow need one each"))
    for place in (folder.path, folder.keys, folder.state, folder.logs, folder.path / "invitations"):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    values = {"federation": settings.federation, "coordinator": settings.coordinator, "address": settings.address}
    text = SETTINGS_YAML.format(
        **{name: _scalar(value) for name, value in values.items()},
        host=settings.front.host,
        front_port=settings.front.port,
        superlink_port=settings.superlink.port,
        mlflow="true" if settings.mlflow.enabled else "false",
        mlflow_port=settings.mlflow.port,
    )
    folder.settings_path.write_text(text, encoding="utf-8")
    make_authority(folder.keys, settings.federation)
    make_certificate(folder.keys, "loopback", (LOOPBACK, "localhost"))
    renew(folder)
    write_secret(folder.keys / "superexec.secret", secrets.token_bytes(32))
    return folder


def renew(folder: CoordinatorFolder, days: float | None = None) -> None:
    """Make both server certificates anew under the same authority: sites need nothing new."""
    host, _ = split_address(folder.settings.address)
    term = {} if days is None else {"days": days}
    make_certificate(folder.keys, "server", (host,), **term)
    make_certificate(folder.keys, "loopback", (LOOPBACK, "localhost"), **term)
    (folder.path / "nginx.conf").write_text(nginx(folder), encoding="utf-8")


def write_invitation(folder: CoordinatorFolder, member: Member) -> Path:
    """Write the file to send to a site."""
    settings = folder.settings
    authority = (folder.keys / "ca.pem").read_text(encoding="utf-8")
    invitation = Invitation(
        federation=settings.federation,
        coordinator=settings.coordinator,
        site=member.name,
        title=member.title,
        address=settings.address,
        ca_certificate=authority,
        ca_fingerprint=certificate_fingerprint(authority),
    )
    path = invitation_path(folder, member.name)
    write(path, invitation)
    return path


def invitation_path(folder: CoordinatorFolder, name: str) -> Path:
    """Where a site's invitation is kept."""
    return folder.path / "invitations" / f"{name}.yaml"


def nginx(folder: CoordinatorFolder) -> str:
    """nginx in place of our front: the same paths. Keys are checked by the SuperLink behind it, replays by nobody."""
    settings = folder.settings
    _, port = split_address(settings.address)
    paths = "|".join(path.removeprefix("/v1/fleet/") for path in PATHS)
    return f"""\
# nginx before the SuperLink, in place of kommunbench's front (front.enabled: false in coordinator.yaml).
# Put it into /etc/nginx/conf.d/ and try it with `nginx -t`. Unlike our front it does not refuse a replayed request.
limit_req_zone $binary_remote_addr zone=kommunbench:10m rate=50r/s;
server {{
    listen {port} ssl;
    server_name {split_address(settings.address)[0]};
    ssl_certificate     {folder.keys / "server.pem"};
    ssl_certificate_key {folder.keys / "server.key"};
    ssl_protocols TLSv1.2 TLSv1.3;
    client_max_body_size {MAX_BODY // 2**20}m;
    server_tokens off;

    location ~ ^/v1/fleet/({paths})$ {{
        limit_except POST {{ deny all; }}
        limit_req zone=kommunbench burst=200;
        proxy_pass https://{folder.superlink_address};
        proxy_ssl_trusted_certificate {folder.keys / "ca.pem"};
        proxy_ssl_verify on;
        proxy_ssl_name localhost;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }}
    location / {{ return 404; }}  # Flower's Control interface above all: it has no authentication
}}
"""


def _scalar(value: str) -> str:
    return yaml.safe_dump(value, allow_unicode=True, width=1000).removesuffix("...\n").strip()
