"""A small server that speaks the part of OpenAI's API that kommunbench uses, and can fail in every way that servers do.

Its model answers with words drawn by the prompt's digest: the same prompt, the same words; a token is a word.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = {"id": "kommun/modell", "object": "model", "owned_by": "vllm", "root": "kommun/modell", "max_model_len": 4096}
WORDS = tuple("taket på badhuset i Lövvik kostar 96 000 kronor och nämnden beslutade det".split())  # noqa: SIM905
CONTEXT_WORDS = 120
Fault = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """What it was asked is in `asked`; `faults` are used up one a question, before it answers again as it should."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.faults: list[Fault] = []
        self.models = [dict(MODEL, created=1)]
        self.key = ""
        self.busy = self.busiest = 0
        self.lock = threading.Lock()
        self.pause_s = 0.0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def allowed(self) -> dict[str, str]:
        return {f"127.0.0.1:{self.port}": "127.0.0.0/8"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        if self.path == "/v1/models" and self.permitted():
            reply(self, 200, {"object": "list", "data": self.server.models})
        else:
            reply(self, 404, {"error": {"message": "no such path"}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            server.asked.append(body)
            server.headers.append(dict(self.headers))
            server.times.append(time.monotonic())
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            fault = server.faults.pop(0) if server.faults else None
        try:
            time.sleep(server.pause_s)
            if fault:
                fault(self)
            elif self.permitted():
                self.answer(body)
        finally:
            with server.lock:
                server.busy -= 1

    def permitted(self) -> bool:
        if not self.server.key or self.headers.get("Authorization") == f"Bearer {self.server.key}":
            return True
        reply(self, 401, {"error": {"message": "no key"}})
        return False

    def answer(self, body: dict[str, Any]) -> None:
        chat = self.path == "/v1/chat/completions"
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        words = prompt.split()
        if len(words) > CONTEXT_WORDS:
            message = f"maximum context length is {CONTEXT_WORDS}: {prompt}"  # real servers quote, too
            reply(self, 400, {"error": {"message": message, "code": "context_length_exceeded"}})
            return
        seed = sha256(f"{body['seed']}{body['model']}{prompt}".encode()).digest()
        text = " ".join(random.Random(seed).choices(WORDS, k=body["max_tokens"]))
        cut = min((at for at in map(text.find, body.get("stop", [])) if at >= 0), default=len(text))
        text = " " + text[:cut]
        usage = {"prompt_tokens": len(words), "completion_tokens": len(text.split())}
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        reply(self, 200, {"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage})

    def log_message(self, *_: object) -> None: ...


def reply(handler: BaseHTTPRequestHandler, status: int, found: object, **headers: str) -> None:
    content = found if isinstance(found, bytes) else json.dumps(found).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def status(code: int, **headers: str) -> Fault:
    return lambda handler: reply(handler, code, {"error": {"message": "Hemligheten"}}, **headers)


def says(found: object) -> Fault:
    return lambda handler: reply(handler, 200, found)


def slow(seconds: float) -> Fault:
    def fault(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return fault


def cut(handler: BaseHTTPRequestHandler) -> None:
    """Promises more than it sends, and hangs up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"text": "Hem')
    handler.close_connection = True


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
