"""A process that gives up the network for good: the worker that reads the site's text and runs the models.

A seccomp filter (Linux 3.5 and later, x86_64 and aarch64) lets this process and all its children make unix sockets and
no others; io_uring, which could make sockets of its own, is off. It needs no rights, cannot be taken back, and works
inside containers and under systemd. See seccomp(2); the program is classic BPF over struct seccomp_data.
"""

from __future__ import annotations

import ctypes
import platform
import socket
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 13  # SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EACCES
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By platform.machine(): AUDIT_ARCH and the number of socket(2)."""
_IO_URING_SETUP, _X32 = 425, 0x40000000


def give_up_network() -> bool:
    """Allow unix sockets alone from now on, in this process and what it starts. Call it before there are threads.

    Returns:
        Whether the network is gone; False where this system has no such filter.
    """
    if not sys.platform.startswith("linux") or platform.machine() not in _MACHINES:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(*_MACHINES[platform.machine()])
    code = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filters, 0, 0):
        return False
    return not has_network()


def has_network() -> bool:
    """Whether this process can make a network socket."""
    try:
        socket.socket(socket.AF_INET).close()
    except OSError:
        return False
    return True


def _program(architecture: int, socket_call: int) -> bytes:
    """Steps are (code, jump if true, jump if false, constant); jumps count from the next step."""
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 0, 7, architecture),  # another ABI numbers its calls otherwise
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 5, 0, _X32),
        (_EQUAL, 4, 0, _IO_URING_SETUP),
        (_EQUAL, 0, 2, socket_call),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 1, socket.AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _DENY),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
