"""Accepting an invitation at a site: what came is checked and kept, what goes back is signed by keys that stay."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kommunbench.core.errors import Fault, FederationError
from kommunbench.federation.deployment.invitation import make_request, read_invitation, version_faults, write
from kommunbench.release.identity import Identity
from kommunbench.site.home import SiteHome, node_key


class Joined(NamedTuple):
    """What a person at the site has to know and do next."""

    site: str
    coordinator: str
    address: str
    ca_spoken: str
    spoken: str
    request: str
    warnings: tuple[str, ...]


def accept(home: SiteHome, invitation: Path) -> Joined:
    """Keep the invitation and write request.yaml.

    Raises:
        ConfigError: no site's folder.
        FederationError: not an invitation, or the site has joined another federation already.
    """
    home.settings()
    invited = read_invitation(invitation)
    if home.invitation.is_file() and home.invitation.resolve() != invitation.resolve():
        earlier = read_invitation(home.invitation)
        if (earlier.federation, earlier.site) != (invited.federation, invited.site):
            what = f"this folder has joined {earlier.federation} as {earlier.site}"
            raise FederationError(Fault(what, str(home.path), "a folder a federation: `kommunbench site init` another"))
    Identity.of(home.path)
    identity = load_pem_private_key(home.identity_key.read_bytes(), password=None)
    if not isinstance(identity, Ed25519PrivateKey):
        raise FederationError(Fault("not an Ed25519 key", str(home.identity_key)))
    request = make_request(invited, node_key(home), identity)
    write(home.invitation, invited)
    write(home.request, request)
    return Joined(
        invited.site,
        invited.coordinator,
        invited.address,
        invited.spoken,
        request.spoken,
        str(home.request),
        tuple(map(str, version_faults(invited))),
    )
