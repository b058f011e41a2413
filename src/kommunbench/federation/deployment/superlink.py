"""What the coordinator says to its own SuperLink, on loopback: register nodes, start and stop a run, take its task."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx
from flwr.proto.control_pb2 import (
    ListNodesRequest,
    RegisterNodeRequest,
    StartRunRequest,
    StopRunRequest,
    UnregisterNodeRequest,
)
from flwr.proto.fab_pb2 import Fab
from flwr.proto.node_pb2 import NodeInfo
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.control import ControlHttpClient
from flwr.supercore.error import FlowerError
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient

from kommunbench.core.errors import Fault, FederationError
from kommunbench.federation.deployment.bundle import bundle
from kommunbench.federation.deployment.certificates import days_left, lasts, remedy
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.roster import Roster

ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
ACQUIRE_S = 30.0
"""How long a run that was just started may take to be handed out."""
Result = TypeVar("Result")


class SuperLink:
    """The SuperLink of one coordinator's folder."""

    def __init__(self, folder: CoordinatorFolder) -> None:
        self.folder, self.address = folder, folder.superlink_address
        self.authority = (folder.keys / "ca.pem").read_bytes()
        self._control = ControlHttpClient.from_server_address(
            self.address, False, self.authority, [RuntimeVersionHttpInterceptor(component_name="flwr CLI")]
        )

    def nodes(self) -> list[NodeInfo]:
        """Every registered node that was not unregistered, with its key and whether it is online."""
        found = self._ask(self._control.ListNodes, ListNodesRequest()).nodes_info
        return [node for node in found if node.status != "unregistered"]

    def follow(self, roster: Roster) -> None:
        """Register the nodes of approved sites under their names, and unregister every other; one process at a time."""
        with (self.folder.state / "register.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._follow(roster)

    def _follow(self, roster: Roster) -> None:
        wanted = {member.node_key_pem: name for name, member in roster.approved().items()}
        for node in self.nodes():
            if wanted.get(node.public_key) == node.name:
                del wanted[node.public_key]
            else:
                self._ask(self._control.UnregisterNode, UnregisterNodeRequest(node_id=node.node_id))
        faults: list[Fault] = []
        for key, name in wanted.items():
            try:
                self._ask(self._control.RegisterNode, RegisterNodeRequest(public_key=key, name=name))
            except FederationError as error:  # the others are let in all the same
                faults += [Fault(f"{name}: {fault.what}", fault.where, fault.do) for fault in error.faults]
        FederationError.raise_if(faults)

    def start_run(self) -> int:
        """Start a run with our bundle and give its id; its task waits to be taken."""
        return int(self._ask(self._control.StartRun, StartRunRequest(fab=Fab(content=bundle()))).run_id)

    def stop_run(self, run_id: int) -> bool:
        """Stop a run, so that no site works for it any longer. False where it has ended already or is unknown."""
        try:
            return bool(self._ask(self._control.StopRun, StopRunRequest(run_id=run_id)).success)
        except FederationError as error:
            if isinstance(error.__cause__, httpx.HTTPStatusError):
                return False
            raise

    def take_task(self, run_id: int) -> str:
        """The token of `run_id`'s task: whoever holds it is the run's ServerApp.

        Tasks of runs whose process ended before it took them are taken on the way and stopped.

        Raises:
            FederationError: it was not handed out.
        """
        secret = (self.folder.keys / "superexec.secret").read_bytes()
        auth = SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods={ACQUIRE})
        version = RuntimeVersionHttpInterceptor(component_name="SuperExec")
        client = RuntimeHttpClient.from_server_address(self.address, False, self.authority, [version, auth])
        end = time.monotonic() + ACQUIRE_S
        with client:
            while time.monotonic() < end:
                found = self._ask(client.AcquireTask, AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
                if found.token and found.task.run_id == run_id:
                    return str(found.token)
                if found.token:
                    self.stop_run(found.task.run_id)
                else:
                    time.sleep(0.2)
        raise FederationError(
            Fault("the SuperLink did not hand out the run", self.address, "look into logs/superlink.log")
        )

    def close(self) -> None:
        """End the connection."""
        self._control.close()

    def _ask(self, call: Callable[[Any], Result], request: Any) -> Result:
        """One call. Raises FederationError where the SuperLink is down or says no."""
        try:
            return call(request)
        except httpx.HTTPStatusError as error:
            said = FlowerError.from_json(error.response.text)
            what = f"the SuperLink refused: {said.message if said else error.response.status_code}"
            raise FederationError(Fault(what, self.address)) from error
        except httpx.HTTPError as error:
            left = days_left(self.folder.keys / "loopback.pem")
            do = f"`kommunbench coordinator start --dir {self.folder.path}`"
            what = "the SuperLink does not answer"
            if left <= 0:
                what, do = f"the SuperLink's certificate {lasts(left)}", remedy("loopback")
            raise FederationError(Fault(what, self.address, do)) from error


def site_nodes(nodes: list[NodeInfo], roster: Roster) -> Mapping[str, NodeInfo]:
    """Nodes by the name that the roster binds their key to; a node with any other key is nobody's."""
    names = {member.node_key_pem: name for name, member in roster.approved().items()}
    return {names[node.public_key]: node for node in nodes if node.public_key in names}
