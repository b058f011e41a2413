"""gunicorn's settings for the dashboard: MLflow's own page, opened where the results are.

MLflow's web page starts on a welcome screen and, at a browser's first visit, unfolds a chat panel that could run
commands on this machine and send what it sees to a language model elsewhere. Under gunicorn MLflow serves neither that
panel's interface nor its model gateway's (only its uvicorn application has them). A line of script keeps the panel
folded, chooses the menu for runs and models, and leads an address without a fragment to the results.
Nothing else of the page is touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

PAGE_VARIABLE = "KOMMUNBENCH_DASHBOARD_PAGE"
"""The fragment of the page to open first, such as `#/experiments/1/runs`."""

threads = 8
loglevel = "warning"

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


def post_worker_init(worker: Any) -> None:
    """What gunicorn calls when a worker has loaded MLflow; the name is gunicorn's."""
    worker.wsgi = with_first_page(worker.wsgi, os.environ.get(PAGE_VARIABLE, "#/experiments"))


def with_first_page(application: Application, page: str) -> Application:
    """`application` with the script in its start page; every other address passes through."""
    script = (
        "<script>localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1','true');"
        "if(!localStorage.getItem('mlflow.workflowType_v1'))"
        "localStorage.setItem('mlflow.workflowType_v1',JSON.stringify('machine_learning'));"
        f"if(!location.hash)location.replace({json.dumps(page)})</script>"
    ).encode()

    def serve(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/" or environ.get("REQUEST_METHOD") != "GET":
            return application(environ, start_response)
        fresh = {key: value for key, value in environ.items() if not key.startswith("HTTP_IF_")}
        began: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            began[:] = [status, headers]

        answer = application(fresh, start)
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        body = body.replace(b"<head>", b"<head>" + script, 1)
        kept = [(name, text) for name, text in began[1] if name.lower() not in ("content-length", "etag")]
        start_response(began[0], [*kept, ("Content-Length", str(len(body)))])
        return [body]

    return serve
