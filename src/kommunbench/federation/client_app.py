"""The ClientApp: the same at every site, in simulation and deployed.

Its only job is to stand outermost. Flower sends the text of an exception to the coordinator; here every exception ends
as a code, inside the site, and the site's log gets its type and place but never its message, which may quote an
example.
"""

from __future__ import annotations

import logging
import traceback
from types import TracebackType

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from kommunbench.core.spec import Code
from kommunbench.federation.records import read_request, write_release
from kommunbench.release import refuse
from kommunbench.site.answer import answer_request
from kommunbench.site.settings import SiteSettings

log = logging.getLogger("kommunbench.site")
app = ClientApp()


@app.train()
@app.evaluate()
@app.query()
def serve(message: Message, context: Context) -> Message:
    """Answer one message: a release on every path, an exception on none."""
    try:
        request, adapter = read_request(message)
    except Exception as error:
        log_failure(error)
        return Message(write_release(refuse(Code.BAD_REQUEST)), reply_to=message)
    try:
        settings = SiteSettings.from_node_config(context.node_config)
        release = answer_request(settings, request, adapter)
    except Exception as error:
        log_failure(error)
        release = refuse(Code.INTERNAL, request)
    return Message(write_release(release), reply_to=message)


def log_failure(error: BaseException) -> None:
    """Log an exception's type and where it was raised; its text stays unsaid, for it may quote an example."""
    log.error("%s at %s", type(error).__name__, place(error.__traceback__))


def place(trace: TracebackType | None) -> str:
    """`file:line in function` of the innermost frames, without source lines."""
    return " < ".join(
        f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(trace)[:-4:-1]
    )
