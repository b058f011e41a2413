"""What a site keeps: every file is named, goes when it should, and the ledger stays whole and tells."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kommunbench.cli.site import app
from kommunbench.core.errors import ConfigError
from kommunbench.core.task import load_task
from kommunbench.release import Identity, Ledger, verify
from kommunbench.site.data import from_rows
from kommunbench.site.evaluate import Evaluated
from kommunbench.site.evaluations import KeptEvaluations
from kommunbench.site.kept import Place, inventory, keep_no_longer, of_run, older_than, purge, trim_log
from kommunbench.site.registrations import Registrations

TASK = load_task("summarization")
ROWS = [
    {"id": f"r{i}", "input": f"Ärende {i} om zqkanarie. Det kostar {i} kronor.", "references": [f"Svar {i}."]}
    for i in range(12)
]


@pytest.fixture
def place(tmp_path) -> Place:
    """A site with data, two runs' tallies, a held reply, a log and one file that nobody knows."""
    home = tmp_path / "site"
    identity = Identity.of(home)
    (home / "data").mkdir()
    (home / "data" / "summarization.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    first = Registrations(home, identity).note(from_rows(ROWS, TASK, "site"))
    ledger = Ledger(home / "ledger.jsonl", identity)
    line = {"time": "2026-03-01T08:00:00+00:00", "run": "vår", "spec": "5" * 64, "round": 1, "adapter": "OK"}
    ledger.append({**line, "data": {"summarization": first}})
    for run in ("vår", "höst"):
        (home / "tallies" / run).mkdir(parents=True)
        for name in ("a", "b"):
            path = home / "tallies" / run / f"{name}.npz"
            path.write_bytes(b"numbers")
            path.chmod(0o600)
    evaluations = KeptEvaluations(home / "evaluations")
    evaluations.save("a" * 64, Evaluated(["1" * 32], {"lix": [(1, 0, 1)]}))
    evaluations.note_answers("a" * 64, home / "answers" / "vår" / "a.jsonl")
    (home / "site.yaml").write_text("retention_days: 30\n")
    (home / "site.log").write_text("2026-01-01 10:00:00,1 ERROR a\n  more\n2026-03-01 10:00:00,1 ERROR b\n")
    (home / "notes.txt").write_text("someone's own")
    return Place(home, home / "ledger.jsonl", home / "data")


def age(path: Path, days: int) -> None:
    then = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))


def call(place: Place, *words: str) -> str:
    command = [*words, "--home", str(place.home)]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, command, catch_exceptions=False).output


def test_every_file_is_listed_with_what_is_in_it(place):
    found = {each.path.name: each for each in inventory(place, 30)}
    assert set(found) == {path.name for path in place.home.rglob("*") if path.is_file()}
    assert {name for name, each in found.items() if each.kind.text == "yes"} == {"summarization.jsonl"}
    assert {name for name, each in found.items() if each.kind.text == "unknown"} == {"notes.txt"}
    tomorrow_in_30 = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    assert found["a.npz"].expires == tomorrow_in_30
    assert found["ledger.jsonl"].expires == found["identity.key"].expires == ""
    assert not any(each.loose for each in found.values() if each.path.name != "site.log")
    place.home.joinpath("identity.key").chmod(0o644)
    assert {each.path.name for each in inventory(place) if each.loose} >= {"identity.key"}


def test_what_the_inventory_says_to_be_without_text_is(place):
    """Everything that is no data and nobody else's file is searched for the word that every example has."""
    for each in inventory(place):
        if each.kind.text == "no":
            assert b"zqkanarie" not in each.path.read_bytes(), each.path


def test_a_dry_run_removes_nothing_and_writes_no_line(place):
    before = {path: path.read_bytes() for path in place.home.rglob("*") if path.is_file()}
    shown = json.loads(call(place, "purge", "--run", "vår", "--dry-run", "--json"))
    assert len(shown["files"]) == 2
    assert {path: path.read_bytes() for path in place.home.rglob("*") if path.is_file()} == before


def test_a_run_is_purged_and_the_ledger_tells(place):
    call(place, "purge", "--run", "vår", "--by", "Åsa")
    assert sorted(path.parent.name for path in (place.home / "tallies").rglob("*.npz")) == ["höst", "höst"]
    assert not (place.home / "tallies" / "vår").exists()
    last = Ledger(place.ledger).entries()[-1]
    assert (last["purged"], last["bytes"], last["why"], last["by"]) == (2, 14, "run vår", "Åsa")
    assert verify(place.ledger) == []
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["ledger", "--ledger", str(place.ledger)])
    assert "purged 2 files" in shown.output


def test_what_quotes_text_and_what_is_the_sites_own_numbers_goes_with_its_run_alone(place):
    line = {"time": "2026-03-01T08:00:00+00:00", "run": "vår", "tasks": ["summarization"]}
    Ledger(place.ledger).append(line)
    pages = ("vår-summarization.md", "vår-summarization.en.md", "vår-2-summarization.md")
    for path in (*(place.home / "errors" / page for page in pages), place.home / "secagg" / "vår" / "numbers"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    found = {each.path.name: each.kind for each in inventory(place)}
    assert (found["vår-summarization.md"].text, found["numbers"].expires) == ("yes", True)
    purge(place, of_run(place, "vår"), "run vår")
    assert [path.name for path in (place.home / "errors").iterdir()] == ["vår-2-summarization.md"]
    assert not (place.home / "secagg" / "vår").exists()


def test_the_examples_are_where_the_node_says_they_are(place, tmp_path):
    (place.home / "node.yaml").write_text(f"data: {tmp_path / 'elsewhere'}\n", encoding="utf-8")
    (place.home / "data").rename(tmp_path / "elsewhere")
    rows = json.loads(call(place, "registrations", "--json"))
    assert [row["withdrawn"] for row in rows] == [0]
    assert "elsewhere/summarization.jsonl" in call(place, "inventory")


def test_a_registration_takes_the_runs_that_used_it_along(place):
    mark = Ledger(place.ledger).entries()[0]["data"]["summarization"]
    call(place, "purge", "--registration", mark[:8])
    assert not list((place.home / "registrations").iterdir())
    assert sorted(path.parent.name for path in (place.home / "tallies").rglob("*.npz")) == ["höst", "höst"]


def test_only_what_is_old_goes_with_age(place):
    old = place.home / "tallies" / "vår" / "a.npz"
    for path in (old, place.ledger, place.home / "identity.key", place.home / "data" / "summarization.jsonl"):
        age(path, 90)
    assert [each.path for each in older_than(place, 60)] == [old]
    keep_no_longer(place, 0)
    assert old.exists()
    keep_no_longer(place, 60)
    assert not old.exists()
    assert place.ledger.exists()
    assert Ledger(place.ledger).entries()[-1]["why"] == "retention 60"


def test_nothing_is_removed_where_the_ledger_cannot_be_written(place):
    place.ledger.unlink()
    place.ledger.mkdir()
    files = older_than(place, 0)
    with pytest.raises(OSError, match="ledger"):
        purge(place, files, "older-than 0")
    assert all(each.path.exists() for each in files)


def test_old_lines_of_the_log_go_and_the_rest_stays(place):
    now = datetime(2026, 3, 2, tzinfo=UTC)
    assert trim_log(place.home, 30, now) == 2
    assert (place.home / "site.log").read_text() == "2026-03-01 10:00:00,1 ERROR b\n"
    assert trim_log(place.home, 30, now) == 0


def test_purge_wants_one_thing_to_be_named(place):
    for words in ([], ["--run", "vår", "--older-than", "3"]):
        with pytest.raises(ConfigError, match="say what to purge"):
            call(place, "purge", *words)


def test_a_withdrawn_example_shows_with_the_adapters_trained_on_it(place):
    (row,) = json.loads(call(place, "registrations", "--json"))
    assert (row["current"], row["withdrawn"], row["added"], row["rows"]) == (True, 0, 0, 12)
    lines = [json.dumps(row) + "\n" for row in (*ROWS[:4], *ROWS[5:], {**ROWS[0], "id": "ny", "input": "Något nytt."})]
    (place.home / "data" / "summarization.jsonl").write_text("".join(lines))
    (row,) = json.loads(call(place, "registrations", "--json"))
    assert (row["current"], row["withdrawn"], row["added"]) == (False, 1, 1)
    assert [(one["run"], one["round"], one["left"]) for one in row["trained"]] == [("vår", 1, True)]


def test_a_registration_is_of_the_rows_and_the_sites_key(tmp_path):
    mine = Registrations(tmp_path / "a", Identity.of(tmp_path / "a"))
    other = Registrations(tmp_path / "b", Identity.of(tmp_path / "b"))
    of = lambda known, rows: known.of(from_rows(rows, TASK, "site")).registration  # noqa: E731
    assert of(mine, ROWS) == of(mine, ROWS[::-1])
    assert of(mine, ROWS) != of(other, ROWS)
    assert of(mine, ROWS) != of(mine, ROWS[1:])
    assert of(mine, ROWS) != of(mine, [{**ROWS[0], "input": ROWS[0]["input"] + " "}, *ROWS[1:]])
