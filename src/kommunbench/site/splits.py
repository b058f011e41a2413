"""Which rows train, which choose and which are reported: a keyed hash, so that nobody has to remember.

A row that says its split keeps it. For the others an HMAC-SHA256 of the row's group, keyed by the site, gives 60 %
train, 10 % validation, 30 % test: the same in any order and whatever rows are added, and not to be foretold without the
key. A group is what must not be torn apart, rows about one case for instance; by default a row's group is its inputs
without case, punctuation and white space, so that duplicates stay together.

In a file where only some rows say a split, a group goes where its rows that say so go. Where they disagree, the text
would be both learnt and reported: test wins over validation and validation over train, and the losing rows are faults.
"""

from __future__ import annotations

import hashlib
import hmac
import string
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from kommunbench.core.errors import Fault
from kommunbench.core.example import SPLITS, Split
from kommunbench.site.rows import Row

SHARES: dict[Split, int] = {"train": 60, "validation": 10, "test": 30}
"""Per cent of the groups of rows that do not say their split."""
_IGNORED = (string.punctuation + string.whitespace).encode()


def default_key(site: str) -> bytes:
    """A key made of the site's name: repeatable, but known to whoever knows the name. 32 bytes."""
    return hashlib.sha256(f"kommunbench split {site}".encode()).digest()


def group_of(inputs: Iterable[str]) -> str:
    """The default group: a digest of the inputs in NFKC without case, ASCII punctuation and white space."""
    total = hashlib.sha256()
    for text in inputs:
        words = unicodedata.normalize("NFKC", text).casefold().encode()
        kept = words.translate(None, _IGNORED) or words.strip()
        total.update(b"%d:%b" % (len(kept), kept))
    return f"inputs-{total.hexdigest()[:32]}"


def hashed_split(group: str, key: bytes) -> Split:
    """The split of a group by HMAC-SHA256, with the probabilities of SHARES."""
    place = int.from_bytes(hmac.digest(key, group.encode(), "sha256")[:8], "big") * 100 >> 64
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    raise AssertionError("the shares add up to 100")


def settle(
    rows: Sequence[Row], groups: Sequence[str], key: bytes, path: str
) -> tuple[list[tuple[int, Split]], list[Fault]]:
    """A split for every row, and a fault for each row whose own split contradicts its group's.

    Args:
        rows: of one file.
        groups: of each row, in the same order.
        key: the site's.
        path: the file, to say where a fault is.

    Returns:
        Index into `rows` and split of every row that can be used, in order; and the faults.
    """
    told = _told_splits(rows, groups)
    settled: list[tuple[int, Split]] = []
    faults: list[Fault] = []
    for index, (row, group) in enumerate(zip(rows, groups, strict=True)):
        split = told.get(group) or hashed_split(group, key)
        if row.split in (None, split):
            settled.append((index, split))
            continue
        what = f"says {row.split}, but the same group or text is in {split}"
        faults.append(Fault(what, f"{path}:{row.line}", "keep a group in one split; this line is left out"))
    return settled, faults


def _told_splits(rows: Sequence[Row], groups: Sequence[str]) -> Mapping[str, Split]:
    """The split that each group's rows say, the one furthest from training where they disagree."""
    told: dict[str, Split] = {}
    for row, group in zip(rows, groups, strict=True):
        if row.split is not None and SPLITS.index(row.split) >= SPLITS.index(told.get(group, "train")):
            told[group] = row.split
    return told
