"""Words that are nowhere else, and the search for them in bytes, however these were written.

A canary is `zq` and 14 hexadecimal digits. A piece of one, its first ten characters, counts as one. The search looks
for letters of one, two, four and eight bytes each (UTF-8, UTF-16, UTF-32, integers), and does so again in what it can
unwrap, several layers deep: base64, hexadecimal digits, \\u escapes, compressed streams anywhere in the bytes, so in
PNG, PDF and zip files too; Parquet by its columns and SQLite by its rows.
"""

from __future__ import annotations

import base64
import bz2
import io
import lzma
import os
import re
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow
import pyarrow.parquet

LAYERS = 3
MOST = 64 * 1024 * 1024
"""Bytes that one compressed stream may become."""
HEAD = 10
_LETTERS = [
    re.compile(rb"z" + gap + rb"q" + rb"(?:" + gap + rb"[0-9a-f]){8}", re.IGNORECASE)
    for gap in (b"\0" * width for width in (0, 1, 3, 7))
]
_HEX = re.compile(rb"[0-9a-fA-F]{20,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{14,}")
_ESCAPE = re.compile(rb"\\u00([0-9a-fA-F]{2})")


class Canaries:
    """The canaries of one test. `word` makes one for a place; the same place has the same one."""

    def __init__(self) -> None:
        self._salt = secrets.token_hex(8)  # two runs of a test on one machine do not find each other's
        self._places: dict[str, tuple[object, ...]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def word(self, *place: object) -> str:
        made = "zq" + sha256(f"{self._salt}{place!r}".encode()).hexdigest()[:14]
        self._places[made[:HEAD]] = place
        return made

    def found_in(self, content: bytes) -> set[tuple[object, ...]]:
        """Places of the canaries that are in `content` in any form."""
        heads = set()
        for layer in unwrapped(content):
            for letters in _LETTERS:
                heads |= {match.replace(b"\0", b"").decode().lower() for match in letters.findall(layer)}
        return {self._places[head] for head in heads if head in self._places}

    def escaped(self, *folders: Path, but: Iterable[Path] = ()) -> dict[str, set[tuple[object, ...]]]:
        """Where below `folders` a canary is that should be nowhere; not looked for below `but`."""
        return {place: found for place, content in contents(*folders, but=but) if (found := self.found_in(content))}


def contents(*folders: Path, but: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file's name and content, where it can be read, and the rows of databases."""
    left_out = tuple(but)
    for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
        if any(path.is_relative_to(other) for other in left_out):
            continue
        yield f"name of {path}", os.fsencode(path.name)
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        yield str(path), content
        if content.startswith(b"SQLite format 3"):
            with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as database:
                yield f"{path} as SQL", "\n".join(database.iterdump()).encode()


def unwrapped(content: bytes, layers: int = LAYERS) -> Iterator[bytes]:
    """`content`, and what is coded or compressed in it."""
    yield content
    if layers:
        for inner in (*_decoded(content), *_inflated(content)):
            yield from unwrapped(inner, layers - 1)


def _decoded(content: bytes) -> Iterator[bytes]:
    hexadecimal, coded = [], []
    for run in _HEX.findall(content):
        hexadecimal += [bytes.fromhex(run[start : start + (len(run) - start) // 2 * 2].decode()) for start in (0, 1)]
    one_line = content.replace(b"\r", b"").replace(b"\n", b"")
    for run in _BASE64.findall(one_line):
        plain = run.replace(b"-", b"+").replace(b"_", b"/")
        coded += [_base64(plain[start:]) for start in range(4)]
    unescaped = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), content)
    found = [b"\xff".join(hexadecimal), b"\xff".join(coded), *([] if unescaped == content else [unescaped])]
    yield from (each for each in found if each)


def _base64(letters: bytes) -> bytes:
    whole = letters if len(letters) % 4 != 1 else letters[:-1]
    return base64.b64decode(whole + b"=" * (-len(whole) % 4))


def _zlib(window: int) -> Callable[[bytes], bytes]:
    def inflate(data: bytes) -> bytes:
        stream, found = zlib.decompressobj(window), b""
        for start in range(0, len(data), 512):
            try:
                found += stream.decompress(data[start : start + 512], MOST)
            except zlib.error:  # what came before it was broken off is there
                break
            if stream.eof or len(found) > MOST:
                break
        return found

    return inflate


def _member(data: bytes) -> bytes:
    """A member of a zip archive, from its local header on."""
    name, extra = int.from_bytes(data[26:28], "little"), int.from_bytes(data[28:30], "little")
    return _zlib(-15)(data[30 + name + extra :])


def _codec(name: str) -> Callable[[bytes], bytes]:
    return lambda data: pyarrow.CompressedInputStream(io.BytesIO(data), name).read(MOST)


def _table(data: bytes) -> bytes:
    return repr(pyarrow.parquet.read_table(io.BytesIO(data)).to_pydict()).encode()


STREAMS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x78\x01": _zlib(15),
    b"\x78\x5e": _zlib(15),
    b"\x78\x9c": _zlib(15),
    b"\x78\xda": _zlib(15),
    b"\x1f\x8b\x08": _zlib(31),
    b"PK\x03\x04": _member,
    b"BZh": lambda data: bz2.BZ2Decompressor().decompress(data, MOST),
    b"\xfd7zXZ\0": lambda data: lzma.LZMADecompressor().decompress(data, MOST),
    b"\x28\xb5\x2f\xfd": _codec("zstd"),
    b"\x04\x22\x4d\x18": _codec("lz4"),
    b"PAR1": _table,
}
"""How what begins with these bytes is read."""
_BEGINNINGS = re.compile(b"|".join(map(re.escape, STREAMS)))


def _inflated(content: bytes) -> Iterator[bytes]:
    for match in _BEGINNINGS.finditer(content):
        try:
            inner = STREAMS[match.group()](content[match.start() :])
        except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError, pyarrow.ArrowException):
            continue  # the two bytes were by chance
        if inner:
            yield inner
