"""A run with masked sums in this process: the same apps and bytes, one message after another, some of them lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from flwr.app import Context, Error, Message, RecordDict
from flwr.common.constant import ErrorCode
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.supercore.task_identity import TaskIdentity

from federated_folder import rows, write_sites
from kommunbench.cli.compose import make_plan, make_sites, node_config
from kommunbench.config.settings import Settings
from kommunbench.core.answer import Code
from kommunbench.core.spec import Request
from kommunbench.federation.client_app import app as client_app
from kommunbench.federation.engines.local import FIRST_NODE_ID, RUN_ID, LocalGrid, run_apps
from kommunbench.report.record import RunFolder

SIZES = {"ekby": 18, "liten": 4, "norr": 12, "åvik": 23, "öster": 31}
WORDS = ("strategy=none", "models=[lead,copy]", "tasks=[lattlast]")
SECAGG = (*WORDS, "privacy=secagg", "privacy.min_sites=2", "privacy.threshold=3")


def five_sites(folder: Path) -> Path:
    """Five sites; `liten` is too small to give any number."""
    return write_sites(folder, {site: {"lattlast": rows("lattlast", size, size)} for site, size in SIZES.items()})


class HereGrid(LocalGrid):
    """The same apps and the same bytes in this process, one message after another; chosen messages are lost."""

    def __init__(self, nodes: Iterable[Mapping[str, Any]], lost: Lost, wiretap: list[bytes]) -> None:
        TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = RUN_ID, 1, 1
        self._configs = {FIRST_NODE_ID + place: dict(config) for place, config in enumerate(nodes)}
        self._replies, self._workers, self._threads = {}, [], []
        self.lost, self.wiretap = lost, wiretap

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = uuid.uuid4().hex
            config = self._configs[message.metadata.dst_node_id]
            request = Request.model_validate_json(str(message.content.config_records["request"]["json"]))
            if self.lost(str(config["name"]), request):
                reply = Message(Error(ErrorCode.CLIENT_APP_CRASHED, "gone"), reply_to=message)
            else:
                reply = self.answer(message, config)
            self._replies[message.metadata.message_id] = reply
            ids.append(message.metadata.message_id)
        return ids

    def answer(self, message: Message, config: dict[str, Any]) -> Message:
        arrived = message_from_proto(ProtoMessage.FromString(message_to_proto(message).SerializeToString()))
        context = Context(RUN_ID, message.metadata.dst_node_id, config, RecordDict(), {})
        sent = message_to_proto(client_app(message=arrived, context=context)).SerializeToString()
        self.wiretap.append(sent)
        return message_from_proto(ProtoMessage.FromString(sent))

    replays: ClassVar[list[tuple[str, Code]]] = []


class ReplayingGrid(HereGrid):
    """Every step after the first is asked twice; the second answer is noted."""

    def answer(self, message: Message, config: dict[str, Any]) -> Message:
        reply = super().answer(message, config)
        request = Request.model_validate_json(str(message.content.config_records["request"]["json"]))
        if request.masking is not None and request.masking.step != "open":
            status = super().answer(message, config).content.array_records["release"]["status"].numpy()
            self.replays.append((request.masking.step, Code(int(status[0]))))
        return reply


Lost = Callable[[str, Request], bool]


def nobody(site: str, request: Request) -> bool:
    return False


def run_here(
    settings: Settings,
    lost: Lost = nobody,
    wiretap: list[bytes] | None = None,
    again: bool = False,
    kind: type[HereGrid] = HereGrid,
) -> RunFolder:
    """Run to the end in this process. `again` goes on with what there is."""
    folder, plan = RunFolder(settings.folder), make_plan(settings)
    if not again:
        folder.write_info(plan.info)
    grid = kind([node_config(site) for site in make_sites(settings)], lost, [] if wiretap is None else wiretap)
    run_apps(grid, plan)
    return folder


def losing(site: str, *steps: str, action: str = "work") -> Lost:
    """That site's messages with those steps of that action are lost."""
    return lambda name, request: (
        name == site and request.action == action and request.masking is not None and request.masking.step in steps
    )
