"""What a site's node is doing, said in a sentence: read from the tail of its log, with what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple

from kommunbench.site.home import SiteHome

TAIL_BYTES = 64 * 1024


class Connection(NamedTuple):
    """Where a node stands with its coordinator: a stable word, a sentence, and what to do."""

    state: str
    what: str
    do: str = ""


CONNECTING = Connection("connecting", "not connected yet", "wait a moment; `kommunbench site logs` shows more")
_SIGNS: tuple[tuple[str, Connection], ...] = (
    (r"SuperNode ID: |Connection successful after|Received successfully|Sent successfully",
     Connection("connected", "connected to the coordinator")),
    (r"Server error '5\d\d|it is made anew",
     Connection("connecting", "the coordinator's server failed, and is called again", "wait a minute; then tell them")),
    (r"certificate has expired",
     Connection("expired", "the coordinator's certificate has expired", "tell the coordinator; nothing was sent")),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSL: ",
     Connection("untrusted", "what answers there does not have the certificate of the invitation",
                "somebody may be in between, or the coordinator has a new authority: telephone, then join again")),
    (r"\[code: 200[14]\]|Failed to activate SuperNode",
     Connection("unknown", "the coordinator does not know this node's key",
                "send request.yaml again and ask whether it was approved")),
    (r"this site runs Flower",
     Connection("version", "another version of Flower runs at the coordinator",
                "install the version of kommunbench that the invitation names")),
    (r"the request's clock is",
     Connection("clock", "this machine's clock and the coordinator's differ by minutes",
                "set it by NTP (`timedatectl`), then start again")),
    (r"Connection attempt failed|Connection refused|ConnectError|ConnectTimeout|Name or service not known",
     Connection("unreachable", "the coordinator does not answer at its address",
                "`kommunbench site doctor` says whether name, port or proxy is the trouble")),
)  # fmt: skip
"""The first that fits a line is what it says; the newest line with a sign is where the node stands."""


def read_connection(home: SiteHome, log_from: int) -> Connection:
    """What the newest sign in node.log says, of what was written from byte `log_from` on."""
    try:
        with home.node_log.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(min(log_from, size), size - TAIL_BYTES))
            tail = log.read().decode("utf-8", "replace")
    except OSError:
        return CONNECTING
    found = CONNECTING
    for line in tail.splitlines():
        found = next((connection for sign, connection in _SIGNS if re.search(sign, line)), found)
    return found


def last_node_id(home: SiteHome) -> int | None:
    """The number by which the coordinator's SuperLink last knew this node; None where the log does not tell."""
    try:
        found = re.findall(rb"SuperNode ID: (\d+)", home.node_log.read_bytes())
    except OSError:
        return None
    return int(found[-1]) if found else None
