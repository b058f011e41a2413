"""The site's connector: the one process between the worker, which has no network, and a server on the site's own.

    python -m kommunbench.site.connector HOME

It runs only where site.yaml names `endpoints`. It listens on a unix socket in the site's folder; the worker tells it a
model's name and a question. Where that goes it reads itself, from the site's own card and policy, anew for every
question; the worker cannot name an address. It adds the credential, which the worker never sees, and keeps nothing.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kommunbench.core.errors import Fault, KommunbenchError, ModelError
from kommunbench.models.endpoint import PATHS, card_faults
from kommunbench.models.open import card_names, load_card
from kommunbench.release import read_policy
from kommunbench.site.home import SiteHome
from kommunbench.site.processes import end_with_parent

LARGEST = 16 * 2**20
"""Bytes of a question."""
TIMEOUT_S = 3600.0
"""The worker's own limit is shorter; when it hangs up, what the server still says is thrown away."""


def forward(home: SiteHome, folders: tuple[Path, ...], model: str, path: str, body: bytes | None) -> tuple[int, Any]:
    """Status, and (headers, body), of the model's server to one question.

    Raises:
        KommunbenchError: the site's card or policy does not allow it; nothing was sent.
        httpx.TransportError: the server cannot be reached.
    """
    from kommunbench.models.endpoint_client import direct_client

    card = load_card(model, folders)
    if card.family != "endpoint":
        raise ModelError(Fault("is no endpoint", f"models.{model}"))
    ModelError.raise_if(card_faults(card))
    with direct_client(card, read_policy(home.policy).endpoints) as client:
        method = "GET" if body is None else "POST"
        headers = {"Content-Type": "application/json"} if body is not None else {}
        response = client.request(method, path, content=body, headers=headers, timeout=TIMEOUT_S)
        kept = {name: response.headers[name] for name in ("retry-after", "content-type") if name in response.headers}
        return response.status_code, (kept, response.content)


def make_app(home: SiteHome, folders: tuple[Path, ...]) -> Any:
    """The connector as an ASGI app: `POST /<model>/chat/completions`, `.../completions`, `GET /<model>/models`."""
    import httpx
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from kommunbench.models.endpoint_client import REFUSED

    async def answer(request: Request) -> Response:
        _, model, path = request.url.path.split("/", 2)
        body = await request.body() if request.method == "POST" else None
        if body is not None and len(body) > LARGEST:
            return Response(status_code=413)
        try:
            status, (headers, content) = await run_in_threadpool(forward, home, folders, model, path, body)
        except KommunbenchError as error:
            return Response(status_code=403, headers={REFUSED: _one_line(error)})
        except httpx.TransportError:
            return Response(status_code=502)
        return Response(content, status, headers)

    routes = [Route(f"/{{model}}/{path}", answer, methods=["POST"]) for path in PATHS.values()]
    return Starlette(routes=[*routes, Route("/{model}/models", answer, methods=["GET"])])


def _one_line(error: KommunbenchError) -> str:
    """An error as a header: it names cards, settings and servers, never a question."""
    return "; ".join(str(fault) for fault in error.faults).encode("ascii", "replace").decode()


def key_names(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """The variables of the environment that the site's endpoint cards name: the connector alone is given them."""
    found = set()
    for name in card_names(folders):
        try:
            options: Mapping[str, object] = load_card(name, folders).options
        except ModelError:
            continue  # whoever asks for the model is told
        if "key_env" in options:
            found.add(str(options["key_env"]))
    return tuple(sorted(found))


def main() -> None:
    """The process: listen on the socket until the node stops it."""
    import uvicorn

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    home = SiteHome(Path(sys.argv[1]))
    home.connector.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    os.umask(0o177)
    listener.bind(str(home.connector))
    config = uvicorn.Config(make_app(home, home.site_settings("").conf), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
