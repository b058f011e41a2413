"""The sites whose word counts here: `peers.yaml` in the site's own folder, a line `name: public key` each.

Organisations exchange the keys between themselves (`kommunbench site identity` prints a site's own) and municipal IT
writes the file; a run never does. A name that is not in it, or whose signature is by another key, is nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from kommunbench.core.digests import digest
from kommunbench.core.errors import Fault, PolicyError

PEERS = "peers.yaml"


def read_peers(home: Path) -> Mapping[str, str]:
    """Public keys (64 hexadecimal digits) by site; empty where the site has no such file.

    Raises:
        PolicyError: it is no list of names with keys, or two names share one.
    """
    path = home / PEERS
    if not path.is_file():
        return {}
    do = "one line a site: `name: 64 hexadecimal digits`, from `kommunbench site identity` there"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise PolicyError(Fault("not YAML", str(path), do)) from None
    if not isinstance(found, dict) or not all(_is_peer(name, key) for name, key in found.items()):
        raise PolicyError(Fault("not a list of sites with their public keys", str(path), do))
    if len(set(found.values())) != len(found):
        raise PolicyError(Fault("two sites have the same key", str(path), do))
    return found


def peer_fingerprint(name: str, key: str) -> str:
    """What two people compare by phone before `name` counts by `key`: SHA-256 over both, 64 hexadecimal digits."""
    return digest(["kommunbench peer", name, key])


def _is_peer(name: object, key: object) -> bool:
    if not isinstance(name, str) or not isinstance(key, str) or len(key) != 64:
        return False
    return set(key) <= set("0123456789abcdef")
