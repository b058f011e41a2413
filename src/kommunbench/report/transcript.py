"""What is kept of a masked sum, so that anyone can make it again: what sites signed, and the masks that they took off.

    masked/<moment>/<session>/<site>.json   MaskedNumbers; the site's receipt for them stands in the journal
    masked/<moment>/<session>.json          Transcript: keys, who is in the sum, their signatures of that, the masks

The coordinator had all of it anyway, and it tells no more than the sum: each vector keeps the masks of its pairs.
Words of weights are not kept, as no single site's weights are. `report/verify_masked.py` reads it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from kommunbench.core.masking import Hex
from kommunbench.report.record import RunFolder


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MaskedNumbers(_Frozen):
    """One site's numbers behind masks.

    Args:
        words: little-endian 64-bit words in hexadecimal digits; empty where the site refused, or was lost before.
    """

    site: str
    moment: str
    session: str
    words: Hex = ""


class Transcript(_Frozen):
    """One session that ended in a sum; bytes as hexadecimal digits.

    Args:
        work: digest of the request that was answered, without the session's steps.
        length: words in each vector, those of weights included.
        cards: by site, its public keys as it signed them; all that were dealt to.
        members: those that dealt shares.
        survivors: those in the sum.
        confirmed: signatures of that list.
        secrets: by member, what takes its mask off the sum (privacy/secagg.py).
    """

    moment: str
    session: str
    work: str
    threshold: int
    length: int
    cards: dict[str, Hex]
    members: tuple[str, ...]
    survivors: tuple[str, ...]
    confirmed: dict[str, Hex]
    secrets: dict[str, Hex]


class MaskedRecord:
    """What is kept of one moment's sum in a run's folder; each file has its line in the journal."""

    def __init__(self, folder: RunFolder, moment: str) -> None:
        self.folder, self.moment = folder, moment

    def note_numbers(self, session: str, site: str, words: bytes, receipt: bytes) -> None:
        """Keep a site's masked numbers with its receipt."""
        numbers = MaskedNumbers(site=site, moment=self.moment, session=session, words=words.hex())
        self.folder.write(self.file(session, site), numbers.model_dump_json())
        self.folder.journal.note(self.file(session, site), receipt)

    def note_step(self, session: str, site: str, receipt: bytes = b"") -> None:
        """Note that a site took no further step: with its receipt where it refused, without where it was lost."""
        if (self.folder.path / self.file(session, site)).is_file():
            self.folder.journal.note(self.file(session, site), receipt)
        else:
            self.note_numbers(session, site, b"", receipt)

    def note_sum(self, transcript: Transcript) -> None:
        """Keep what takes the masks off a sum."""
        file = f"masked/{self.moment}/{transcript.session}.json"
        self.folder.write(file, transcript.model_dump_json())
        self.folder.journal.note(file)

    def forget(self) -> None:
        """Remove what there is of sessions that came to nothing; their lines in the journal stay."""
        folder = self.folder.path / "masked" / self.moment
        files = [str(path.relative_to(self.folder.path)) for path in sorted(folder.rglob("*.json"))]
        shutil.rmtree(folder, ignore_errors=True)
        for file in files:
            self.folder.journal.note(file)

    def transcripts(self) -> Iterator[Transcript]:
        """Every session of the moment that ended in a sum: one, in a run's folder as it was written."""
        for path in sorted((self.folder.path / "masked" / self.moment).glob("*.json")):
            yield Transcript.model_validate_json(path.read_bytes())

    def numbers(self, session: str, site: str) -> MaskedNumbers | None:
        """What a site gave to a session; None where there is no such file. Raises ValueError where it is another."""
        path = self.folder.path / self.file(session, site)
        return MaskedNumbers.model_validate_json(path.read_bytes()) if path.is_file() else None

    def file(self, session: str, site: str) -> str:
        """The path, in the run's folder, of a site's masked numbers."""
        return f"masked/{self.moment}/{session}/{site}.json"
