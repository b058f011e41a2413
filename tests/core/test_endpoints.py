"""Which servers a site may name, and that no public address can be among them."""

from __future__ import annotations

import pytest

from kommunbench.core.endpoints import checked_server, own_network, server_of
from kommunbench.release import ReleasePolicy


@pytest.mark.parametrize(
    "network", ["127.0.0.0/8", "127.0.0.1", "10.20.0.0/16", "172.31.0.0/24", "192.168.1.7/32", "::1", "fd00::/8"]
)
def test_a_private_network_may_be_named(network: str) -> None:
    assert ReleasePolicy(endpoints={"gpu:8000": network}).endpoints["gpu:8000"] == str(own_network(network))


@pytest.mark.parametrize(
    "network",
    ["0.0.0.0/0", "8.8.8.8", "10.0.0.0/7", "172.0.0.0/8", "192.168.0.0/15", "169.254.169.254", "100.64.0.0/10",
     "::/0", "2001:db8::/32", "fe80::/10", "::ffff:10.0.0.0/104", "10.0.0.1/8", "kommunen", "", "127.0.0.0/8 "],
)  # fmt: skip
def test_anything_wider_or_public_may_not(network: str) -> None:
    with pytest.raises(ValueError, match="network"):
        own_network(network)
    with pytest.raises(ValueError, match="endpoints"):
        ReleasePolicy(endpoints={"gpu:8000": network})


@pytest.mark.parametrize("server", ["gpu", "GPU:80", "http://gpu:80", "gpu:80/v1", "gpu:80\n", "*:80", ":80", "a b:1"])
def test_a_server_is_a_host_and_a_port(server: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        checked_server(server)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://gpu.kommunen.se:8000/v1", "gpu.kommunen.se:8000"),
        ("https://GPU.kommunen.se/v1", "gpu.kommunen.se:443"),
        ("http://127.0.0.1", "127.0.0.1:80"),
        ("http://[::1]:8080/v1", "[::1]:8080"),
    ],
)
def test_the_server_of_a_url(url: str, server: str) -> None:
    assert checked_server(server_of(url)) == server


@pytest.mark.parametrize(
    "url", ["", "gpu:8000", "ftp://gpu/v1", "file:///etc", "http://user:pw@gpu/v1", "http://gpu/?a=b", "http:///v1"]
)
def test_what_is_no_servers_url(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        server_of(url)
