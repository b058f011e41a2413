"""The one thing that can be reached from outside: TLS, and of Flower's interface only what a site's node needs.

Flower serves its Control interface, which has no authentication, on the same port as the Fleet interface that nodes
use; so the SuperLink listens on loopback and this stands before it. A request gets through when

    its path is one of `PATHS`, word for word (the path that goes on is ours and not the caller's),
    it is signed, within the clock's tolerance, by the key of a site that the roster approves of,
    its signature has not been seen before,
    what it answers, it answers in its own name,
    it comes from the Flower version that is installed here, and is not larger than `MAX_BODY` bytes.

What is refused is said in a sentence to the caller, and written to logs/refused.jsonl: time, address, reason, key.
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flwr.proto.fleet_pb2 import PushMessagesRequest
from google.protobuf.message import DecodeError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kommunbench.core.errors import ConfigError
from kommunbench.federation.deployment.folder import CoordinatorFolder
from kommunbench.federation.deployment.roster import Roster

PATHS = {
    f"/v1/fleet/{name}": f"/v1/fleet/{name}"
    for name in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "get-run",
        "get-fab",
        "push-object",
        "pull-object",
        "confirm-message-received",
    )
}
"""Registering and unregistering are the coordinator's, so they are not here."""
MAX_BODY = 32 * 1024 * 1024
"""Flower sends objects in pieces of at most a few MB."""
EARLY_S, LATE_S = 5.0, 305.0
"""A signature is good from 5 s before to 305 s after its time, as Flower's SuperLink has it."""
MAX_SEEN = 1_000_000
FORWARDED = ("content-type", "accept")
"""Headers that go on, beside Flower's own `flwr-...`."""
REMEDIES = {
    "unknown key": "if you expect it: `kommunbench coordinator approve` its request",
    "clock": "have them set their clock by NTP; if it is right, somebody replays what they recorded",
    "version": "have them install the version of kommunbench in their invitation",
    "replay": "somebody replays traffic, or a proxy repeats it: find out which",
    "forged": "the site answers for another: `kommunbench coordinator remove` it, and call them",
    "size": "call them: no answer is that large",
    "unsigned": "nothing, unless it is often: somebody is trying the door",
    "path": "nothing: a site's doctor looks in so; if it is often, somebody is trying the door",
}
"""What whoever coordinates can do about a refusal, by its reason."""
FAULT, BUSY = 500, 503
"""A node gives its connection up over the first and tries the second again."""
ACTIVATION_FAILED, UNAUTHENTICATED = 2004, 2000
REFUSALS = "refused.jsonl"


class Refusal(NamedTuple):
    """Why a request did not get through."""

    reason: str
    """One word for the log and for `coordinator status`."""
    sentence: str
    status: int = 401


class Gate:
    """Decides on a request by its headers."""

    def __init__(self, roster: Path) -> None:
        self._roster, self._read_at, self._names = Roster(roster), 0.0, dict[bytes, str]()
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._flwr = version("flwr")

    def refusal(self, path: str, headers: dict[str, str], now: float) -> Refusal | None:
        """Why the request does not get through, or None. `now`: seconds since the epoch."""
        if path not in PATHS:
            return Refusal("path", "there is nothing here but what a site's node needs", 404)
        flwr = headers.get("flwr-package-version", "")
        if flwr and flwr != self._flwr:
            do = "install the version of kommunbench that is in your invitation"
            return Refusal("version", f"this site runs Flower {flwr}, the coordinator {self._flwr}: {do}", 412)
        try:
            key = base64.b64decode(headers["flwr-public-key"], validate=True)
            signature = base64.b64decode(headers["flwr-signature"], validate=True)
            stamp = headers["flwr-timestamp"]
            age = now - datetime.fromisoformat(stamp).timestamp()
        except (KeyError, ValueError, binascii.Error):
            return Refusal("unsigned", "the request is not signed by a site's key")
        if key not in self._approved(now):
            do = "send the coordinator your request (`kommunbench site join`), or ask whether it was approved"
            return Refusal("unknown key", f"the coordinator has not approved this site's key: {do}", 412)
        if not _signed(key, signature, stamp):
            return Refusal("unsigned", "the request is not signed by the key that it names")
        if not -EARLY_S < age < LATE_S:
            late = f"{abs(age):.0f} s {'behind' if age > 0 else 'ahead of'}"
            do = "set the site's clock, or it is a replay"
            return Refusal("clock", f"the request's clock is {late} the coordinator's: {do}")
        if not self._first(sha256(key + stamp.encode()).digest(), now):
            return Refusal("replay", "this request was received before: a replay, which is not answered")
        return None

    def name(self, headers: dict[str, str]) -> str:
        """The site whose key the request names, or the start of the key's SHA-256; it proves nothing."""
        try:
            key = base64.b64decode(headers["flwr-public-key"], validate=True)
        except (KeyError, ValueError):
            return ""
        return self._names.get(key) or f"key {sha256(key).hexdigest()[:16]}"

    def _approved(self, now: float) -> dict[bytes, str]:
        """Approved keys and their sites, read anew every other second."""
        if now - self._read_at > 2:
            self._names = {member.node_key_pem: name for name, member in self._roster.approved().items()}
            self._read_at = now
        return self._names

    def _first(self, token: bytes, now: float) -> bool:
        """Whether it is seen for the first time. What is older than a signature lasts is forgotten."""
        while self._seen and (next(iter(self._seen.values())) < now - LATE_S - EARLY_S or len(self._seen) > MAX_SEEN):
            self._seen.popitem(last=False)
        if token in self._seen:
            return False
        self._seen[token] = now
        return True


def _signed(pem: bytes, signature: bytes, stamp: str) -> bool:
    key = load_pem_public_key(pem)
    try:
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        key.verify(signature, stamp.encode("ascii"), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def make_app(folder: CoordinatorFolder) -> Starlette:
    """The front before `folder`'s SuperLink."""
    gate, upstream = Gate(folder.roster_path), f"https://{folder.superlink_address}"
    context = ssl.create_default_context(cafile=str(folder.keys / "ca.pem"))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(verify=context, timeout=60, trust_env=False) as client:
            app.state.client = client
            yield

    async def serve(request: Request) -> Response:
        path, headers = request.url.path, dict(request.headers)
        try:
            refusal = gate.refusal(path, headers, time.time())
        except ConfigError:
            return JSONResponse({"code": 0, "detail": "the coordinator's roster cannot be read; try again"}, BUSY)
        body = await _body(request) if refusal is None else None
        if body is None:
            refusal = refusal or Refusal("size", f"more than {MAX_BODY} bytes in one request", 413)
            log_refusal(folder.logs / REFUSALS, request, gate.name(headers), refusal)
            return refused(path, refusal)
        forwarded = {key: value for key, value in headers.items() if key in FORWARDED or key.startswith("flwr-")}
        if path.endswith("/push-messages") and not speaks_for_itself(body):
            refusal = Refusal("forged", "a message in the name of another site, or none that can be read")
            log_refusal(folder.logs / REFUSALS, request, gate.name(headers), refusal)
            return refused(path, refusal)
        try:
            reply = await request.app.state.client.post(upstream + PATHS[path], content=body, headers=forwarded)
        except httpx.HTTPError:
            return JSONResponse({"code": 0, "detail": "the coordinator's SuperLink is down; try again"}, BUSY)
        kept = {key: value for key, value in reply.headers.items() if key == "content-type" or key.startswith("flwr-")}
        return Response(reply.content, BUSY if reply.status_code == FAULT else reply.status_code, kept)

    return Starlette(routes=[Route("/{path:path}", serve, methods=["POST", "GET"])], lifespan=lifespan)


async def _body(request: Request) -> bytes | None:
    """The request's body, or None where it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def speaks_for_itself(body: bytes) -> bool:
    """Whether every reply is from the node that sends it: Flower's SuperLink asks only whom the question went to."""
    try:
        pushed = PushMessagesRequest.FromString(body)
    except DecodeError:
        return False
    return all(message.metadata.src_node_id == pushed.node.node_id for message in pushed.messages_list)


def refused(path: str, refusal: Refusal) -> Response:
    """The sentence in the form in which Flower's SuperNode shows it."""
    code = ACTIVATION_FAILED if path.endswith("activate-node") else UNAUTHENTICATED
    status = refusal.status
    if status == 412 and code != ACTIVATION_FAILED:
        status = 401  # a node that runs already takes 401 as its end, and other codes as trouble
    if status == 401 and code == ACTIVATION_FAILED:
        status = 412  # ... and one that starts shows the sentence of any code but 401
    return JSONResponse({"code": code, "detail": "Refused by the coordinator.", "extra": refusal.sentence}, status)


def log_refusal(path: Path, request: Request, site: str, refusal: Refusal) -> None:
    """One line: when, from where, why, whose key."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "from": request.client.host if request.client else "",
        "reason": refusal.reason,
        "site": site,
    }
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line, ensure_ascii=False) + "\n")


def serve(folder: CoordinatorFolder) -> None:
    """Listen until the process is ended."""
    import uvicorn

    settings = folder.settings.front
    config = uvicorn.Config(
        make_app(folder),
        host=settings.host,
        port=settings.port,
        ssl_certfile=folder.keys / "server.pem",
        ssl_keyfile=folder.keys / "server.key",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=1000,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    uvicorn.Server(config).run()
