"""The ClientApp: the same at every site, in simulation and deployed.

Its only job is to stand outermost. Flower sends the text of an exception to the coordinator; here every exception ends
as a code, inside the site, and the site's log gets its type and place but never its message, which may quote an
example.
"""

from __future__ import annotations

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from kommunbench.core.answer import Code
from kommunbench.core.spec import Request
from kommunbench.federation.records import read_request, write_release
from kommunbench.release import refuse
from kommunbench.site.answer import FEDERATION, answer_request
from kommunbench.site.log import log_failure, logging_to
from kommunbench.site.refusals import log_refusals
from kommunbench.site.settings import SiteSettings

app = ClientApp()


@app.train()
@app.evaluate()
@app.query()
def serve(message: Message, context: Context) -> Message:
    """Answer one message: a release on every path, an exception on none."""
    request: Request | None = None
    try:
        settings = SiteSettings.from_node_config(context.node_config)
        with logging_to(settings.home):
            try:
                request, adapters = read_request(message)
                release = answer_request(settings, request, adapters)
                log_refusals(settings, request, release)
                content = write_release(release, request, adapters.get(FEDERATION))
            except BaseException as error:  # SystemExit too: its message would be printed
                log_failure("the request was not answered", error)
                content = write_release(refuse(Code.INTERNAL if request else Code.BAD_REQUEST, request))
    except Exception:  # without settings or a log there is nobody to tell; the coordinator gets the code
        content = write_release(refuse(Code.INTERNAL, request))
    return Message(content, reply_to=message)
