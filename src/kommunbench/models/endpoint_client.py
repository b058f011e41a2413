"""Calling an OpenAI-compatible server on the site's own network: where to, how often, how patiently.

Text goes in the body of a request alone, and no body is ever quoted: an error names the server, the status and what to
do. Redirects, proxies and cookies are not followed, used or kept.
"""

from __future__ import annotations

import json
import os
import random
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from kommunbench.core.endpoints import address_of, server_of
from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import ModelCard

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same question may be asked again; any other is an answer."""
LARGEST = 8 * 2**20
"""Bytes of a reply."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_WAIT_S = 0.5, 30.0, 300.0
REFUSED = "x-kommunbench-refused"
"""Header by which the site's connector says that it, and no server, refuses."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How one question is asked: at most `attempts` times, each at most `timeout_s` seconds, `per_minute` in all."""

    attempts: int
    timeout_s: float
    per_minute: float


class StatusError(Exception):
    """The server's answer is a status; `too_long` where it says that the prompt is."""

    def __init__(self, status: int, too_long: bool) -> None:
        super().__init__(f"status {status}")
        self.status, self.too_long = status, too_long


class AllowedTransport(httpx.BaseTransport):
    """Calls only what the site's policy allows, at the address that was checked: a name is looked up once a call."""

    def __init__(self, allowed: Mapping[str, str], ca_file: str = "") -> None:
        verify = ssl.create_default_context(cafile=ca_file or None)
        self._allowed, self._inner = dict(allowed), httpx.HTTPTransport(verify=verify, trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; the certificate is still held against the server's name. Raises ModelError."""
        address = address_of(server_of(str(request.url.copy_with(query=None))), self._allowed)
        named = {**request.extensions, "sni_hostname": request.url.host}
        url = request.url.copy_with(host=address)
        return self._inner.handle_request(
            httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=named)
        )

    def close(self) -> None:
        """Close its connections."""
        self._inner.close()


def direct_client(card: ModelCard, allowed: Mapping[str, str]) -> httpx.Client:
    """A client that calls the card's server itself, with its key.

    Raises:
        ModelError: the key that the card names is not there.
    """
    headers = {"Authorization": f"Bearer {key}"} if (key := read_key(card)) else {}
    transport = AllowedTransport(allowed, str(card.options.get("ca_file", "")))
    return httpx.Client(
        base_url=str(card.options["url"]), transport=transport, headers=headers, trust_env=False, follow_redirects=False
    )


def connected_client(card: ModelCard, connector: Path) -> httpx.Client:
    """A client that hands its calls to the site's connector, which alone has the network and the key."""
    transport = httpx.HTTPTransport(uds=str(connector), trust_env=False)
    return httpx.Client(base_url=f"http://connector/{card.name}", transport=transport, trust_env=False)


def read_key(card: ModelCard) -> str:
    """The credential that the card names, from the environment or a file; empty where it names none.

    Raises:
        ModelError: it is not there, or others than its owner can read the file.
    """
    where = f"models.{card.name}.options"
    if name := str(card.options.get("key_env", "")):
        if not (found := os.environ.get(name, "").strip()):
            raise ModelError(Fault(f"there is no {name} in the environment", f"{where}.key_env", "set it, or key_file"))
        return found
    if file := str(card.options.get("key_file", "")):
        path = Path(file).expanduser()
        if not path.is_file():
            raise ModelError(Fault(f"there is no {path}", f"{where}.key_file", "write the key into it, and chmod 600"))
        if path.stat().st_mode & 0o077:
            raise ModelError(Fault(f"others can read {path}", f"{where}.key_file", f"chmod 600 {path}"))
        return path.read_text(encoding="ascii").strip()
    return ""


class EndpointClient:
    """Asks one server; safe to use from several threads."""

    def __init__(self, client: httpx.Client, patience: Patience, name: str) -> None:
        self._client, self._patience, self._name = client, patience, name
        self._turn, self._next = threading.Lock(), 0.0

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON that the server answers: a POST of `body`, or a GET where there is none.

        Raises:
            StatusError: an answer that is no use to ask for again.
            ModelError: no answer after all attempts, one that is no JSON, or one that the site refuses to ask for.
        """
        for attempt in range(1, self._patience.attempts + 1):
            self._wait_for_turn()
            pause = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S) * random.uniform(0.5, 1)  # noqa: S311
            try:
                status, headers, content = self._send(path, body)
            except httpx.TransportError as error:
                failed = type(error).__name__
            else:
                if status == 200:
                    return self._read(content)
                self._refuse(headers)
                if status not in AGAIN:
                    raise StatusError(status, status in (400, 413) and _says_too_long(content))
                failed, pause = f"status {status}", max(pause, self._wanted_pause(headers))
            if attempt < self._patience.attempts:
                time.sleep(pause)
        do = "is it running, and is timeout_s enough? kommunbench site doctor"
        raise ModelError(Fault(f"no answer after {self._patience.attempts} attempts, lastly {failed}", self._name, do))

    def _send(self, path: str, body: Mapping[str, Any] | None) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body; the whole of it within `timeout_s`, however slowly it trickles."""
        limit = self._patience.timeout_s
        end = time.monotonic() + limit
        method, sent = ("GET", None) if body is None else ("POST", body)
        timeout = httpx.Timeout(limit, connect=min(limit, 10.0))
        with self._client.stream(method, path, json=sent, timeout=timeout) as response:
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > LARGEST:
                    raise ModelError(Fault(f"the reply is longer than {LARGEST} bytes", self._name))
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the reply trickles")
            return response.status_code, response.headers, bytes(content)

    def _read(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError:
            do = "is it an OpenAI-compatible server, and does the url end with /v1?"
            raise ModelError(Fault("the reply is not JSON", self._name, do)) from None

    def _refuse(self, headers: httpx.Headers) -> None:
        if REFUSED in headers:
            raise ModelError(Fault(headers[REFUSED], self._name))

    def _wanted_pause(self, headers: httpx.Headers) -> float:
        """Seconds that the server asks for (RFC 9110, 10.2.3: seconds or a date)."""
        stated = headers.get("retry-after", "0").strip()
        try:
            seconds = float(stated) if stated.isdigit() else parsedate_to_datetime(stated).timestamp() - time.time()
        except ValueError:
            return 0.0
        if seconds > LONGEST_WAIT_S:
            raise ModelError(Fault(f"the server asks to wait {seconds:.0f} seconds", self._name, "try again then"))
        return seconds

    def _wait_for_turn(self) -> None:
        """Space calls evenly where the card limits their number."""
        if not self._patience.per_minute:
            return
        with self._turn:
            at = max(self._next, time.monotonic())
            self._next = at + 60 / self._patience.per_minute
        time.sleep(max(0.0, at - time.monotonic()))


def _says_too_long(content: bytes) -> bool:
    """Servers say in an error's code or words that the prompt is longer than the model's context."""
    return any(
        word in content.lower() for word in (b"context_length", b"context length", b"context size", b"context window")
    )
