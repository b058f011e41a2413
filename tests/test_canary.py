"""The canary never leaves: words planted in every field of every file are nowhere but in those files.

A whole run with report and dashboard, as a process of its own: every byte that a site sends, everything below results/
(the dashboard's database and artifacts among it), what is printed, and every cache and temporary folder is searched, in
whatever form (canaries.py). tests/deployment/test_canaries_deployed.py does the same with 10,000 over real processes.
"""

from __future__ import annotations

import base64
import bz2
import csv
import gzip
import json
import lzma
import os
import sqlite3
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from canaries import Canaries, contents
from kommunbench.core.answer import Code
from kommunbench.core.task import load_task
from kommunbench.models.folder import BUILTIN
from kommunbench.report.record import RunFolder
from outside import TROUBLED, install

TASKS = ("summarization", "guideline_qa", "lattlast")
SITES = ("ekby", "åvik", "öster")
ROWS = 24
needs_nano = pytest.mark.skipif(not (BUILTIN / "nano").is_dir(), reason="the model nano is not in the package yet")


CANARIES = Canaries()
canary = CANARIES.word


def rows_of(site: str, task: str) -> list[dict[str, Any]]:
    """Rows with a canary in every field: 16 to test on and 8 to train on, the facts of the wrong kind in one."""
    word = {field: canary(site, task, field) for field in ("text", "question", "reference", "id", "group", "fact")}
    rows = []
    for i in range(ROWS):
        text = (
            f"Nämnden i {word['text']} tog upp ärende {i}. Det kostar {300 + i} kronor. Ring {word['text']}@exempel.se."
        )
        row: dict[str, Any] = {
            "id": f"{word['id']}-{i}",
            "group": f"{word['group']}-{i}",
            "split": "train" if i % 3 == 0 else "test",
            "references": [f"{word['reference']} betalar {300 + i} kronor.", f"Avgiften i {word['reference']} höjs."],
            "facts": {"note": word["fact"]},
            canary(site, task, "name"): canary(site, task, "column"),
        }
        if task == "guideline_qa":
            row |= {
                "context": f"1 § {text}\n2 § Ring {word['text']}.",
                "question": f"Vad kostar {word['question']} {i}?",
            }
        else:
            row["input"] = text
        rows.append(row)
    rows[1]["facts"] = {name: [word["fact"]] for name in load_task(task).facts} | {"note": word["fact"]}
    return rows


def plant(folder: Path) -> None:
    """Three sites: JSONL with lines that are broken in every way, CSV, and one file that is not UTF-8."""
    for site in SITES:
        (folder / site).mkdir(parents=True)
        for task in TASKS:
            rows = rows_of(site, task)
            if (site, task) == ("åvik", "lattlast"):
                _write_csv(folder / site / f"{task}.csv", rows)
                continue
            broken, split, twice = (canary(site, task, field) for field in ("broken", "split", "twice"))
            lines = [json.dumps(row, ensure_ascii=False) for row in rows]
            lines += [
                f'{{"id": "{broken}", "input": "{broken}',
                f'["{broken}"]',
                json.dumps({**rows[0], "id": f"{broken}-2", "input": [broken], "context": 7}),
                json.dumps({**rows[1], "id": f"{split}-1", "split": split}),
                json.dumps({**rows[2], "id": rows[2]["id"], "note": twice}),
            ]
            if (site, task) == ("ekby", "summarization"):
                trouble = {**rows[4], "id": "t", "group": "t"}
                trouble["input"] += " TROUBLE-raise nu."
                lines.append(json.dumps(trouble))
            wrong = (site, task) == ("öster", "lattlast")
            (folder / site / f"{task}.jsonl").write_text("\n".join(lines), encoding="cp1252" if wrong else "utf-8")


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {name: json.dumps(cell) if isinstance(cell, list | dict) else cell for name, cell in row.items()}
            )


def whole_run(tmp_path: Path, *words: str) -> RunFolder:
    """Run as a process with every folder of its own that a library may write to; the canaries are in none of them."""
    plant(tmp_path / "data")
    own = {name: tmp_path / "caches" / name.lower() for name in ("HOME", "TMPDIR", "HF_HOME", "MPLCONFIGDIR")}
    for folder in own.values():
        folder.mkdir(parents=True)
    packages = install(TROUBLED, tmp_path / "installed")
    work = tmp_path / "work"
    work.mkdir()
    common = ["run", "federation=folder", f"federation.path={tmp_path / 'data'}", "name=kanarie", "tracking=sqlite"]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("tapped.py"), tmp_path / "crossed", *common, *words],
        cwd=work,
        env={**os.environ, **packages, **{name: str(folder) for name, folder in own.items()}},
        capture_output=True,
        check=False,
    )
    (tmp_path / "crossed" / "stdout").write_bytes(done.stdout)
    (tmp_path / "crossed" / "stderr").write_bytes(done.stderr)
    assert done.returncode == 0, done.stderr.decode()
    assert CANARIES.escaped(tmp_path / "crossed", work, tmp_path / "caches") == {}
    assert b"Dashboard  kommunbench dashboard" in done.stdout
    assert (work / "results" / "mlflow.db").stat().st_size > 10_000
    return RunFolder(work / "results" / "kanarie")


WORD = canary("on purpose")
LONG = f"Nämnden i {WORD} beslutade i går. " * 3


def as_parquet(text: str) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table({"a": [text] * 9}), sink, compression="snappy")
    return bytes(sink.getvalue())


FORMS: dict[str, Callable[[str], bytes]] = {
    **{name: (lambda text, name=name: text.encode(name)) for name in ("utf-8", "utf-16", "utf-16-be", "utf-32-le")},
    "latin-1": lambda text: text.encode("latin-1"),
    "upper case": lambda text: text.upper().encode(),
    "a piece": lambda _: b"..." + WORD[:10].encode(),
    "JSON": lambda text: json.dumps({"fel": [text]}).encode(),
    "\\u escapes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text).encode(),
    "integers": lambda text: np.array(list(map(ord, text)), "<i8").tobytes(),
    **{f"base64 at {at}": (lambda text, at=at: base64.b64encode(b"x" * at + text.encode())) for at in range(3)},
    "base64 in lines": lambda text: base64.encodebytes(text.encode() * 3),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(b"\xff\xfe" + text.encode()),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")),
    "hexadecimal": lambda text: b"0x7" + text.encode().hex().encode(),
    "zlib": lambda text: b"..." + zlib.compress(text.encode(), 9) + b"...",
    "gzip": lambda text: gzip.compress(text.encode()),
    "bz2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "zstd": lambda text: pyarrow.compress(text.encode(), "zstd", asbytes=True),
    "Parquet": as_parquet,
    "base64 of zlib of JSON": lambda text: base64.b64encode(zlib.compress(json.dumps([text]).encode())),
}
"""How a library, a log or a wire could write it."""


@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_a_canary_in_any_form(form: str) -> None:
    assert CANARIES.found_in(b"\x00\xff" + FORMS[form](LONG) + b"\x00") == {("on purpose",)}


def test_the_search_finds_nothing_where_nothing_is() -> None:
    others = Canaries()
    for form in FORMS.values():
        assert others.found_in(form(LONG)) == set()


def test_the_search_finds_a_canary_in_archives_databases_and_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", LONG)
    with sqlite3.connect(tmp_path / "b") as database:
        database.execute("create table t (text)")
        database.execute("insert into t values (?)", ("x" * 4060 + LONG * 99,))
    (tmp_path / f"{WORD}.txt").touch()
    found = CANARIES.escaped(tmp_path)
    assert {Path(place).name for place in found} == {"a.zip", "b", "b as SQL", f"{WORD}.txt"}
    assert CANARIES.escaped(tmp_path, but=[tmp_path]) == {}


def test_every_canary_is_planted(tmp_path: Path) -> None:
    plant(tmp_path)
    planted = {place for _, content in contents(tmp_path) for place in CANARIES.found_in(content)}
    fields = ("text", "question", "reference", "id", "group", "fact", "column", "name", "broken", "split", "twice")
    missing = {(site, task, field) for site in SITES for task in TASKS for field in fields} - planted
    assert missing == {(site, task, "question") for site in SITES for task in ("summarization", "lattlast")} | {
        ("åvik", "lattlast", field) for field in ("broken", "split", "twice")
    }


def test_no_word_of_an_example_leaves_a_site(tmp_path: Path) -> None:
    folder = whole_run(tmp_path, "strategy=none", "models=[lead,copy,retrieval,troubled]")
    check_that_it_was_a_run(folder, tmp_path / "crossed")


@needs_nano
@pytest.mark.slow
def test_no_word_of_an_example_leaves_a_site_that_trains(tmp_path: Path) -> None:
    limits = [f"tasks.{task}.max_new_tokens=8" for task in TASKS]
    folder = whole_run(
        tmp_path,
        "models=[nano,lead,copy,retrieval,troubled]",
        "rounds=1",
        "train.max_steps=2",
        "train.epochs=1",
        *limits,
    )
    check_that_it_was_a_run(folder, tmp_path / "crossed")
    trained = {received.site: received.adapter_code for received in folder.received("round-000")}
    assert trained == {"ekby": Code.OK, "åvik": Code.OK, "öster": Code.DATA_FAULT}
    assert list((folder.path / "adapter").glob("*.safetensors"))


def check_that_it_was_a_run(folder: RunFolder, crossed: Path) -> None:
    """Numbers did leave, refusals too, and each site's log says where its faults are: there was something to leak."""
    codes = {
        (received.site, key[0][0], key[0][1]): code
        for received in folder.received("round-000")
        for key, code, _ in received.slots
        if code is not Code.NO_READING  # no site here has an encoder or a tagger
    }
    assert {codes[site, "summarization", "lead"] for site in SITES} == {Code.OK}
    assert codes["öster", "lattlast", "copy"] is Code.DATA_FAULT
    assert codes["åvik", "lattlast", "copy"] is Code.OK
    assert codes["ekby", "summarization", "troubled"] is Code.INTERNAL
    assert codes["ekby", "guideline_qa", "troubled"] is Code.OK
    assert len([path for path in crossed.iterdir() if path.name.endswith("-out")]) >= 2 * len(SITES)
    for site in SITES:
        log = (folder.path / "sites" / site / "site.log").read_text(encoding="utf-8")
        assert "summarization.jsonl:25: not JSON" in log
        assert log.count("guideline_qa.jsonl:") >= 5
