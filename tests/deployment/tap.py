"""A tap between the sites and the coordinator's front: every byte that crosses, as it crosses and without its TLS.

    node --> raw port (bytes as they cross the loopback) --> TLS port (ends TLS by the coordinator's own key) --> front

A file a connection and direction: `<number>-raw-up`, `-raw-down`, `-plain-up`, `-plain-down`; up is from the site.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Tap:
    """Listens from the start on `port`, and lets through once `open` has said whereto."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self._numbers = folder, count()
        self._raw = socket.create_server(("127.0.0.1", 0))
        self._tls = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._raw.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def open(self, keys: Path, front: int) -> None:
        """End TLS with the server's key in `keys`, and speak TLS to the front on its port."""
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(keys / "server.pem", keys / "server.key")
        theirs = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        inner = int(self._tls.getsockname()[1])

        async def listen() -> None:
            await asyncio.start_server(self._join("raw", lambda: asyncio.open_connection("127.0.0.1", inner)),
                                       sock=self._raw)  # fmt: skip
            await asyncio.start_server(
                self._join("plain", lambda: asyncio.open_connection("127.0.0.1", front, ssl=theirs,
                                                                    server_hostname="localhost")),
                sock=self._tls, ssl=ours,
            )  # fmt: skip

        self._loop.run_until_complete(listen())
        self._thread.start()

    def _join(self, kind: str, connect: Callable[[], Awaitable[Streams]]) -> Callable[..., Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            name = self.folder / f"{next(self._numbers):04}-{kind}"
            try:
                ahead, back = await connect()
            except OSError:  # the front is not up
                writer.close()
                return
            await asyncio.gather(_relay(reader, back, Path(f"{name}-up")), _relay(ahead, writer, Path(f"{name}-down")))

        return serve

    def recorded(self, kind: str) -> bytes:
        """Everything of a kind, `plain-up` for instance."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob(f"*-{kind}")))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(_end_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: Path) -> None:
    try:
        with record.open("wb", buffering=0) as kept:
            while data := await reader.read(2**16):
                kept.write(data)
                writer.write(data)
                await writer.drain()
    except OSError:  # either end is gone
        pass
    finally:
        writer.close()
