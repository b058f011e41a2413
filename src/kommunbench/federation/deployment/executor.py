"""The site's own executor: it takes tasks from the node's SuperNode, and only vetted code ever sees one.

Flower's executor starts `flwr-clientapp` for every message, which unpacks the bundle that came with the run and imports
the app from it, before the site's own copy. Ours takes its place (SuperNode with `--isolation process`). It asks for
ClientApp tasks alone, so that none of the other kinds a SuperNode knows can run here; it takes the bundle's SHA-256 and
lets its bytes go unread; and it hands the message to the warm worker (worker.py). What it sends back is a release's
bytes on every path: an exception's text would reach the coordinator.

It stands on these of flwr's parts, which a test holds against the pinned version: the Runtime API's client and its two
interceptors, `pull_task_input`, `push_message`, `push_task_output` and the task's heartbeat. Flower's retries raise
SIGINT in a process whose task was taken away; here that ends the task and not the process.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import httpx
from flwr.app import Context, Message, RecordDict
from flwr.common.constant import SubStatus
from flwr.common.serde import message_to_proto, recorddict_from_proto
from flwr.proto.recorddict_pb2 import RecordDict as ProtoRecordDict
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.protobuf.client import ProtobufClientInterceptor
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

from kommunbench.core.answer import Code
from kommunbench.federation.deployment.worker import hand_over
from kommunbench.federation.records import write_release
from kommunbench.release import refuse
from kommunbench.site.log import log_failure, logging_to

ACQUIRE = "/flwr.proto.Runtime/AcquireTask"


class Executor:
    """Takes tasks one at a time.

    Args:
        address: of the SuperNode's Runtime API on the loopback, host and port.
        secret: shared with the SuperNode, so that no other process on the machine can take a task.
        socket: the worker's.
        home: the site's folder, for its log.
    """

    def __init__(self, address: str, secret: bytes, socket: Path, home: Path) -> None:
        self.address, self.socket, self.home = address, socket, home
        signing = SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods=[ACQUIRE])
        self.tasks = self._client(signing, tries=1)  # the node sees to a SuperNode that is gone

    def take(self) -> bool:
        """Answer one task if there is one. Whether there was.

        Raises:
            httpx.HTTPError: the SuperNode does not answer.
        """
        found = self.tasks.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP]))
        if not (found.HasField("task") and found.token):
            return False
        try:
            self._answer(found.token)
        except (KeyboardInterrupt, httpx.HTTPError, RuntimeError) as error:  # taken away, or the SuperNode is gone
            with logging_to(self.home):
                log_failure("a task was called off", error)
        return True

    def _answer(self, token: str) -> None:
        client = self._client(RuntimeTokenHttpInterceptor(token))
        heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
        heartbeat.start()
        try:
            message, context, _, fab = pull_task_input(client)
            reply = Message(self._content(message, sha256(fab.content).hexdigest()), reply_to=message)
            push_message(client, reply, context)
            push_task_output(client, _empty(context), SubStatus.COMPLETED, "")
        finally:
            if heartbeat.is_running:
                heartbeat.stop()
            client.close()

    def _content(self, message: Message, bundle: str) -> RecordDict:
        try:
            reply = hand_over(self.socket, bundle, message_to_proto(message).SerializeToString())
            return recorddict_from_proto(ProtoRecordDict.FromString(reply))
        except (OSError, EOFError) as error:
            with logging_to(self.home):
                log_failure("the worker ended while it worked", error)
            return write_release(refuse(Code.INTERNAL))

    def _client(self, interceptor: ProtobufClientInterceptor, tries: int | None = None) -> RuntimeHttpClient:
        retries = make_simple_http_retry_invoker()
        retries.max_tries = tries
        return RuntimeHttpClient.from_server_address(
            server_address=self.address,
            insecure=True,  # the loopback, with a secret of this start
            root_certificates=None,
            interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr-clientapp"), interceptor],
            retry_invoker=retries,
        )


def _empty(context: Context) -> Context:
    """Flower would keep what a ClientApp leaves in its context; ours leaves nothing."""
    context.state = RecordDict()
    return context
