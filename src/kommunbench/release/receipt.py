"""A receipt: what a site signs about a release, so that anyone can tell later whether an answer is the one it gave.

504 bytes with a fixed layout: nothing in it is text, and nothing in it can be longer or shorter.

    0    8    number of the ledger's line about the release, counted from 1
    8    8    time, whole seconds since 1970 in UTC
    16   8    what counts were rounded to a multiple of; 1: nothing was rounded
    24   384  twelve SHA-256 digests, in the order of `DIGESTS`
    408  32   the site's public key (Ed25519)
    440  64   its signature over the 440 bytes before

Integers are big-endian. Each receipt states the ledger's hash up to its line and the receipt before it in the same run:
so a site that rewrites its ledger contradicts receipts that others hold, and an answer that is taken away leaves a gap.
The data set's digest is keyed by the site (`site/registrations.py`), since a digest of little text can be guessed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields

from kommunbench.core.digests import digest, digest_bytes
from kommunbench.core.spec import Cell, RunSpec
from kommunbench.release.identity import SIGNATURE_BYTES, Identity, is_signed

PURPOSE = "receipt"
NONE = "0" * 64
"""Stands for no digest."""
_NUMBERS = struct.Struct(">3q")


@dataclass(frozen=True, slots=True)
class Digests:
    """What a receipt binds together, each as 64 hexadecimal digits.

    Args:
        spec: the run's specification: its name, tasks, models and settings as they were asked for.
        request: the message that was answered; of a masked sum's step, what all members are asked alike.
        tasks, models: names and digests, as installed at the site, of those behind what leaves (`behind`).
        data: the data sets' registrations, keyed by the site.
        code: kommunbench's own files and the packages that add to it.
        environment: every installed library's version.
        policy: the site's policy; zeros where it had none.
        numbers: the release without its weights (`sealed.payload`); of masked numbers, the words but for weights'.
        payload: the whole release.
        before: the site's receipt before this one in the same run; zeros for the first.
        previous: the hash of the ledger's line before the one about the release.
    """

    spec: str
    request: str
    tasks: str
    models: str
    data: str
    code: str
    environment: str
    policy: str
    numbers: str
    payload: str
    before: str
    previous: str


DIGESTS = tuple(field.name for field in fields(Digests))
BODY_BYTES = _NUMBERS.size + 32 * len(DIGESTS) + 32
RECEIPT_BYTES = BODY_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt, read or about to be signed."""

    number: int
    time_s: int
    rounding: int
    digests: Digests
    public: str = NONE
    signature: bytes = bytes(SIGNATURE_BYTES)

    @classmethod
    def read(cls, data: bytes) -> Receipt:
        """The receipt that `pack` wrote; its signature is not looked at. Raises ValueError for another length."""
        if len(data) != RECEIPT_BYTES:
            raise ValueError(f"a receipt has {RECEIPT_BYTES} bytes")
        number, time_s, rounding = _NUMBERS.unpack_from(data)
        start = _NUMBERS.size
        found = [data[at : at + 32].hex() for at in range(start, BODY_BYTES, 32)]
        return cls(number, time_s, rounding, Digests(*found[:-1]), found[-1], data[BODY_BYTES:])

    def signed(self, identity: Identity) -> Receipt:
        """The same with the key and signature of `identity`."""
        body = _body(self, identity.public)
        return Receipt.read(body + identity.sign(PURPOSE, body))

    def pack(self) -> bytes:
        """The 504 bytes."""
        return _body(self, self.public) + self.signature

    @property
    def digest(self) -> str:
        """SHA-256 of the 504 bytes."""
        return digest_bytes(self.pack())

    @property
    def genuine(self) -> bool:
        """Whether the holder of the key that it states signed it."""
        return is_signed(self.public, PURPOSE, _body(self, self.public), self.signature)

    def disagreements(self, stated: Mapping[str, object]) -> list[str]:
        """Names of the digests that are not as `stated`."""
        return [name for name, value in stated.items() if getattr(self.digests, name) != value]


def behind(spec: RunSpec, cells: Iterable[Cell], weights: bool) -> dict[str, str]:
    """Digests `tasks` and `models` of what stands behind a reply, worked out alike at the site and at the coordinator.

    Those of the released `cells` and, where trained weights leave too, of all that the run trains on. The door lets a
    slot out only where the digest that the run states is the one measured at the site, so both sides mean the same.
    """
    found = set(cells)
    tasks = {cell.task for cell in found} | ({task.name for task in spec.tasks} if weights else set())
    models = {cell.model for cell in found} | ({spec.trained_model} if weights else set())
    return {
        "tasks": digest({task.name: task.digest for task in spec.tasks if task.name in tasks}),
        "models": digest({model.name: model.digest for model in spec.models if model.name in models}),
    }


def _body(receipt: Receipt, public: str) -> bytes:
    numbers = _NUMBERS.pack(receipt.number, receipt.time_s, receipt.rounding)
    return numbers + b"".join(map(bytes.fromhex, (*astuple(receipt.digests), public)))
