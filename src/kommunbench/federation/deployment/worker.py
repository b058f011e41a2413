"""The site's warm worker: it alone reads the site's text and runs models, and it has no network.

    python -m kommunbench.federation.deployment.worker HOME NAME

It listens on a unix socket in the site's folder and answers one message at a time with the ClientApp that the site has
installed. Models and data stay in memory from message to message; changed files are read anew. What comes in is the
SHA-256 of the bundle and Flower's bytes of the message; what goes out is the bytes of a release and nothing else.
A message that came with another bundle than ours is refused here, written to the site's log and told as a code.
"""

from __future__ import annotations

import importlib
import logging
import os
import select
import signal
import sys
import threading
from multiprocessing.connection import Connection, Listener
from pathlib import Path

from flwr.app import Context, Message, RecordDict
from flwr.common.serde import message_from_proto, recorddict_to_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from flwr.supercore.task_identity import TaskIdentity

from kommunbench import __version__
from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.core.spec import Request
from kommunbench.federation.deployment.bundle import bundle_digest
from kommunbench.federation.records import read_request, write_release
from kommunbench.models.open import warm_up
from kommunbench.release import Ledger, refuse
from kommunbench.site.home import SiteHome
from kommunbench.site.log import log_failure, logging_to
from kommunbench.site.no_network import give_up_network
from kommunbench.site.processes import end_with_parent
from kommunbench.site.refusals import log_refusals
from kommunbench.site.settings import SiteSettings

log = logging.getLogger("kommunbench.node")
CALLED_OFF = 75
"""Exit code when whoever asked is gone: the work would be for nobody, and the node starts a fresh worker."""


def answer(settings: SiteSettings, bundle: str, message: Message) -> RecordDict:
    """The content of the reply to `message`, which came with the bundle of that SHA-256. Never raises."""
    if bundle != bundle_digest():
        return _refuse_foreign(settings, bundle, message)
    from kommunbench.federation.client_app import serve

    config: dict[str, bool | float | int | str] = {"site": settings.model_dump_json()}
    context = Context(message.metadata.run_id, message.metadata.dst_node_id, config, RecordDict(), {})
    return serve(message, context).content


def _refuse_foreign(settings: SiteSettings, bundle: str, message: Message) -> RecordDict:
    """Refuse what came with a foreign bundle; where the request is of another version, that is why and says more."""
    request: Request | None = None
    with logging_to(settings.home):
        try:
            request, _ = read_request(message)
        except FederationError as error:
            log_failure("a message with a foreign bundle", error)
        code = Code.FOREIGN_BUNDLE
        if request is not None and request.spec.kommunbench != __version__:
            code = Code.VERSION_MISMATCH
        log.error(
            "refused (%s): the run came with app bundle %s, and this site takes %s alone; nothing was unpacked "
            "(tell the coordinator; nothing has to be done here)",
            code.name, bundle[:64], bundle_digest(),
        )  # fmt: skip
        release = refuse(code, request, Ledger(settings.ledger_path))
        if request is not None:
            log_refusals(settings, request, release)
        return write_release(release)


def hand_over(socket: Path, bundle: str, message: bytes) -> bytes:
    """Ask the worker behind `socket`; give the bytes of the reply's content.

    Raises:
        OSError, EOFError: there is no worker, or it ended while it worked.
    """
    from multiprocessing.connection import Client

    with Client(str(socket), family="AF_UNIX") as connection:
        connection.send_bytes(bundle.encode())
        connection.send_bytes(message)
        return connection.recv_bytes()


def work(settings: SiteSettings, socket: Path) -> None:
    """Answer messages, one after the other, until the process is stopped."""
    socket.unlink(missing_ok=True)
    with Listener(str(socket), family="AF_UNIX") as listener:
        socket.chmod(0o600)
        while True:
            with listener.accept() as connection:
                _serve_one(settings, connection)


def _serve_one(settings: SiteSettings, connection: Connection) -> None:
    done = threading.Event()
    try:
        bundle = connection.recv_bytes(64).decode("ascii", "replace")
        proto = ProtoMessage.FromString(connection.recv_bytes())
        threading.Thread(target=_end_when_called_off, args=(connection, done), daemon=True).start()
        TaskIdentity.run_id = proto.metadata.run_id
        TaskIdentity.task_id, TaskIdentity.node_id = 1, proto.metadata.dst_node_id
        content = answer(settings, bundle, message_from_proto(proto))
        done.set()
        connection.send_bytes(recorddict_to_proto(content).SerializeToString())
    except (EOFError, OSError) as error:  # the asker is gone: the next one is served
        with logging_to(settings.home):
            log_failure("a message was called off", error)
    finally:
        done.set()


def _end_when_called_off(connection: Connection, done: threading.Event) -> None:
    """A run that was cancelled must not keep the machine busy for hours."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLHUP | select.POLLRDHUP)
    while not done.is_set():
        if poll.poll(500) and not done.is_set():
            os._exit(CALLED_OFF)


def main() -> None:
    """The process: give up the network, import everything, then listen."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the node stops it by SIGTERM
    end_with_parent()
    home, name = SiteHome(Path(sys.argv[1])), sys.argv[2]
    alone = give_up_network()
    settings = home.site_settings(name)
    importlib.import_module("kommunbench.federation.client_app")
    warm_up()
    with logging_to(settings.home):
        log.info("worker %s: %s", os.getpid(), "no network" if alone else "THIS SYSTEM LETS IT KEEP THE NETWORK")
    (home.running / "worker.network").write_text("none" if alone else "open", encoding="ascii")
    work(settings, home.socket)


if __name__ == "__main__":
    main()
