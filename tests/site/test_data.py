"""A site's file is read whole: good rows as examples, every bad one by its line, and the text goes nowhere."""

from __future__ import annotations

import csv
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.example import SPLITS
from kommunbench.core.task import Task, load_task
from kommunbench.site.data import SiteData, TaskData, from_rows, read_examples
from kommunbench.site.rows import MAX_CHARACTERS
from kommunbench.site.sources import FolderSource

CANARY = "KanariefågelnÅsa"
SUMMARIZATION = load_task("summarization")
GUIDELINE_QA = load_task("guideline_qa")

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows (objects as JSON, strings as they are) or bytes to summarization.jsonl."""

    def _write(*lines: object, name: str = "summarization.jsonl") -> Path:
        path = tmp_path / name
        if len(lines) == 1 and isinstance(lines[0], bytes):
            path.write_bytes(lines[0])
        else:
            text = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
            path.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
        return path

    return _write


def good(number: int, **fields: object) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "input": f"{CANARY} text {number}.",
        "references": [f"{CANARY} svar {number}."],
        **fields,
    }


def read(path: Path, task: Task = SUMMARIZATION) -> TaskData:
    return read_examples(path, task, "lovvik")


def said(data: TaskData) -> set[tuple[int, str]]:
    """(line, what) of every fault; line 0 where the fault is of the file."""
    return {
        (int(line) if (line := fault.where.rpartition(":")[2]).isdigit() else 0, fault.what) for fault in data.faults
    }


def lines_of(data: TaskData) -> list[int]:
    return sorted(line for line, _ in said(data))


class TestRows:
    def test_every_field_of_a_row_arrives(self, write: Write) -> None:
        path = write(good(1, split="test", group="fall 7", facts={"belopp": 3}, source="x", licence="y", meta={"a": 1}))
        (example,) = read(path)
        assert (example.id, example.split, example.group, dict(example.facts)) == (
            "r1",
            "test",
            "fall 7",
            {"belopp": 3},
        )
        assert dict(example.inputs) == {"input": f"{CANARY} text 1."}
        assert example.references == (f"{CANARY} svar 1.",)
        assert not read(path).faults

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"reference": "ett"}, ("ett",)),
            ({"references": "ett"}, ("ett",)),
            ({"references": ["ett", "två"]}, ("ett", "två")),
            ({"references": []}, ()),
            ({"references": None}, ()),
            ({}, ()),
        ],
    )
    def test_references_may_be_one_text_many_or_none(self, write: Write, fields: Any, expected: Any) -> None:
        data = read(write({"id": "a", "input": "text", **fields}))
        assert [example.references for example in data] == [expected]
        assert not data.faults

    @pytest.mark.parametrize(
        ("word", "split"), [("train", "train"), ("dev", "validation"), ("val", "validation"), ("Test", "test")]
    )
    def test_split_words_are_understood(self, write: Write, word: str, split: str) -> None:
        assert [example.split for example in read(write(good(1, split=word)))] == [split]

    def test_named_facts_are_read_at_top_level_and_win_over_the_mapping(self, write: Write) -> None:
        task = SUMMARIZATION.model_copy(update={"facts": ("belopp",)})
        (example,) = read(write(good(1, belopp=4, facts={"belopp": 3, "dag": "måndag"}, other=5)), task)
        assert example.facts == {"belopp": 4, "dag": "måndag"}

    def test_rows_without_ids_are_called_after_their_lines(self, write: Write) -> None:
        assert [example.id for example in read(write({"input": "ett"}, "", {"input": "två"}))] == ["line-1", "line-3"]

    def test_whole_numbers_serve_as_ids(self, write: Write) -> None:
        assert [example.id for example in read(write(good(1, id=17), good(2, id="18")))] == ["17", "18"]

    def test_order_of_the_file_is_kept(self, write: Write) -> None:
        data = read(write(*(good(number, split="test") for number in (3, 1, 2))))
        assert [example.id for example in data.split("test")] == ["r3", "r1", "r2"]

    def test_unusual_line_separators_inside_a_text_do_not_split_it(self, write: Write) -> None:
        (example,) = read(write(json.dumps(good(1, input="a\u2028b\x85c"), ensure_ascii=False)))
        assert example.inputs["input"] == "a\u2028b\x85c"

    def test_windows_line_ends_are_no_fault(self, write: Write) -> None:
        data = read(write("\r\n".join(json.dumps(good(number)) for number in range(3)).encode()))
        assert len(data) == 3
        assert not data.faults


BAD_ROWS: list[tuple[object, str]] = [
    (f'{{"id": "x", "input": "{CANARY}', "not JSON: column 22"),
    (f'"{CANARY}"', "not a JSON object"),
    (f'["{CANARY}"]', "not a JSON object"),
    (
        '{"id": "x", "input": "t", "facts": {"a": NaN}}',
        "not JSON that can be read: a number or the nesting is too large",
    ),
    ("[" * 100_000, "not JSON that can be read: a number or the nesting is too large"),
    ({"id": "x", "inputt": CANARY}, "input is missing"),
    ({"id": "x", "input": None}, "input is missing"),
    ({"id": "x", "input": " \n"}, "input is empty"),
    ({"id": "x", "input": [CANARY]}, "input is not a text"),
    ({"id": "x", "input": 5}, "input is not a text"),
    (good(0, id=1.5), "id is not a text"),
    (good(0, id=True), "id is not a text"),
    (good(0, id=""), "id is empty"),
    (good(0, references=[CANARY, 3]), "reference 2 is not a text"),
    (good(0, references=[CANARY, ""]), "reference 2 is empty"),
    (good(0, references={"a": CANARY}), "references is not a list of texts"),
    (good(0, reference=CANARY), "both reference and references"),
    (good(0, split=CANARY), "split is an unknown word"),
    (good(0, split=3), "split is an unknown word"),
    (good(0, group=[CANARY]), "group is not a text"),
    (good(0, facts=CANARY), "facts is not a mapping"),
    (good(0, input="å" * (MAX_CHARACTERS + 1)), f"input has {MAX_CHARACTERS + 1} characters"),
    ('{"id": "x", "input": "\\ud800"}', "input has half a character (a lone surrogate)"),
    ({"input": CANARY}, "id is missing"),
]


class TestBadLines:
    @pytest.mark.parametrize(("row", "what"), BAD_ROWS, ids=[what for _, what in BAD_ROWS])
    def test_a_bad_line_is_named_by_number_and_the_good_ones_are_used(
        self, write: Write, row: object, what: str
    ) -> None:
        data = read(write(good(1), row, good(3)))
        assert said(data) == {(2, what)}
        assert [example.id for example in data] == ["r1", "r3"]
        assert data.skipped == 1
        assert not data.refused

    def test_all_faults_of_a_file_come_in_one_go_in_the_order_of_lines(self, write: Write) -> None:
        data = read(write(good(1), *(row for row, _ in BAD_ROWS), good(2)))
        assert {line for line, _ in said(data)} == set(range(2, 2 + len(BAD_ROWS)))
        places = [int(fault.where.rpartition(":")[2]) for fault in data.faults]
        assert places == sorted(places)
        assert data.skipped == len(BAD_ROWS)

    def test_all_faults_of_one_row_are_told(self, write: Write) -> None:
        data = read(write({"id": "", "split": "x", "references": 3}))
        assert {what for _, what in said(data)} == {
            "id is empty",
            "input is missing",
            "references is not a list of texts",
            "split is an unknown word",
        }
        assert data.skipped == 1

    def test_every_line_is_either_an_example_or_counted(self, write: Write) -> None:
        data = read(write(*(row for row, _ in BAD_ROWS), *(good(number) for number in range(1, 8)), good(3)))
        assert (len(data), data.skipped) == (7, len(BAD_ROWS) + 1)

    def test_a_second_use_of_an_id_names_both_lines_and_keeps_the_first(self, write: Write) -> None:
        data = read(write(good(1), good(2), good(3, id="r1")))
        assert said(data) == {(3, "the id of line 1 again")}
        assert [example.inputs["input"] for example in data] == [f"{CANARY} text 1.", f"{CANARY} text 2."]

    def test_a_number_and_a_text_that_read_the_same_are_one_id(self, write: Write) -> None:
        assert said(read(write(good(1, id=7), good(2, id="7")))) == {(2, "the id of line 1 again")}

    def test_a_byte_order_mark_is_told_and_the_rows_are_used(self, write: Write) -> None:
        data = read(write(b"\xef\xbb\xbf" + json.dumps(good(1)).encode()))
        assert said(data) == {(1, "starts with a byte order mark")}
        assert (len(data), data.skipped) == (1, 0)

    def test_the_fault_says_the_file_it_is_in(self, write: Write) -> None:
        path = write(good(1), "{")
        assert [fault.where for fault in read(path).faults] == [f"{path}:2"]


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ("encoding", "name"), [("cp1252", "WINDOWS-1252"), ("cp850", "CP850"), ("mac_roman", "MACINTOSH")]
    )
    def test_another_encoding_is_refused_with_its_place_and_a_guess(
        self, write: Write, encoding: str, name: str
    ) -> None:
        text = '{"id": "a", "input": "ascii"}\n{"id": "b", "input": "Åsa går över ån"}\n{"id": "c", "input": "åäö"}\n'
        data = read(write(text.encode(encoding)))
        (fault,) = data.faults
        offset = text.index("Å")
        assert fault.what == f"not UTF-8: the byte at offset {offset} and on 1 more lines"
        assert fault.where.endswith(":2")
        assert f"iconv -f {name} " in fault.do
        assert (data.refused, len(data), data.skipped) == (True, 0, 3)

    def test_the_other_lines_of_a_wrongly_encoded_file_are_checked_too(self, write: Write) -> None:
        data = read(write('{"id": "a", "input": "å"}\n{"id": "b"}\n'.encode("cp1252")))
        assert lines_of(data) == [1, 2]
        assert (2, "input is missing") in said(data)

    def test_utf16_is_recognised(self, write: Write) -> None:
        data = read(write(json.dumps(good(1)).encode("utf-16")))
        assert said(data) == {(1, "not UTF-8: it is UTF-16")}

    @pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
    def test_an_empty_file_is_refused(self, write: Write, content: bytes) -> None:
        data = read(write(content))
        assert (0, "the file is empty") in said(data)
        assert data.refused

    def test_a_json_list_is_told_from_a_file_of_bad_lines(self, write: Write) -> None:
        for document in (json.dumps([good(1), good(2)]), json.dumps([good(1), good(2)], indent=1)):
            assert said(read(write(document))) == {(1, "one JSON document, not one object a line")}

    def test_a_file_that_cannot_be_opened_is_a_fault(self, tmp_path: Path) -> None:
        data = read(tmp_path / "summarization.jsonl")
        assert said(data) == {(0, "cannot be opened: No such file or directory")}
        assert data.refused

    def test_splitting_a_refused_file_raises_with_all_its_faults(self, write: Write) -> None:
        data = read(write('{"id": "a", "input": "å"}\n{"id": "b"}\n'.encode("cp1252")))
        with pytest.raises(DataError) as caught:
            data.split("test")
        assert caught.value.faults == data.faults
        assert caught.value.exit_code == 3


class TestFormats:
    rows = ({"id": "a", "input": 'Ett "citat", och\nrad', "references": ["x", "y"], "split": "test"},)

    def test_the_same_rows_in_every_format_have_one_digest(self, tmp_path: Path) -> None:
        from pyarrow import Table, parquet

        rows = [good(number, split="test", facts={"n": number}) for number in range(4)]
        (tmp_path / "summarization.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        parquet.write_table(Table.from_pylist(rows), tmp_path / "summarization.parquet")
        for name, separator in (("comma", ","), ("semicolon", ";"), ("tab", "\t")):
            with (tmp_path / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as handle:
                out = csv.DictWriter(handle, rows[0], delimiter=separator)
                out.writeheader()
                for row in rows:
                    out.writerow({**row, "references": row["references"][0], "facts": json.dumps(row["facts"])})
        read_all = [read(path) for path in tmp_path.iterdir()]
        assert len(read_all) == 5
        assert [data.faults for data in read_all] == [()] * 5
        assert len({data.registration()["digest"] for data in read_all}) == 1

    def test_a_csv_cell_of_references_may_hold_a_json_list(self, write: Write) -> None:
        path = write('id,input,references\na,text,"[""ett"", ""två""]"\nb,text två,[sic] ett\n'.encode(), name="s.csv")
        assert [example.references for example in read(path)] == [("ett", "två"), ("[sic] ett",)]

    def test_csv_faults_name_the_record_s_first_line(self, write: Write) -> None:
        text = 'id,input,split\na,"rad ett\nrad två",train\nb,,test\nc,text\na,text,never\n'
        data = read(write(text.encode(), name="s.csv"))
        assert said(data) == {
            (4, "input is missing"),
            (5, "2 cells where the header has 3"),
            (6, "split is an unknown word"),
            (6, "the id of line 2 again"),
        }
        assert (len(data), data.skipped) == (1, 3)

    @pytest.mark.parametrize("text", ['id,input\na,"never closed\nb,c\n', 'id,input\na,"x"y\nb,c\n'])
    def test_unbalanced_quotation_marks_refuse_a_csv(self, write: Write, text: str) -> None:
        data = read(write(text.encode(), name="s.csv"))
        assert [what for _, what in said(data)] == ["a quotation mark is not closed or not doubled"]
        assert data.refused

    def test_two_columns_of_one_name_refuse_a_csv(self, write: Write) -> None:
        assert said(read(write(b"id,input,input\na,b,c\n", name="s.csv"))) == {(1, "two columns have the same name")}

    def test_a_csv_with_a_header_alone_is_empty(self, write: Write) -> None:
        assert said(read(write(b"id,input\n", name="s.csv"))) == {(0, "the file is empty")}

    def test_a_long_csv_text_is_read(self, write: Write) -> None:
        assert len(read(write(f"id,input\na,{'å' * 200_000}\n".encode(), name="s.csv"))) == 1

    @pytest.mark.parametrize("content", [b"not parquet", b"PAR1 no PAR1"])
    def test_a_broken_parquet_file_is_a_fault(self, write: Write, content: bytes) -> None:
        data = read(write(content, name="s.parquet"))
        assert said(data) == {(0, "not a Parquet file that can be read")}
        assert data.refused

    def test_parquet_faults_count_rows_and_know_json_s_types(self, tmp_path: Path) -> None:
        from datetime import date

        from pyarrow import Table, parquet

        rows = [
            {"id": "a", "input": "x", "facts": {"d": None}},
            {"id": "b", "input": "x", "facts": {"d": date(2026, 1, 1)}},
        ]
        parquet.write_table(Table.from_pylist(rows), tmp_path / "s.parquet")
        data = read(tmp_path / "s.parquet")
        assert said(data) == {(2, "facts holds what JSON cannot")}


class TestSiteData:
    def test_a_task_without_a_file_has_no_examples(self, tmp_path: Path) -> None:
        site = SiteData(FolderSource(tmp_path, "lovvik"))
        assert site.read(SUMMARIZATION) is None
        assert site.split(SUMMARIZATION, "test") == ()

    def test_a_file_is_read_once(self, write: Write) -> None:
        path = write(good(1, split="test"))
        site = SiteData(FolderSource(path.parent, "lovvik"))
        before = site.split(SUMMARIZATION, "test")
        path.unlink()
        assert site.split(SUMMARIZATION, "test") == before != ()

    def test_reading_for_a_run_logs_each_fault_once_and_counts(
        self, write: Write, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write(good(1), "{", good(3, split="?"))
        site = SiteData(FolderSource(path.parent, "lovvik"))
        for split in SPLITS:
            site.split(SUMMARIZATION, split)
        faults = read(path).faults
        assert len(faults) == 2
        assert caplog.messages == [*map(str, faults), "summarization: 2 lines left out, 1 examples used"]

    def test_one_task_in_two_files_is_a_fault(self, write: Write) -> None:
        path = write(good(1))
        write(b"id,input\na,b\n", name="summarization.csv")
        with pytest.raises(DataError, match=r"several files: summarization\.jsonl, summarization\.csv"):
            SiteData(FolderSource(path.parent, "lovvik")).split(SUMMARIZATION, "test")

    def test_rows_that_are_in_no_file_are_checked_the_same(self) -> None:
        data = from_rows([good(1), {"id": "b"}], SUMMARIZATION, "lovvik")
        assert [str(fault) for fault in data.faults] == [
            "summarization:2: input is missing (see: kommunbench tasks show summarization)"
        ]
        assert len(data) == 1


class TestRegistration:
    def test_it_counts_and_has_no_text(self, write: Write) -> None:
        rows = [good(1, split="train"), good(2, split="test"), {"id": CANARY, "input": CANARY, "split": "test"}]
        registration = read(write(*rows)).registration()
        assert {name: value for name, value in registration.items() if name != "digest"} == {
            "task": "summarization",
            "rows": 3,
            "splits": {"train": 1, "validation": 0, "test": 2},
            "references": 2,
        }
        assert CANARY not in json.dumps(registration, ensure_ascii=False)

    def test_order_does_not_matter_and_every_field_does(self, write: Write) -> None:
        rows = [good(1, split="test"), good(2, split="train")]
        digest = read(write(*rows)).registration()["digest"]
        assert read(write(*reversed(rows))).registration()["digest"] == digest
        changes = (
            {"id": "z"},
            {"input": "z"},
            {"references": ["z"]},
            {"split": "validation"},
            {"group": "z"},
            {"facts": {"z": 1}},
        )
        others = [read(write(rows[0], {**rows[1], **change})).registration()["digest"] for change in changes]
        assert len({digest, *others}) == 7


class TestNoTextEscapes:
    def test_no_fault_repr_or_log_has_an_example_s_text(self, write: Write, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        contents: Iterator[tuple[bytes, str]] = iter(
            [
                (
                    "\n".join(row if isinstance(row, str) else json.dumps(row) for row, _ in BAD_ROWS).encode(),
                    "s.jsonl",
                ),
                (json.dumps(good(1, split=CANARY), ensure_ascii=False).encode("cp1252"), "s.jsonl"),
                (f'id,input\n{CANARY},"{CANARY}\n'.encode(), "s.csv"),
                (f"id,input,{CANARY}\n{CANARY},{CANARY}\n".encode(), "s.csv"),
                (f"PAR1{CANARY}PAR1".encode(), "s.parquet"),
            ]
        )
        for content, name in contents:
            data = read(write(content, name=name))
            assert data.faults
            shown = "\n".join([*map(str, data.faults), repr(data), repr(data.dataset), *map(repr, data), caplog.text])
            assert CANARY not in shown
            assert "Kanarie" not in shown

    def test_an_exception_s_chain_has_none_either(self, write: Write) -> None:
        data = read(write(f'{{"id": "{CANARY}", "input": "{CANARY}"}}'.encode("cp1252")))
        with pytest.raises(DataError) as caught:
            data.split("test")
        assert caught.value.__cause__ is None
        assert CANARY not in str(caught.value) + repr(caught.value)

    def test_reading_leaves_nothing_in_any_cache(self, tmp_path: Path) -> None:
        """HF_DATASETS_CACHE, HF_HOME, TMPDIR and the home folder stay without a file, in a process of its own."""
        data, away = tmp_path / "data", tmp_path / "away"
        data.mkdir()
        away.mkdir()
        (data / "summarization.jsonl").write_text(json.dumps(good(1)), encoding="utf-8")
        (data / "summarization.csv").write_text(f"id,input\na,{CANARY}\n", encoding="utf-8")
        code = """
import sys
from pathlib import Path
from pyarrow import Table, parquet
from kommunbench.core.task import load_task
from kommunbench.site.data import read_examples
folder, task = Path(sys.argv[1]), load_task("summarization")
parquet.write_table(Table.from_pylist([{"id": "a", "input": "text"}]), folder / "summarization.parquet")
for path in folder.iterdir():
    found = read_examples(path, task, "lovvik")
    assert len(found) == 1 and not found.faults
    found.registration(), [found.split(split) for split in ("train", "validation", "test")]
"""
        places = {
            name: str(away / name.lower())
            for name in ("HF_DATASETS_CACHE", "HF_HOME", "TMPDIR", "HOME", "XDG_CACHE_HOME")
        }
        (away / "tmpdir").mkdir()
        subprocess.run([sys.executable, "-c", code, str(data)], check=True, env={**os.environ, **places}, cwd=tmp_path)
        assert [path for path in away.rglob("*") if path.is_file()] == []
        assert sorted(path.name for path in tmp_path.iterdir()) == ["away", "data"]

    def test_the_cache_check_would_notice_load_dataset(self, tmp_path: Path) -> None:
        """The way not taken: `load_dataset` copies raw rows into the cache, so the check above can fail."""
        path = tmp_path / "rows.jsonl"
        path.write_text(json.dumps(good(1), ensure_ascii=False), encoding="utf-8")
        code = "import sys, datasets; datasets.load_dataset('json', data_files=sys.argv[1], keep_in_memory=True)"
        places = {"HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "home")}
        subprocess.run(
            [sys.executable, "-c", code, str(path)], check=True, env={**os.environ, **places}, capture_output=True
        )
        copies = [
            file for file in (tmp_path / "cache").rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()
        ]
        assert copies != []


def test_ten_thousand_rows_of_two_kilobytes_take_seconds(write: Write) -> None:
    rows = [good(number, input=f"Ärende {number} om §. " * 96) for number in range(10_000)]
    path = write(*rows)
    assert path.stat().st_size > 10_000 * 1_900
    started = time.process_time()
    assert len(read(path)) == 10_000
    assert time.process_time() - started < 4  # about 1 s when the machine is quiet


def test_faults_are_of_the_shared_kind(write: Write) -> None:
    assert all(isinstance(fault, Fault) for fault in read(write("{", "")).faults)


def test_the_labels_are_the_tasks_whatever_a_row_says() -> None:
    """A row that could name its own labels would decide which place its count falls in, and what is added to it."""
    task = load_task("triage")
    said = {"input": "Hej", "label": "gata", "labels": ["Anna", "gata"], "facts": {"labels": ["Anna"]}}
    (read,) = from_rows([{**said, "split": "test"}], task, "ekby").split("test")
    assert read.facts == {"label": "gata", "labels": list(task.labels)}
