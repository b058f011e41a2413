"""A site's file as numbered rows: JSONL, CSV or Parquet, and everything that is wrong with it as a file.

JSONL is one JSON object a line. CSV has a header; its separator is whichever of comma, semicolon and tab the header has
most of, an empty cell counts as absent, and a cell of `references` or of a fact may hold JSON. Parquet has a column a
field. Text is UTF-8. Nothing is written anywhere, and no fault quotes what the file says.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from kommunbench.core.errors import Fault

SUFFIXES = (".jsonl", ".csv", ".parquet")
ENCODINGS = {"cp1252": "WINDOWS-1252", "cp850": "CP850", "mac_roman": "MACINTOSH"}
"""What Swedish text is found in when it is not UTF-8, by Python's name and by iconv's."""
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class RawFile:
    """What reading a file gave.

    Args:
        path: the file.
        rows: line number (of a CSV record's first line; of a Parquet row, counted from 1) and fields. None is left out.
        faults: lines that are no row; the others can be used.
        broken: faults of the file as a whole; none of its rows should be used.
        bad_lines: how many lines are no row.
    """

    path: Path
    rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: list[Fault] = field(default_factory=list)
    bad_lines: int = 0

    def __repr__(self) -> str:
        return f"RawFile({len(self.rows)} rows, {len(self.faults) + len(self.broken)} faults)"

    def bad_line(self, line: int, what: str, do: str = "") -> None:
        """Note a line that is no row."""
        self.faults.append(Fault(what, f"{self.path}:{line}", do))
        self.bad_lines += 1


def read_file(path: Path, structured: Collection[str] = ()) -> RawFile:
    """Read `path` by its suffix, with every fault in one go.

    Args:
        path: a file that ends in one of SUFFIXES.
        structured: CSV columns whose cells may hold JSON, beside `references` and `facts`.
    """
    raw = RawFile(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raw.broken.append(Fault(f"cannot be opened: {error.strerror}", str(path)))
        return raw
    if path.suffix == ".parquet":
        _read_parquet(raw, data)
    elif (text := _decode(raw, data)) is not None:
        if path.suffix == ".csv":
            _read_csv(raw, text, {"references", "facts", *structured})
        else:
            _read_jsonl(raw, text)
    if not raw.rows and not raw.bad_lines and not raw.broken:
        raw.broken.append(Fault("the file is empty", str(path), "leave a file out where there are no examples"))
    return raw


def _decode(raw: RawFile, data: bytes) -> str | None:
    """The text, with a fault where it is not UTF-8; its other lines can still be checked. None where that is no use."""
    if data.startswith(UTF16_MARKS):
        raw.broken.append(
            Fault("not UTF-8: it is UTF-16", f"{raw.path}:1", "convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW")
        )
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raw.broken.append(_encoding_fault(raw.path, data, error.start))
        text = data.decode(errors="replace")
    if text.startswith("\ufeff"):
        text = text[1:]
        if raw.path.suffix == ".jsonl":  # spreadsheets put it at the start of every CSV, where it does no harm
            raw.faults.append(
                Fault("starts with a byte order mark", f"{raw.path}:1", "save it as UTF-8 without BOM; it was skipped")
            )
    return text


def _encoding_fault(path: Path, data: bytes, offset: int) -> Fault:
    bad = [line for line in data.split(b"\n") if not _is_utf8(line)]
    letters = {name: sum(map(b"".join(bad).decode(name, "ignore").count, "åäöÅÄÖ")) for name in ENCODINGS}
    likely = max(letters, key=lambda name: letters[name])
    more = f" and on {len(bad) - 1} more lines" if len(bad) > 1 else ""
    do = "save it as UTF-8"
    if letters[likely]:
        do += f"; it looks like {ENCODINGS[likely]}: iconv -f {ENCODINGS[likely]} -t UTF-8 OLD > NEW"
    line = data.count(b"\n", 0, offset) + 1
    return Fault(f"not UTF-8: the byte at offset {offset}{more}", f"{path}:{line}", do)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _read_jsonl(raw: RawFile, text: str) -> None:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    first = lines[0][1].strip() if lines else ""
    if first in ("[", "{") or (first.startswith("[") and len(lines) == 1):
        do = "write one object a line: jq -c '.[]' OLD.json > NEW.jsonl"
        raw.broken.append(Fault("one JSON document, not one object a line", f"{raw.path}:{lines[0][0]}", do))
        return
    for number, line in lines:
        try:
            row = json.loads(line, parse_constant=_no_constant)
        except json.JSONDecodeError as error:
            raw.bad_line(number, f"not JSON: column {error.colno}", "each line is one JSON object")
            continue
        except (ValueError, RecursionError):
            raw.bad_line(number, "not JSON that can be read: a number or the nesting is too large")
            continue
        if isinstance(row, dict):
            raw.rows.append((number, {name: value for name, value in row.items() if value is not None}))
        else:
            raw.bad_line(number, "not a JSON object", "each line is one JSON object: {...}")


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _read_csv(raw: RawFile, text: str, structured: Collection[str]) -> None:
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # a long text is told from a short one in rows.py
    separator = max(",;\t", key=text.partition("\n")[0].count)
    records = _records(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    try:
        _, header = next(records, (1, []))
        header = [name.strip() for name in header]
        if len(set(header)) < len(header):
            raw.broken.append(Fault("two columns have the same name", f"{raw.path}:1"))
            return
        for line, cells in records:
            if len(cells) != len(header):
                what = f"{len(cells)} cells where the header has {len(header)}"
                raw.bad_line(line, what, "quote a text that has a separator, a quotation mark or a line break")
                continue
            named = zip(header, cells, strict=True)
            raw.rows.append((line, {name: _cell(name, cell, structured) for name, cell in named if cell.strip()}))
    except csv.Error:
        last = raw.rows[-1][0] if raw.rows else 1
        raw.broken.append(
            Fault("a quotation mark is not closed or not doubled", f"{raw.path}:{last}", "it is on this line or after")
        )


def _records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Every record that is not blank, with the number of its first line."""
    before = 0
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield before + 1, cells
        before = reader.line_num


def _cell(name: str, cell: str, structured: Collection[str]) -> Any:
    """A cell's text, or what its JSON says where that is expected and it is JSON."""
    if name not in structured or (name == "references" and not cell.lstrip().startswith("[")):
        return cell
    try:
        return json.loads(cell, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return cell


def _read_parquet(raw: RawFile, data: bytes) -> None:
    import pyarrow
    from pyarrow import parquet

    if not data:
        return
    try:
        # No threads: with Arrow's pools awake, one process in six aborted at its exit (pyarrow 25, two cores, n = 60).
        file = parquet.ParquetFile(pyarrow.BufferReader(data), pre_buffer=False)
        rows = file.read(use_threads=False).to_pylist()
    except UnicodeDecodeError:
        raw.broken.append(Fault("not UTF-8: a text column holds other bytes", str(raw.path), "write it as UTF-8"))
        return
    except (pyarrow.ArrowException, OSError):
        raw.broken.append(Fault("not a Parquet file that can be read", str(raw.path), "write it again"))
        return
    for number, row in enumerate(rows, start=1):
        raw.rows.append((number, {name: value for name, value in row.items() if value is not None}))
