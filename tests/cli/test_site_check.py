"""`kommunbench site check` finds everything that is wrong with a site's files at once, and shows none of their text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kommunbench.cli.site import app
from kommunbench.core.errors import DataError
from shared_folder import SHARED, build

CANARY = "KanariefågelnÅsa"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["check", *arguments], env={"COLUMNS": "200"}, catch_exceptions=True)


def write(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def row(label: str, **fields: object) -> dict[str, object]:
    return {"id": label, "input": f"{CANARY} {label}", "references": [f"{CANARY}."], **fields}


def faults_of(result: Result) -> dict[str, str]:
    """What by where; the exit code is that of wrong data."""
    assert isinstance(result.exception, DataError)
    assert result.exception.exit_code == 3
    return {fault.where: fault.what for fault in result.exception.faults}


def cells(result: Result, file: str) -> list[str]:
    """The table's numbers for a file."""
    (line,) = [line for line in result.output.splitlines() if line.split()[:1] == [file]]
    return line.split()[1:]


def test_a_site_s_folder_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "summarization.jsonl", row("a", split="train"), row("b", split="dev"), row("c", split="test"))
    write(tmp_path / "lattlast.jsonl", {"id": "a", "input": "text", "split": "test"})
    (tmp_path / "README.md").write_text("not data", encoding="utf-8")
    result = run(str(tmp_path))
    assert result.exit_code == 0
    assert cells(result, "summarization.jsonl") == ["3", "1", "1", "1", "3", "0", "0"]
    assert cells(result, "lattlast.jsonl") == ["1", "0", "0", "1", "0", "0", "0"]


def test_every_fault_of_every_file_comes_at_once_and_no_text_with_it(tmp_path: Path) -> None:
    """A bad line, a missing field, wrong encoding, an empty file, a duplicate id, in a federation of three."""
    lovvik = write(
        tmp_path / "lovvik" / "summarization.jsonl",
        row("a"),
        f'{{"id": "{CANARY}", "input": "{CANARY}',
        {"id": "c", "inputt": CANARY},
        row("a", input=f"{CANARY} again"),
        row("e", split=CANARY),
    )
    empty = write(tmp_path / "norrhult" / "lattlast.jsonl")
    latin = tmp_path / "norrhult" / "summarization.jsonl"
    latin.write_bytes(json.dumps(row("a"), ensure_ascii=False).encode("cp1252"))
    misnamed = write(tmp_path / "stenvik" / "sumarization.jsonl", row("a"))
    document = write(tmp_path / "stenvik" / "lattlast.json", [row("a")])
    twice = write(tmp_path / "stenvik" / "guideline_qa.jsonl", {"id": "a", "context": "b", "question": "c"})
    again = write(tmp_path / "stenvik" / "guideline_qa.csv", "id,context,question\na,b,c")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    result = run(str(tmp_path))
    offset = latin.read_bytes().index("å".encode("cp1252"))
    assert faults_of(result) == {
        f"{lovvik}:2": "not JSON: column 37",
        f"{lovvik}:3": "input is missing",
        f"{lovvik}:4": "the id of line 1 again",
        f"{lovvik}:5": "split is an unknown word",
        f"{empty}": "the file is empty",
        f"{latin}:1": f"not UTF-8: the byte at offset {offset}",
        f"{misnamed}": "no task 'sumarization'",
        f"{document}": "not read: a site's file is .jsonl, .csv or .parquet",
        f"{twice}": "one task in several files",
        f"{again}": "one task in several files",
    }
    assert "did you mean 'summarization'?" in str(result.exception)
    assert cells(result, "lovvik/summarization.jsonl")[0] == "1"
    assert cells(result, "lovvik/summarization.jsonl")[-2:] == ["4", "4"]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    for shown in (result.output, str(result.exception), run(str(tmp_path), "--json").output):
        assert CANARY not in shown
        assert "Kanarie" not in shown


def test_json_has_counts_digest_and_faults_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "lovvik" / "summarization.jsonl", row("a", split="test"), "{")
    result = run(str(tmp_path), "--json")
    (file,) = json.loads(result.stdout)["files"]
    assert (file["site"], file["task"], file["rows"], file["skipped"], file["refused"]) == (
        "lovvik",
        "summarization",
        1,
        1,
        False,
    )
    assert file["splits"] == {"train": 0, "validation": 0, "test": 1}
    assert len(file["digest"]) == 64
    assert [(fault["where"], fault["what"]) for fault in file["faults"]] == [(f"{path}:2", "not JSON: column 2")]
    assert len(faults_of(result)) == 1


def test_a_task_s_own_faults_are_told_once_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "home" / "tasks" / "mine.yaml", "name: mine")
    write(tmp_path / "data" / "mine.jsonl", row("a"))
    monkeypatch.setenv("KOMMUNBENCH_HOME", str(tmp_path / "home"))
    result = run(str(tmp_path / "data"))
    assert isinstance(result.exception, DataError)
    assert any(fault.what.startswith("prompts: ") for fault in result.exception.faults)


@pytest.mark.parametrize(
    ("name", "what"), [(".", "no <task>.jsonl, .csv or .parquet here"), ("absent", "no such folder")]
)
def test_a_folder_without_data_is_a_fault(tmp_path: Path, name: str, what: str) -> None:
    assert faults_of(run(str(tmp_path / name))) == {str(tmp_path / name): what}


def test_help_has_an_example() -> None:
    assert "Example: kommunbench site check data/lovvik" in run("--help").output


def test_real_text_fits_its_tasks(tmp_path: Path) -> None:
    """Every row of the sets that have a task; the counts are those of the sets' own README."""
    if not SHARED.is_dir():
        pytest.skip(f"no real text at {SHARED}")
    written = build(tmp_path)
    totals = dict.fromkeys(("summarization", "guideline_qa", "lattlast", "translation"), 0)
    result = run(str(tmp_path), "--json")
    assert result.exit_code == 0
    for file in json.loads(result.stdout)["files"]:
        assert file["rows"] == written[f"{file['site']}/{file['task']}"]
        totals[file["task"]] += file["rows"]
    assert totals == {"summarization": 212 + 326, "guideline_qa": 296, "lattlast": 87, "translation": 1000}
