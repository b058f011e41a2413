"""Machines within this one, each a network namespace, of which every packet that leaves one is listened to.

`Machines` are two, the coordinator's and the sites', with one cable and no other way. What either of them sends to
anywhere else takes the cable too, as each has the other as its gateway, so that a listener on it hears of every packet
that leaves a machine; and the cable can be pulled out. `Alone` is one. It takes root and iproute2.
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
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

COORDINATOR, SITES = "10.231.7.1", "10.231.7.2"
CLONE_NEWNET = 0x40000000
EVERY_PROTOCOL = 3
IPV4, IPV6, TCP, UDP = 0x0800, 0x86DD, 6, 17
SYN, ACK = 2, 16


def available() -> bool:
    """Whether this system lets us."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode == 0


class Machines:
    """The two namespaces and the cable; `seen` is every (address, port) that a packet went to or came from."""

    def __init__(self) -> None:
        self.names = {COORDINATOR: f"kbc{os.getpid()}", SITES: f"kbs{os.getpid()}"}
        self.cables = {COORDINATOR: f"kbc{os.getpid() % 100000}", SITES: f"kbs{os.getpid() % 100000}"}
        for name in self.names.values():
            _ip("netns", "add", name)
        (near, far), (here, there) = self.names.values(), self.cables.values()
        _ip("link", "add", here, "netns", near, "type", "veth", "peer", "name", there, "netns", far)
        for address, other in ((COORDINATOR, SITES), (SITES, COORDINATOR)):
            name, cable = self.names[address], self.cables[address]
            with self.inside(address):
                _without_ipv6()
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "addr", "add", f"{address}/30", "dev", cable)
            _ip("-n", name, "link", "set", cable, "up")
            _ip("-n", name, "route", "add", "default", "via", other)
        self.seen: set[tuple[str, int]] = set()
        with self.inside(COORDINATOR):
            self._listener = _listener(self.cables[COORDINATOR])
        threading.Thread(target=self._listen, daemon=True).start()

    def inside(self, address: str) -> AbstractContextManager[None]:
        """This thread, and every process that it starts, sits at the machine of that address."""
        return _inside(self.names[address])

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
        for packet in _packets(self._listener):
            self.seen |= {packet.source, packet.target}

    def end(self) -> None:
        """Take everything away; what still runs there keeps its namespace until it ends."""
        self._listener.close()
        for name in self.names.values():
            _ip("netns", "delete", name)


class Alone:
    """One machine by itself, whose way out leads nowhere and is listened to.

    `outside` is every (address, port) that something wanted to leave for; `called` its own ports that were called.
    """

    def __init__(self) -> None:
        self.name, self.outside, self.called = f"kba{os.getpid()}", set[tuple[str, int]](), set[int]()
        _ip("netns", "add", self.name)
        with self.inside():
            _without_ipv6()
            _ip("link", "add", "out", "type", "veth", "peer", "name", "nowhere")
            _ip("addr", "add", "10.231.9.1/30", "dev", "out")
            for device in ("lo", "out", "nowhere"):
                _ip("link", "set", device, "up")
            _ip("neigh", "add", "10.231.9.2", "lladdr", "02:00:00:00:00:02", "dev", "out")
            _ip("route", "add", "default", "via", "10.231.9.2")
            self._listeners = [_listener("out"), _listener("lo")]
        for listen in (self._listen_outside, self._listen_here):
            threading.Thread(target=listen, daemon=True).start()

    def inside(self) -> AbstractContextManager[None]:
        """This thread, and every process that it starts, sits at that machine."""
        return _inside(self.name)

    def _listen_outside(self) -> None:
        for packet in _packets(self._listeners[0]):
            self.outside.add(packet.target)

    def _listen_here(self) -> None:
        for packet in _packets(self._listeners[1]):
            if packet.opens:
                self.called.add(packet.target[1])

    def end(self) -> None:
        """As of `Machines`."""
        for listener in self._listeners:
            listener.close()
        _ip("netns", "delete", self.name)


class _Packet(NamedTuple):
    """From where to where, each an address and a port (0 where there is none), and whether it opens a connection."""

    source: tuple[str, int]
    target: tuple[str, int]
    opens: bool


@contextmanager
def _inside(name: str) -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _set_namespace(there)
        yield
    finally:
        _set_namespace(before)
        os.close(before)
        os.close(there)


def _without_ipv6() -> None:
    Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1", encoding="ascii")


def _listener(device: str) -> socket.socket:
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
    listener.bind((device, 0))
    return listener


def _packets(listener: socket.socket) -> Iterator[_Packet]:
    while True:
        try:
            packet = listener.recv(65535)
        except OSError:
            return
        (kind,) = struct.unpack_from("!H", packet, 12)
        if kind == IPV6:
            yield _Packet(("IPv6", 0), ("IPv6", 0), False)
        if kind != IPV4:
            continue
        start = 14 + (packet[14] & 15) * 4
        ports = struct.unpack_from("!HH", packet, start) if packet[23] in (TCP, UDP) else (0, 0)
        opens = packet[23] == TCP and packet[start + 13] & (SYN | ACK) == SYN
        near, far = socket.inet_ntoa(packet[26:30]), socket.inet_ntoa(packet[30:34])
        yield _Packet((near, ports[0]), (far, ports[1]), opens)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _set_namespace(handle: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
