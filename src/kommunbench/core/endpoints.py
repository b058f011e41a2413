"""Servers on a site's own network that may be asked for answers: which ones, and where their names really lead.

A site names each as `host:port` with the network that its addresses must lie in. Only this machine's and private
networks count (RFC 1918, RFC 4193): never a public address, nor a link-local one, where clouds keep their secrets.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from kommunbench.core.errors import Fault, ModelError

Network = IPv4Network | IPv6Network
OWN = tuple(map(ip_network, ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_SERVER = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\]):[0-9]{1,5}")
_PORTS = {"http": 80, "https": 443}


def own_network(text: str) -> Network:
    """The network that `text` names, such as 10.20.0.0/16.

    Raises:
        ValueError: it is none, or reaches beyond this machine and private networks.
    """
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("not a network: write 10.20.0.0/16, or 127.0.0.0/8 for this machine") from None
    if not any(_within(network, own) for own in OWN):
        raise ValueError("not a private network: a site's text goes to no public address")
    return network


def checked_server(text: str) -> str:
    """`text` where it is `host:port` in lower case. Raises ValueError."""
    if not _SERVER.fullmatch(text):
        raise ValueError("a server is host:port, in lower case")
    return text


def server_of(url: str) -> str:
    """`host:port` of a server's URL.

    Raises:
        ValueError: it is no plain http or https URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("not a URL such as http://10.20.0.5:8000/v1, without a user, a query or a fragment")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or _PORTS[parts.scheme]}"


def address_of(server: str, allowed: Mapping[str, str]) -> str:
    """The address to call `server` (`host:port`) at: looked up now, and held against the network allowed for it.

    Every address of the name has to lie there, so that whoever answers for names cannot lead anyone elsewhere.

    Raises:
        ModelError: the site's policy does not name the server, or its name leads elsewhere or nowhere.
    """
    if server not in allowed:
        do = f"to allow it, in site.yaml: endpoints: {{'{server}': NETWORK}}"
        raise ModelError(Fault(f"{server} is not a server that this site's policy allows", "site.yaml: endpoints", do))
    host, _, port = server.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError:
        raise ModelError(
            Fault(f"no address is known of {server}", do="see to its name, or write its address")
        ) from None
    addresses = [_plain(ip_address(str(entry[4][0]).partition("%")[0])) for entry in found]
    network = own_network(allowed[server])
    if not addresses or not all(address.version == network.version and address in network for address in addresses):
        what = f"{server} leads out of {network}, the network that is allowed for it"
        raise ModelError(Fault(what, "site.yaml: endpoints", "nothing was sent; ask who answers for names here"))
    return str(addresses[0])


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that is written as IPv6, as itself."""
    return getattr(address, "ipv4_mapped", None) or address


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)
