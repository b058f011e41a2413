"""Taking other sites' keys into this site's own peers.yaml: from a list that anybody may have made, by comparing each.

`kommunbench coordinator peers` prints such a list. It is a convenience: nothing in it counts until a person here has
compared the digits of a key with those that its owner reads aloud (`kommunbench site identity` there).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from kommunbench.core.digests import spoken
from kommunbench.core.errors import Fault, FederationError, PolicyError
from kommunbench.core.masking import SiteName
from kommunbench.release.peers import PEERS, peer_fingerprint, read_peers
from kommunbench.site.private import write_private

MAX_BYTES = 1024 * 1024
"""A list that is larger is none."""


class Listed(BaseModel):
    """One site as a list names it: what people call it, and its public key (64 hexadecimal digits)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    title: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


_LIST = TypeAdapter(dict[SiteName, Listed])


def read_list(path: Path) -> dict[str, Listed]:
    """The sites of a list, by name; nothing of it is trusted yet.

    Raises:
        FederationError: it cannot be read, or is no such list.
    """
    try:
        raw = path.read_bytes()
        return _LIST.validate_python(yaml.safe_load(raw.decode()) if len(raw) <= MAX_BYTES else None)
    except OSError as error:
        raise FederationError(Fault(f"cannot be read: {error.strerror}", str(path))) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError):
        do = "take what `kommunbench coordinator peers` printed"
        raise FederationError(Fault("not a list of sites with their public keys", str(path), do)) from None


def read_aloud(name: str, key: str) -> str:
    """The digits that a site reads aloud of its key, and another compares."""
    return spoken(peer_fingerprint(name, key))


def is_same(digits: str, name: str, key: str) -> bool:
    """Whether what was heard is what `read_aloud` gives, however it was written down."""
    return "".join(digits.split()).lower() == read_aloud(name, key).replace(" ", "")


def take(home: Path, compared: Mapping[str, str]) -> Mapping[str, str]:
    """Write the keys that were compared into peers.yaml, beside those that stand there; gives all of them.

    Raises:
        PolicyError: peers.yaml is broken, or would name two sites with one key. It is left as it was.
    """
    peers = {**read_peers(home), **compared}
    if len(set(peers.values())) != len(peers):
        do = "a key is one site's: call both, and leave out the one that does not read these digits"
        raise PolicyError(Fault("two sites would have the same key", str(home / PEERS), do))
    write_private(home / PEERS, yaml.safe_dump(peers, allow_unicode=True, width=1000))
    return peers
