"""Every key on the wire, in one place: what a request and a reply look like as Flower records.

    request   ConfigRecord "request": json     core.spec.Request, one string
              ArrayRecord  "adapter":  float32 arrays by parameter name; "adapter.<site>" for one trained there alone
    reply     ArrayRecord  "release":  status, values, codes, cost: int64 vectors; receipt: 504 bytes, or none
              ArrayRecord  "adapter":  arrays under the names that were sent, as the run's `train.encoding` has them

Only a `Release` can be made into a reply, and only release/ makes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from pydantic import ValidationError

from kommunbench.core.encoding import Encoding, from_wire, to_wire
from kommunbench.core.errors import Fault, FederationError
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Request
from kommunbench.release import Release

REQUEST, ADAPTER, RELEASE = "request", "adapter", "release"
NUM_EXAMPLES = "num-examples"
"""The key by which Flower's strategies weigh replies."""


def to_arrays(adapter: Adapter) -> ArrayRecord:
    """An adapter as Flower sends it: float32, in the adapter's order."""
    return ArrayRecord({name: Array(np.asarray(weights, dtype=np.float32)) for name, weights in adapter.items()})


def from_arrays(record: ArrayRecord) -> dict[str, np.ndarray]:
    """The arrays of a record by name."""
    return {name: array.numpy() for name, array in record.items()}


def write_request(request: Request, adapters: Mapping[str, Adapter]) -> RecordDict:
    """A request's content. `adapters` by where they were trained; the federation's own has an empty name."""
    records = RecordDict({REQUEST: ConfigRecord({"json": request.model_dump_json()})})
    for origin, adapter in adapters.items():
        records[f"{ADAPTER}.{origin}" if origin else ADAPTER] = to_arrays(adapter)
    return records


def read_request(message: Message) -> tuple[Request, dict[str, Adapter]]:
    """What a message asks for.

    Raises:
        FederationError: not a request of this version; nothing of its content is quoted.
    """
    try:
        content = message.content
        request = Request.model_validate_json(str(content.config_records[REQUEST]["json"]))
        arrays: dict[str, Adapter] = {
            name.removeprefix(ADAPTER).removeprefix("."): from_arrays(record)
            for name, record in content.array_records.items()
        }
        return request, arrays
    except (KeyError, ValueError, ValidationError):
        raise FederationError(Fault("the message is no request of this version of kommunbench")) from None


def write_release(release: Release, request: Request | None = None, sent: Adapter | None = None) -> RecordDict:
    """A reply's content. Nothing but a Release has one. With weights: what was asked, and the adapter that came.

    Raises:
        ValueError: the weights are not rounded as the run's encoding asks.
    """
    vectors = {"status": release.status, "values": release.values, "codes": release.codes, "cost": release.cost}
    arrays = {name: Array(np.array(vector)) for name, vector in vectors.items()}
    arrays["receipt"] = Array(np.frombuffer(release.receipt, dtype=np.uint8).copy())
    records = RecordDict({RELEASE: ArrayRecord(arrays)})
    if release.adapter:
        wire = to_wire(release.adapter, sent or {}, encoding_of(request))
        records[ADAPTER] = ArrayRecord({name: Array(np.asarray(array)) for name, array in wire.items()})
    return records


class Reply(NamedTuple):
    """A reply as it came in: nothing of it is trusted yet."""

    status: np.ndarray
    values: np.ndarray
    codes: np.ndarray
    cost: np.ndarray
    adapter: Adapter | None
    receipt: bytes = b""


def encoding_of(request: Request | None) -> Encoding:
    """How trained weights cross in answer to `request`."""
    return request.spec.train.encoding if request and request.spec.train else "float32"


def read_reply(message: Message, request: Request | None = None, sent: Adapter | None = None) -> Reply:
    """The vectors of a reply to `request`, and its weights where there are any, from the adapter that was sent.

    Raises:
        FederationError: the reply is not of the agreed form.
    """
    try:
        content = message.content
        release = from_arrays(content.array_records[RELEASE])
        arrays = content.array_records.get(ADAPTER)
        adapter = None if arrays is None else from_wire(from_arrays(arrays), sent or {}, encoding_of(request))
        receipt = release["receipt"].astype(np.uint8, casting="no").tobytes()
        return Reply(release["status"], release["values"], release["codes"], release["cost"], adapter, receipt)
    except (KeyError, ValueError, TypeError):
        raise FederationError(Fault("a reply is not of the agreed form")) from None


def training_reply(adapter: Adapter, examples: int, node_id: int) -> Message:
    """A validated adapter as the message that Flower's strategies aggregate."""
    content = RecordDict({"arrays": to_arrays(adapter), "metrics": MetricRecord({NUM_EXAMPLES: examples})})
    return Message(content, dst_node_id=node_id, message_type="train")
