"""`kommunbench runs`: what is listed for scripts."""

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from fabricate import fabricate
from federated_folder import rows, settings_for, write_sites
from json_shapes import AMOUNT, TEXT, WHOLE, closed, many, one_of
from kommunbench.cli import runs
from kommunbench.cli.hold import holding
from kommunbench.cli.progress import follow
from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.federation.progress import Events
from masked_run import run_here

EVENT = {
    "start": {"moments": many(TEXT), "sites": many(TEXT)},
    "begins": {"source": TEXT},
    "roster": {"online": many(TEXT), "away": many(TEXT)},
    "moment": {"name": TEXT, "sites": many(TEXT), "kept": many(TEXT)},
    "step": {"moment": TEXT, "step": TEXT, "sites": many(TEXT)},
    "reply": {
        "moment": TEXT,
        "site": TEXT,
        "status": one_of("ok", "refused", "missing", "failed"),
        "code": one_of(*(code.name for code in Code)),
        "seconds": AMOUNT,
        "absence": one_of(None, "offline", "lost", "late"),
    },
    "end": {},
    "stopped": {},
}
"""Fields of each kind of event that `runs watch --json` prints, beside those that all have."""
SAID = {
    "start": {"moments": ["round-001", "round-002", "close"], "sites": ["ale"]},
    "moment": {"name": "round-002", "sites": ["ale"], "kept": []},
}
ALL = {"time": AMOUNT, "share": AMOUNT, "left_s": {"type": ["integer", "null"]}}
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
            Events(place / name).say(kind, **SAID.get(kind, {}))
    return place


def test_the_list_in_json_keeps_its_schema(results):
    listed = json.loads(CliRunner().invoke(runs.app, ["list", "--json", "--results", str(results)]).stdout)
    jsonschema.validate(listed, LISTED)
    assert {row["run"]: row["state"] for row in listed} == {
        "whole": "done", "half": "stopped at round-002", "new": "not started",
    }  # fmt: skip


def watched(place, run="run"):
    """What `runs watch --json` prints of a run, each line held against its kind's shape; and how it ended."""
    done = CliRunner().invoke(runs.app, ["watch", run, "--json", "--results", str(place)])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        jsonschema.validate(line, closed(kind=one_of(line["kind"]), **ALL, **EVENT[line["kind"]]))
    return lines, done.exception


@pytest.fixture
def real(tmp_path):
    """A whole run of the real apps, in this process."""
    sites = {site: {"lattlast": rows("lattlast", 12, salt)} for salt, site in enumerate(("ale", "bro"))}
    return run_here(settings_for(write_sites(tmp_path / "data", sites), "strategy=none", "models=[copy]",
                            "tasks=[lattlast]", "tracking=off", "name=run", f"results={tmp_path}"))  # fmt: skip


def test_a_run_is_watched_in_json_to_its_end(tmp_path, real):
    lines, error = watched(tmp_path)
    assert error is None
    kinds = [line["kind"] for line in lines]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert kinds.count("reply") == 4  # two sites, a round and the closing message
    shares = [line["share"] for line in lines]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1], lines[-1]["left_s"]) == (0, 1, 0)


def test_watching_a_run_whose_process_is_gone_ends_and_says_how_to_go_on(results):
    lines, error = watched(results, "half")
    assert [line["kind"] for line in lines] == ["start", "moment"]
    assert isinstance(error, FederationError)
    assert "stopped at round-002 (go on with: kommunbench runs resume" in str(error)
    said = CliRunner().invoke(runs.app, ["watch", "half", "--results", str(results)])  # and so does the bar
    assert isinstance(said.exception, FederationError)


def test_events_are_printed_as_they_come(results):
    with holding(results / "half"):
        following = follow(results / "half")
        assert [next(following)["kind"] for _ in range(2)] == ["start", "moment"]
        Events(results / "half").say("stopped")
        assert [event["kind"] for event in following] == ["stopped"]
