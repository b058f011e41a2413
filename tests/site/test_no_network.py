"""The worker's process has no network, and neither has what it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import socket, subprocess, sys
from kommunbench.site.no_network import give_up_network, has_network
assert has_network(), "the test needs a network to lose"
print(give_up_network(), has_network())
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try:
        socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM)
        print("open")
    except OSError as error:
        print(error.errno)
left, right = socket.socketpair()
left.sendall(b"unix sockets stay")
print(right.recv(50).decode())
child = "import socket\\ntry:\\n socket.socket()\\n print('open')\\nexcept OSError as error: print(error.errno)"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="seccomp is Linux's")
def test_no_network_socket_can_be_made_by_the_process_or_its_children() -> None:
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.split("\n")[:-1] == ["True False", "13", "13", "13", "unix sockets stay", "13"]
