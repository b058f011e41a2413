"""gunicorn's settings for the dashboard: MLflow's own page, opened where the results are.

MLflow's web page starts on a welcome screen and, at a browser's first visit, unfolds a chat panel that could run
commands on this machine and send what it sees to a language model elsewhere. Under gunicorn MLflow serves neither that
panel's interface nor its model gateway's (only its uvicorn application has them). A line of script keeps the panel
folded, chooses the menu for runs and models, and leads an address without a fragment to the results. It also chooses
the run list's columns, which MLflow leaves to each reader. Whatever a browser has chosen before stays.
Nothing else of the page is touched.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kommunbench.tracking.kept_searches import Application, KeptSearches, Start

PAGE_VARIABLE = "KOMMUNBENCH_DASHBOARD_PAGE"
"""The page to open first, as `FirstPage.text`."""
STORE_VARIABLE = "KOMMUNBENCH_DASHBOARD_STORE"
"""The SQLite file that the server reads."""

threads = 8
loglevel = "warning"


@dataclass(frozen=True, slots=True)
class FirstPage:
    """Where a browser starts, such as `#/experiments/1/runs`, and what it is to remember where it has no choice yet."""

    fragment: str = "#/experiments"
    remembers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """For an environment variable."""
        return json.dumps([self.fragment, dict(self.remembers)])

    @classmethod
    def of(cls, text: str) -> FirstPage:
        """The page that `text` was made of."""
        return cls(*json.loads(text))


def list_of_runs(experiment: str, tasks: Sequence[str]) -> FirstPage:
    """The experiment's runs, less sites' own, with what ranks systems and what training changed on each task.

    The name is the one under which MLflow's page keeps a reader's columns; where it looks elsewhere they are its own.
    """
    levels = "tags.kommunbench.level%20!%3D%20'site'"
    columns = [f"metrics.`{group}/{task}`" for group in ("primary", "gain") for task in tasks]
    kept = f"MLflowLocalStorage-1.1-ExperimentPage-{json.dumps([experiment])}-ReactComponentState"
    return FirstPage(
        f"#/experiments/{experiment}/runs?workflowType=machine_learning&searchFilter={levels}",
        {kept: json.dumps({"selectedColumns": ["attributes.`Models`", *columns]})},
    )


def post_worker_init(worker: Any) -> None:
    """What gunicorn calls when a worker has loaded MLflow; the name is gunicorn's.

    MLflow opens its store and builds its GraphQL schema at the first question, which would be the first page's: asked
    here, before anybody waits. What it answers (a password may be wanted) does not matter.
    """
    from mlflow.server.handlers import initialize_backend_stores
    from werkzeug.test import Client

    initialize_backend_stores()
    Client(worker.wsgi).post("/graphql", json={"query": "{ __typename }"})
    gc.freeze()  # what MLflow has imported stays anyway: nobody looks through it again in the middle of an answer
    if store := os.environ.get(STORE_VARIABLE):
        worker.wsgi = KeptSearches(worker.wsgi, Path(store))
    page = os.environ.get(PAGE_VARIABLE)
    worker.wsgi = with_first_page(worker.wsgi, FirstPage.of(page) if page else FirstPage())


def with_first_page(application: Application, page: FirstPage) -> Application:
    """`application` with the script in its start page; every other address passes through."""
    remembers = {"mlflow.workflowType_v1": '"machine_learning"', **page.remembers}
    script = (
        "<script>localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1','true');"
        f"for(const [name,value] of Object.entries({_quoted(remembers)}))"
        "if(localStorage.getItem(name)===null)localStorage.setItem(name,value);"
        f"if(!location.hash)location.replace({_quoted(page.fragment)})</script>"
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


def _quoted(value: object) -> str:
    """A value as JavaScript inside a page, which it cannot end."""
    return json.dumps(value).replace("<", "\\u003c")
