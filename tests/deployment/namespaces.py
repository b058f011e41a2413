"""Two machines in one: the coordinator's and the sites', each a network namespace, with one cable and no other way.

What either of them sends to anywhere else takes the cable too, as each has the other as its gateway, so that a listener
on it hears of every packet that leaves a machine; and the cable can be pulled out. It takes root and iproute2.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COORDINATOR, SITES = "10.231.7.1", "10.231.7.2"
CLONE_NEWNET = 0x40000000
EVERY_PROTOCOL = 3
IPV4, IPV6, TCP, UDP = 0x0800, 0x86DD, 6, 17


def available() -> bool:
    """Whether this system lets us."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode == 0


class Machines:
    """The two namespaces and the cable; `seen` is every (address, port) that a packet went to or came from."""

    def __init__(self) -> None:
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.names = {COORDINATOR: f"kbc{os.getpid()}", SITES: f"kbs{os.getpid()}"}
        self.cables = {COORDINATOR: f"kbc{os.getpid() % 100000}", SITES: f"kbs{os.getpid() % 100000}"}
        for name in self.names.values():
            _ip("netns", "add", name)
        (near, far), (here, there) = self.names.values(), self.cables.values()
        _ip("link", "add", here, "netns", near, "type", "veth", "peer", "name", there, "netns", far)
        for address, other in ((COORDINATOR, SITES), (SITES, COORDINATOR)):
            name, cable = self.names[address], self.cables[address]
            with self.inside(address):
                Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1", encoding="ascii")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "addr", "add", f"{address}/30", "dev", cable)
            _ip("-n", name, "link", "set", cable, "up")
            _ip("-n", name, "route", "add", "default", "via", other)
        self.seen: set[tuple[str, int]] = set()
        with self.inside(COORDINATOR):
            self._listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
            self._listener.bind((self.cables[COORDINATOR], 0))
        threading.Thread(target=self._listen, daemon=True).start()

    @contextmanager
    def inside(self, address: str) -> Iterator[None]:
        """This thread, and every process that it starts, sits at the machine of that address."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.names[address]}", os.O_RDONLY)
        try:
            _set_namespace(there)
            yield
        finally:
            _set_namespace(before)
            os.close(before)
            os.close(there)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """The cable is pulled out."""
        _ip("-n", self.names[SITES], "link", "set", self.cables[SITES], "down")
        try:
            yield
        finally:
            _ip("-n", self.names[SITES], "link", "set", self.cables[SITES], "up")
            _ip("-n", self.names[SITES], "route", "add", "default", "via", COORDINATOR)

    def _listen(self) -> None:
        while True:
            try:
                packet = self._listener.recv(65535)
            except OSError:
                return
            (kind,) = struct.unpack_from("!H", packet, 12)
            if kind == IPV6:
                self.seen.add(("IPv6", 0))
            if kind != IPV4:
                continue
            start = 14 + (packet[14] & 15) * 4
            ports = struct.unpack_from("!HH", packet, start) if packet[23] in (TCP, UDP) else (0, 0)
            ends = zip((socket.inet_ntoa(packet[26:30]), socket.inet_ntoa(packet[30:34])), ports, strict=True)
            self.seen |= set(ends)

    def end(self) -> None:
        """Take everything away; what still runs there keeps its namespace until it ends."""
        self._listener.close()
        for name in self.names.values():
            _ip("netns", "delete", name)
        os.close(self.home)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _set_namespace(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
