"""What staff have, as rows and paragraphs: JSONL, CSV, XLSX, Parquet, DOCX and PDF, with what could not be read.

Tables (JSONL, CSV, XLSX, Parquet) give rows of named cells; documents (DOCX, PDF) give paragraphs with their page or
number. A CSV's encoding and separator are found and told: Excel writes semicolons and cp1252. No fault quotes text.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kommunbench.core.errors import Fault
from kommunbench.site.files import read_file

TABLES = (".jsonl", ".csv", ".xlsx", ".parquet")
DOCUMENTS = (".docx", ".pdf")
ENCODINGS = ("utf-8-sig", "cp1252")
"""Tried in this order: text that is valid UTF-8 with å, ä, ö in it is hardly ever anything else."""
FEWEST_CHARACTERS = 20
"""A page with less text than this is a picture."""


@dataclass(slots=True)
class Paragraph:
    """A piece of a document: its text, where it stands, and whether it is a heading."""

    text: str
    where: str
    heading: bool = False

    def __repr__(self) -> str:
        return f"Paragraph({self.where})"


@dataclass(slots=True)
class Found:
    """What one file gave: a table's rows with their places or a document's paragraphs, how it was read, what not."""

    path: Path
    how: str = ""
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Found({self.path.name}, {len(self.rows)} rows, {len(self.paragraphs)} paragraphs)"


def read_document(path: Path) -> Found:
    """Read `path` by its suffix. Never raises for what is in it: the faults come along."""
    found = Found(path)
    try:
        if path.suffix == ".csv":
            _read_csv(found)
        elif path.suffix == ".xlsx":
            _read_xlsx(found)
        elif path.suffix == ".docx":
            _read_docx(found)
        elif path.suffix == ".pdf":
            _read_pdf(found)
        elif path.suffix in TABLES:
            raw = read_file(path)
            found.how, found.faults = path.suffix[1:], [*raw.broken, *raw.faults]
            found.rows = [(f"{path}:{line}", row) for line, row in raw.rows]
        else:
            do = "there is " + ", ".join((*TABLES, *DOCUMENTS)) + "; save .doc as .docx and .xls as .xlsx"
            found.faults.append(Fault(f"{path.suffix or 'no suffix'} is not read", str(path), do))
    except OSError as error:
        found.faults.append(Fault(f"cannot be opened: {error.strerror or 'not a file of its kind'}", str(path)))
    except Exception as error:  # the libraries raise anything for a broken file, and their messages may quote it
        found.faults.append(Fault(f"not a {path.suffix[1:]} file that can be read ({type(error).__name__})", str(path)))
    return found


def _read_csv(found: Found) -> None:
    data = found.path.read_bytes()
    encoding = next((name for name in ENCODINGS if _decodes(data, name)), None)
    if encoding is None:
        found.faults.append(Fault("neither UTF-8 nor cp1252", str(found.path), "save it as CSV UTF-8"))
        return
    text = data.decode(encoding)
    header = text.partition("\n")[0]
    separator = max(";,\t|", key=header.count)
    shown = {"\t": "tab"}.get(separator, separator)
    found.how = f"csv, {encoding.removesuffix('-sig')}, separator {shown}"
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, restkey="", restval=None)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error:
            found.faults.append(Fault("a row that cannot be read", f"{found.path}:{line}"))
            continue
        if row is None:
            return
        _keep_row(found, f"{found.path}:{max(line, 2)}", row)


def _keep_row(found: Found, where: str, row: dict[Any, Any]) -> None:
    if "" in row:
        found.faults.append(Fault("more cells than the header has", where, "quote a text that has the separator in it"))
        return
    cells = {str(name).strip(): _plain(value) for name, value in row.items() if name is not None}
    cells = {name: value for name, value in cells.items() if value is not None and str(value).strip()}
    if cells:
        found.rows.append((where, cells))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | list | dict) else str(value)


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _read_xlsx(found: Found) -> None:
    from openpyxl import load_workbook

    book = load_workbook(found.path, read_only=True, data_only=True)
    sheet = book.worksheets[0]
    rows = sheet.iter_rows(values_only=True)
    header = [str(cell).strip() if cell is not None else "" for cell in next(rows, ())]
    found.how = f"xlsx, first of {len(book.worksheets)} sheets"
    for number, cells in enumerate(rows, start=2):
        named = {name: cell for name, cell in zip(header, cells, strict=False) if name}
        _keep_row(found, f"{found.path}:row {number}", named)
    book.close()


def _read_docx(found: Found) -> None:
    from docx import Document
    from docx.table import Table

    number = 0
    for block in Document(str(found.path)).iter_inner_content():
        if isinstance(block, Table):
            found.faults.append(
                Fault("a table is left out", f"{found.path}:after paragraph {number}", "write it as text")
            )
            continue
        number += 1
        if block.text.strip():
            style = (block.style.name or "") if block.style is not None else ""
            heading = style.lower().startswith(("heading", "rubrik", "title"))
            found.paragraphs.append(Paragraph(block.text.strip(), f"{found.path}:paragraph {number}", heading))
    found.how = f"docx, {number} paragraphs"


def _read_pdf(found: Found) -> None:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it could not read is told below, in a sentence
    reader = PdfReader(found.path)
    for number, page in enumerate(reader.pages, start=1):
        text = page.extract_text() or ""
        where = f"{found.path}:page {number}"
        if len(text.strip()) < FEWEST_CHARACTERS:
            found.faults.append(Fault("no text on the page", where, "a scanned page has to be read by OCR first"))
            continue
        found.paragraphs.extend(Paragraph(" ".join(piece.split()), where) for piece in _pieces(text))
    found.how = f"pdf, {len(reader.pages)} pages"


def _pieces(text: str) -> Iterator[str]:
    """Lines of a page, joined where a line goes on: the next begins in lower case and this one has no full stop."""
    piece = ""
    for line in (line.strip() for line in text.splitlines()):
        goes_on = piece and line and piece[-1] not in ".:!?" and line[0].islower()
        if goes_on:
            piece = piece[:-1] + line if piece.endswith("-") else f"{piece} {line}"
            continue
        if piece:
            yield piece
        piece = line
    if piece:
        yield piece


def as_json_line(row: dict[str, Any]) -> str:
    """A row as the site's file has it."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"
