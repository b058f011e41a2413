"""Digests: what a name alone cannot promise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: the same value gives the same bytes everywhere."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def digest_bytes(data: bytes) -> str:
    """SHA-256 of `data`, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def spoken(fingerprint: str) -> str:
    """The first 128 bits of a fingerprint in eight groups of four digits, for a phone call."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, 32, 4))


def digest_files(files: Iterable[Path]) -> str:
    """SHA-256 over the names and contents of `files`, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as handle:
            total.update(canonical([path.name, hashlib.file_digest(handle, "sha256").hexdigest()]))
    return total.hexdigest()
