"""`kommunbench site identity`: one line for others' peers.yaml, and the same key each time."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from kommunbench.cli.site import app
from kommunbench.release.identity import Identity
from kommunbench.site.peers import read_aloud


def test_the_line_goes_into_peers_yaml_as_it_is(tmp_path: Path) -> None:
    first = CliRunner().invoke(app, ["identity", str(tmp_path), "--name", "åvik"])
    assert first.stdout == f"åvik: {Identity.of(tmp_path).public}\n"
    assert "site peers LIST` puts it there" in first.stderr
    (tmp_path / "peers.yaml").write_text(first.stdout, encoding="utf-8")
    again = CliRunner().invoke(app, ["identity", str(tmp_path), "--name", "åvik", "--json"])
    told = json.loads(again.stdout)
    digits = read_aloud("åvik", told["key"])
    assert told == {
        "name": "åvik", "key": Identity.of(tmp_path).public, "read_aloud": digits, "peers": {"åvik": told["key"]},
    }  # fmt: skip
    assert digits in first.stderr
    assert "is among them" in CliRunner().invoke(app, ["identity", str(tmp_path), "--name", "åvik"]).stderr


def test_a_folder_that_is_not_there_is_a_fault_and_makes_no_key(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["identity", str(tmp_path / "none"), "--name", "a"])
    assert result.exception is not None
    assert not (tmp_path / "none").exists()
