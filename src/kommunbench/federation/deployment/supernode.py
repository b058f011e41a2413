"""Flower's SuperNode as a site starts it: outbound TLS to one address, our executor in place of Flower's."""

from __future__ import annotations

import sys

from kommunbench.site.home import SiteHome
from kommunbench.site.processes import end_with_parent

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


def main() -> None:
    """The process."""
    end_with_parent()
    from flwr.supernode.cli import flower_supernode

    sys.argv[0] = "flower-supernode"
    flower_supernode()


if __name__ == "__main__":
    main()
