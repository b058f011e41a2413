"""`site import`: staff's own files into rows, with a worklist, and nothing quoted of what was skipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docx import Document
from openpyxl import Workbook, load_workbook

from kommunbench.core.errors import ConfigError
from kommunbench.core.task import load_task
from kommunbench.site.data import read_examples
from kommunbench.site.importing import Imported, import_files, write_worklist

SUMMARY = load_task("summarization")
GUIDELINE = load_task("guideline_qa")


def read(target: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]


def take(path: Path, target: Path, **mapping: str) -> Imported:
    return import_files([path], SUMMARY, mapping, target)


def test_excels_csv_is_read_with_its_encoding_and_separator(tmp_path: Path) -> None:
    path, target = tmp_path / "a.csv", tmp_path / "data" / "summarization.jsonl"
    path.write_bytes('Ärende;Svar\r\nBadhuset på Ön; Läcker å\r\n"Två;delar";\r\n'.encode("cp1252"))
    done = take(path, target, Ärende="input", Svar="reference")
    assert done.how[str(path)] == "csv, cp1252, separator ;"
    assert (done.added, done.unreferenced, len(done.worklist)) == (2, 1, 1)
    assert [row["input"] for row in read(target)] == ["Badhuset på Ön", "Två;delar"]
    assert len(read_examples(target, SUMMARY, "s")) == 2
    assert target.stat().st_mode & 0o077 == 0


def test_a_second_import_of_the_same_file_changes_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "a.jsonl", tmp_path / "summarization.jsonl"
    path.write_text('{"input": "Text ett", "reference": "Kort"}\n{"input": "Text två"}\n', encoding="utf-8")
    take(path, target)
    before = target.read_bytes()
    done = take(path, target)
    assert (done.added, done.known) == (0, 2)
    assert target.read_bytes() == before


def test_a_worklist_comes_back_filled_in(tmp_path: Path) -> None:
    path, target, sheet = tmp_path / "a.jsonl", tmp_path / "summarization.jsonl", tmp_path / "list.xlsx"
    path.write_text('{"input": "=SUM(A1) står det"}\n{"input": "Text två"}\n', encoding="utf-8")
    write_worklist(take(path, target).worklist, SUMMARY, sheet)
    assert sheet.stat().st_mode & 0o077 == 0
    book = load_workbook(sheet)
    assert [cell.value for cell in book.active[1]] == ["id", "input", "reference"]
    assert book.active["B2"].data_type == "s", "a text that begins with = is no formula"
    book.active["C3"] = "Sammanfattat"
    book.save(sheet)
    done = take(sheet, target)
    assert (done.added, done.completed, done.known, done.unreferenced) == (0, 1, 1, 1)
    assert [row.get("references") for row in read(target)] == [None, ["Sammanfattat"]]
    assert [row["input"] for row in read(target)] == ["=SUM(A1) står det", "Text två"]


def test_a_reference_that_was_mended_in_the_worklist_takes_the_old_ones_place(tmp_path: Path) -> None:
    path, target, sheet = tmp_path / "a.jsonl", tmp_path / "summarization.jsonl", tmp_path / "list.xlsx"
    path.write_text('{"input": "Text ett.\\nOch mer."}\n', encoding="utf-8")
    write_worklist(take(path, target).worklist, SUMMARY, sheet)
    for text, counted in (("Fel", (1, 0, 0)), ("Rätt", (0, 1, 0)), ("Rätt", (0, 0, 1)), (None, (0, 0, 1))):
        book = load_workbook(sheet)
        book.active["B2"] = "Text ett.\r\nOch mer. "  # as a spreadsheet may write it back
        book.active["C2"] = text
        book.save(sheet)
        done = take(sheet, target)
        assert (done.completed, done.changed, done.known) == counted
    assert [row["references"] for row in read(target)] == [["Rätt"]]


def test_a_text_that_was_changed_in_the_worklist_is_told_and_changes_nothing(tmp_path: Path) -> None:
    path, target, sheet = tmp_path / "a.jsonl", tmp_path / "summarization.jsonl", tmp_path / "list.xlsx"
    path.write_text('{"input": "Text ett"}\n', encoding="utf-8")
    write_worklist(take(path, target).worklist, SUMMARY, sheet)
    before = target.read_bytes()
    book = load_workbook(sheet)
    book.active["B2"], book.active["C2"] = "HEMLIGT", "Kort"
    book.save(sheet)
    (fault,) = take(sheet, target).faults
    assert "list.xlsx:row 2: the row i-" in str(fault)
    assert "that is there has another text (put the text back" in str(fault)
    assert "HEMLIGT" not in str(fault)
    assert target.read_bytes() == before


def test_the_worklist_tells_staff_what_to_do_on_a_sheet_of_its_own(tmp_path: Path) -> None:
    path, sheet = tmp_path / "a.jsonl", tmp_path / "list.xlsx"
    path.write_text('{"input": "Text ett"}\n', encoding="utf-8")
    write_worklist(take(path, tmp_path / "summarization.jsonl").worklist, SUMMARY, sheet)
    _, notes = load_workbook(sheet).worksheets
    told = [row[0] for row in notes.iter_rows(values_only=True)]
    assert told[0].startswith("Fyll i de gula cellerna.")
    assert told[-1] == "kommunbench site import list.xlsx --task summarization"


def test_a_summary_is_cut_out_of_its_document(tmp_path: Path) -> None:
    document = Document()
    document.add_heading("Tjänsteutlåtande", 0)
    for heading, text in (("Sammanfattning", "Badhuset rustas."), ("Bakgrund", "Taket läcker."), ("Bedömning", "Bra.")):
        document.add_heading(heading, 1)
        document.add_paragraph(text)
    document.add_table(1, 1).cell(0, 0).text = "HEMLIGT"
    document.save(str(tmp_path / "t.docx"))
    target = tmp_path / "summarization.jsonl"
    done = take(tmp_path / "t.docx", target)
    (row,) = read(target)
    assert row["references"] == ["Badhuset rustas."]
    assert "Badhuset rustas." not in str(row["input"])
    assert "Taket läcker." in str(row["input"])
    assert [fault.what for fault in done.faults] == ["a table is left out"]
    assert "HEMLIGT" not in str(done.faults)


def test_a_guidelines_numbered_paragraphs_wait_for_questions(tmp_path: Path) -> None:
    document = Document()
    for text in ("Riktlinje för nycklar", "1 § Två personer hämtar.", "2 § Kvittens skrivs."):
        document.add_paragraph(text)
    document.save(str(tmp_path / "r.docx"))
    done = import_files([tmp_path / "r.docx"], GUIDELINE, {}, tmp_path / "guideline_qa.jsonl")
    assert done.added == 0
    assert [row["context"] for row in done.worklist] == ["1 § Två personer hämtar.\n2 § Kvittens skrivs."] * 2
    assert [fault.where.rpartition("/")[2] for fault in done.faults] == ["r.docx:paragraph 2", "r.docx:paragraph 3"]


def test_what_cannot_be_read_is_told_by_its_place_and_never_quoted(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"HEMLIGT inte pdf")
    (tmp_path / "broken.xlsx").write_bytes(b"HEMLIGT")
    (tmp_path / "old.doc").write_bytes(b"HEMLIGT")
    (tmp_path / "cells.csv").write_text("input,reference\na,b,HEMLIGT\nbra text,kort\n", encoding="utf-8")
    paths = sorted(tmp_path.iterdir())
    done = import_files(paths, SUMMARY, {}, tmp_path / "summarization.jsonl")
    assert done.added == 1
    assert sorted(fault.where.rpartition("/")[2] for fault in done.faults) == [
        "broken.pdf", "broken.xlsx", "cells.csv:2", "old.doc"
    ]  # fmt: skip
    assert "HEMLIGT" not in repr(done.faults)


def test_a_scanned_page_is_told(tmp_path: Path) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    writer.add_blank_page(200, 200)
    writer.write(tmp_path / "scan.pdf")
    done = take(tmp_path / "scan.pdf", tmp_path / "summarization.jsonl")
    assert ("scan.pdf:page 1", "no text on the page") in [
        (fault.where.rpartition("/")[2], fault.what) for fault in done.faults
    ]


def test_an_excel_sheet_is_read(tmp_path: Path) -> None:
    book = Workbook()
    book.active.append(["input", "reference"])
    book.active.append(["Text", "Kort"])
    book.active.append([None, None])
    book.active.append([12, "Tal"])
    book.save(tmp_path / "a.xlsx")
    take(tmp_path / "a.xlsx", tmp_path / "summarization.jsonl")
    assert [row["input"] for row in read(tmp_path / "summarization.jsonl")] == ["Text", "12"]


def test_a_mapping_to_no_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'input'"):
        import_files([], SUMMARY, {"a": "inputt"}, tmp_path / "x.jsonl")
