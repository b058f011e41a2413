"""Where a server is reached from its own machine."""

from __future__ import annotations

import ipaddress

LOOPBACK = "127.0.0.1"


def is_loopback(host: str) -> bool:
    """Only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def from_here(host: str) -> str:
    """The address by which this machine reaches a server that listens on `host`, which may be all addresses."""
    try:
        return LOOPBACK if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        return host
