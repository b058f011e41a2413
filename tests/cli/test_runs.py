"""`kommunbench runs`: what is listed for scripts."""

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from fabricate import fabricate
from json_shapes import TEXT, WHOLE, closed, many
from kommunbench.cli import runs
from kommunbench.federation.progress import Events

LISTED = many(
    closed(
        run=TEXT,
        state={"type": "string", "pattern": "^(done|not started|stopped|stopped at .+|at .+)$"},
        federation=TEXT,
        started_at=TEXT,
        tasks=many(TEXT),
        models=many(TEXT),
        strategy=TEXT,
        sites=WHOLE,
    )
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Three runs: one that ended, one that was stopped on its way, one that never began."""
    place = tmp_path_factory.mktemp("results")
    spec = (fabricate(place / "elsewhere" / "one").path / "spec.json").read_bytes()
    for name, events in {"whole": ["start", "moment", "end"], "half": ["start", "moment"], "new": []}.items():
        (place / name).mkdir()
        (place / name / "spec.json").write_bytes(spec)
        for kind in events:
            Events(place / name).say(kind, **({"name": "round-002"} if kind == "moment" else {}))
    return place


def test_the_list_in_json_keeps_its_schema(results):
    listed = json.loads(CliRunner().invoke(runs.app, ["list", "--json", "--results", str(results)]).stdout)
    jsonschema.validate(listed, LISTED)
    assert {row["run"]: row["state"] for row in listed} == {
        "whole": "done", "half": "stopped at round-002", "new": "not started",
    }  # fmt: skip
