"""Does a receipt fit an answer? Asked by the coordinator when the answer comes, and by anyone later, offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from kommunbench.core.answer import Code
from kommunbench.core.digests import digest_bytes
from kommunbench.core.errors import Fault, FederationError
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Cell, Request, RunSpec
from kommunbench.release.receipt import Receipt, behind
from kommunbench.release.sealed import Int64s, payload

Vectors = Sequence[Int64s]
"""status, values, codes, cost."""


def check_receipt(
    request: Request,
    vectors: Vectors,
    adapter: Adapter | None,
    receipt: bytes,
    key: str | None,
    numbers: bytes | None = None,
) -> Receipt | None:
    """The receipt of a reply that has come; None where there is none and nothing was released.

    Args:
        request: what this site was asked.
        key: the site's public key, where one is known.
        numbers: of a reply with masked numbers, those words that are kept.

    Raises:
        FederationError: numbers without a receipt, or one that is not the site's or not about these numbers.
    """
    refused = int(vectors[0][0]) != Code.OK
    if not receipt and refused:
        return None
    try:
        found = Receipt.read(receipt)
    except ValueError:
        raise _unfit("there is none") from None
    codes = [Code(int(code)) for code in vectors[2]]
    cells = released_cells((slot.key, code) for slot, code in zip(request.slots() if codes else (), codes, strict=True))
    arrays = {name: np.asarray(weights, np.float32) for name, weights in (adapter or {}).items()}
    stated = {
        **offline(request.spec, vectors, cells, bool(arrays)),
        "request": request.signed,
        "payload": digest_bytes(payload(vectors, arrays)),
    }
    if numbers is not None:
        stated["numbers"] = digest_bytes(numbers)
    if not found.genuine or (key is not None and found.public != key):
        raise _unfit("it is not signed by the site")
    if wrong := found.disagreements(stated):
        raise _unfit(f"it states another {', '.join(wrong)}")
    return found


def offline(spec: RunSpec, vectors: Vectors, cells: set[Cell], weights: bool) -> Mapping[str, str]:
    """The digests that a receipt must have, of what a coordinator keeps: all but the request and the weights."""
    return {
        "spec": spec.digest,
        "numbers": digest_bytes(payload(vectors, {})),
        **behind(spec, cells, weights),
    }


def released_cells(slots: Iterable[tuple[tuple[object, ...], Code]]) -> set[Cell]:
    """The cells of the slots, as (key, code), that were released."""
    return {Cell(*part) for key, code in slots if code is Code.OK for part in key if isinstance(part, tuple | list)}


def vectors_of(status: Sequence[int], values: Sequence[int], codes: Sequence[int], cost: Sequence[int]) -> Vectors:
    """The four vectors as they were released, from plain numbers."""
    made: list[npt.NDArray[np.int64]] = [np.array(entries, dtype="<i8") for entries in (status, values, codes, cost)]
    return made


def _unfit(what: str) -> FederationError:
    return FederationError(Fault(f"a reply's receipt does not fit: {what}", do="its numbers are left out"))
