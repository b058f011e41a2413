"""Flower's SuperNode as a site starts it: outbound TLS to one address, our executor in place of Flower's.

python -m kommunbench.federation.deployment.supernode HOME ADDRESS PORT
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from kommunbench.site.home import SiteHome, node_key
from kommunbench.site.node_state import last_node_id
from kommunbench.site.processes import end_with_parent

ENDED = 76
"""Exit code when Flower gave the connection up, over an error of the coordinator's server; the node starts another."""
EXECUTOR_FILE = "executor.key"
"""In the site's run/ folder: what our executor shows the SuperNode; new at each start."""


def arguments(home: SiteHome, address: str, port: int) -> list[str]:
    """What `flower-supernode` is started with."""
    return [
        "--superlink", address,
        "--root-certificates", str(home.ca),
        "--auth-supernode-private-key", str(home.node_key),
        "--isolation", "process",
        "--superexec-auth-secret-file", str(home.running / EXECUTOR_FILE),
        "--host", "127.0.0.1",
        "--port", str(port),
    ]  # fmt: skip


def sign_off(home: SiteHome, address: str) -> None:
    """Tell the coordinator that this node's last start is over.

    A node that was killed could not say so. It would count as online for a minute, be refused when it starts anew
    within that, and be waited for in vain by a run that asked it something.
    """
    from flwr.proto.fleet_pb2 import DeactivateNodeRequest
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
    from flwr.supernode.fleet_http_client import FleetHttpClient
    from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

    node_id, key = last_node_id(home), node_key(home)
    if node_id is None:
        return
    version, signing = RuntimeVersionHttpInterceptor("SuperNode"), NodeAuthHttpInterceptor(key, key.public_key())
    with (
        suppress(httpx.HTTPError),  # it did say so, or the coordinator cannot be reached, which the start will tell
        FleetHttpClient.from_server_address(address, False, home.ca.read_bytes(), [version, signing]) as client,
    ):
        client.DeactivateNode(DeactivateNodeRequest(node_id=node_id))


def main() -> None:
    """The process."""
    end_with_parent()
    home, address, port = SiteHome(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
    sign_off(home, address)
    from flwr.supernode.cli import flower_supernode

    sys.argv = ["flower-supernode", *arguments(home, address, port)]
    flower_supernode()
    print("the connection to the coordinator ended; it is made anew", flush=True)
    os._exit(ENDED)  # Flower has signed off and its server's thread would keep the process, of no more use, for ever


if __name__ == "__main__":
    main()
