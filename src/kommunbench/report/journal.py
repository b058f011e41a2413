"""What a run's folder was when it was written: a chained line for each file, with the site's receipt where it has one.

    receipts/answers.jsonl   {"file", "digest" (SHA-256; empty: removed), "signed" (a receipt, or empty)}, chained

It is the same kind of chain as a site's ledger (`release/ledger.py`). Whoever can write the whole folder can make it
anew; what nobody but a site can make anew is its receipts. `report/verify.py` reads both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kommunbench.core.digests import digest_bytes
from kommunbench.release import Finding, Ledger, Receipt, verify

JOURNAL = "receipts/answers.jsonl"


class Noted(NamedTuple):
    """One line: a file of the run's folder as it was when it was written."""

    file: str
    digest: str
    receipt: Receipt | None

    @property
    def site(self) -> str:
        """The site that a released file is about."""
        return Path(self.file).stem


class Journal:
    """The journal of one run's folder."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.path = run / JOURNAL

    def note(self, file: str, receipt: bytes = b"") -> None:
        """Write a line about `file` (its path in the run's folder) as it is on disk now. Raises OSError."""
        path = self.run / file
        found = digest_bytes(path.read_bytes()) if path.is_file() else ""
        Ledger(self.path).append({"file": file, "digest": found, "signed": receipt.hex()})

    def __iter__(self) -> Iterator[Noted]:
        for entry in Ledger(self.path).entries():
            receipt = bytes.fromhex(entry["signed"])
            yield Noted(entry["file"], entry["digest"], Receipt.read(receipt) if receipt else None)

    def keys(self) -> dict[str, str]:
        """The public key that each site signed its first receipt with."""
        found: dict[str, str] = {}
        for noted in self:
            if noted.receipt is not None:
                found.setdefault(noted.site, noted.receipt.public)
        return found

    def findings(self) -> list[Finding]:
        """What is wrong with the chain itself."""
        return verify(self.path)
