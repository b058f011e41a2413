"""One coordinator and its sites for all tests of a process that need them: to start one takes half a minute."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deployment import namespaces
from deployment.real import RealFederation


@pytest.fixture(scope="session")
def federation() -> Iterator[RealFederation]:
    """A coordinator, and two of its three sites online: on two machines with one cable where the system lets us."""
    place = Path(tempfile.mkdtemp(prefix="kb-"))  # short: a socket's path is
    with ExitStack() as ends:
        ends.callback(shutil.rmtree, place, ignore_errors=True)
        machines = namespaces.Machines() if namespaces.available() else None
        if machines:
            ends.callback(machines.end)
            ends.enter_context(machines.inside(namespaces.COORDINATOR))
        federation = RealFederation(place, machines=machines)
        ends.callback(federation.end)
        federation.start_nodes("ale", "bro")
        federation.wait_online("ale", "bro")
        yield federation
