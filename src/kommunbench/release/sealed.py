"""A `Release`: the only thing that can be encoded for the network, and its bytes.

It holds integers and, where the policy allows, an adapter's arrays under the names that the coordinator itself sent.
No string made at a site fits in it. Only `review.py` holds the seal that makes one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, NoReturn, final

import numpy as np
import numpy.typing as npt

from kommunbench.core.answer import Code, Cost
from kommunbench.core.digests import digest_bytes
from kommunbench.core.model import Adapter
from kommunbench.release.receipt import RECEIPT_BYTES

Int64s = npt.NDArray[np.int64]
MAGIC = b"kommunbench release 1\n"
_DOOR = object()
"""Whoever holds it can make a Release. A test sees to it that `review.py` alone does."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What `review` found fit to leave.

    Args:
        values: every slot's integers, one after another, in the order of `Request.slots()`.
        codes: one a slot.
        code: of the reply as a whole.
        adapter_code: why there is no adapter; OK also where none was asked for.
        sets: how many examples, exactly, are behind what leaves (past.py): for the ledger, and never in the bytes.
    """

    values: Sequence[int]
    codes: Sequence[Code]
    cost: Cost
    code: Code
    adapter_code: Code
    adapter: Adapter = field(default_factory=dict)
    sets: Mapping[str, Collection[int]] = field(default_factory=dict)


@final
class Release:
    """Numbers that have passed the door. It cannot be made, changed, copied, pickled or subclassed anywhere else.

    The vectors are little-endian int64 over immutable bytes, so they cannot be made writable again.
    """

    __slots__ = ("_adapter", "_codes", "_cost", "_receipt", "_sets", "_status", "_values")
    _values: bytes
    _codes: bytes
    _cost: bytes
    _status: bytes
    _adapter: dict[str, npt.NDArray[np.float32]]
    _receipt: bytes
    _sets: dict[str, tuple[int, ...]]

    def __init__(self, seal: object, contents: Contents) -> None:
        if seal is not _DOOR:
            raise TypeError("only the door makes a Release: use release.let_out")
        status = (contents.code, contents.adapter_code)
        put = object.__setattr__
        put(self, "_values", _int64(contents.values))
        put(self, "_codes", _int64(contents.codes))
        put(self, "_cost", _int64(astuple(contents.cost)))
        put(self, "_status", _int64(status))
        put(self, "_adapter", {key: _frozen(contents.adapter[key]) for key in sorted(contents.adapter)})
        put(self, "_receipt", b"")
        put(self, "_sets", {name: tuple(sorted(sizes)) for name, sizes in contents.sets.items()})

    @property
    def values(self) -> Int64s:
        """Every slot's integers, in the order of `Request.slots()`; zeros where a slot's code is not OK."""
        return _view(self._values)

    @property
    def codes(self) -> Int64s:
        """One `core.answer.Code` a slot."""
        return _view(self._codes)

    @property
    def cost(self) -> Int64s:
        """The fields of `core.answer.Cost`, rounded."""
        return _view(self._cost)

    @property
    def status(self) -> Int64s:
        """Two codes: of the whole reply, and of the adapter."""
        return _view(self._status)

    @property
    def code(self) -> Code:
        """Of the whole reply: OK unless everything was refused."""
        return Code(int(self.status[0]))

    @property
    def adapter_code(self) -> Code:
        """OK where the adapter leaves or none was asked for."""
        return Code(int(self.status[1]))

    @property
    def adapter(self) -> dict[str, npt.NDArray[np.float32]]:
        """The trained weights in the order of their names; empty where they stay."""
        return dict(self._adapter)

    @property
    def sets(self) -> dict[str, list[int]]:
        """How many examples, exactly, are behind what leaves, by the names of `past.sizes_of`. It stays at the site."""
        return {name: list(sizes) for name, sizes in self._sets.items()}

    @property
    def receipt(self) -> bytes:
        """What the site signed about these numbers (`receipt.py`); empty before it has, or where it could not."""
        return self._receipt

    def receipted(self, receipt: bytes) -> Release:
        """The same numbers with a receipt to travel beside them. Raises ValueError for any but 504 bytes or none."""
        if type(receipt) is not bytes or len(receipt) not in (0, RECEIPT_BYTES):
            raise ValueError("not a receipt")
        twin = object.__new__(Release)
        for name in self.__slots__:
            object.__setattr__(twin, name, receipt if name == "_receipt" else getattr(self, name))
        return twin

    def payload(self) -> bytes:
        """The bytes that the ledger's digest is taken over; see `payload`. The receipt, which signs them, is not in."""
        return payload((self.status, self.values, self.codes, self.cost), self._adapter)

    @property
    def digest(self) -> str:
        """SHA-256 of `payload()`."""
        return digest_bytes(self.payload())

    @property
    def numbers_digest(self) -> str:
        """SHA-256 of what `payload()` would be without weights: it can be made again from what a coordinator keeps."""
        return digest_bytes(payload((self.status, self.values, self.codes, self.cost), {}))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise TypeError("a Release cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise TypeError("a Release cannot be changed")

    def __init_subclass__(cls, **_: Any) -> NoReturn:
        raise TypeError("a Release cannot be subclassed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Release cannot be copied or pickled")

    def __repr__(self) -> str:
        return f"Release({len(self._codes) // 8} slots, code={int(self.code)})"


def payload(vectors: Sequence[Int64s], adapter: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    """Canonical bytes of a release, computed alike at the site and at the coordinator.

    Args:
        vectors: status, values, codes, cost; each is written as its length and its entries, little-endian int64.
        adapter: written in the order of names as: length of the name, name (UTF-8), number of dimensions, dimensions,
            little-endian float32 in C order; before them the number of arrays.
    """
    parts = [MAGIC]
    for vector in vectors:
        parts += [_int64([len(vector)]), vector.astype("<i8").tobytes()]
    parts.append(_int64([len(adapter)]))
    for key in sorted(adapter):
        name, array = key.encode(), adapter[key]
        parts += [_int64([len(name)]), name, _int64([array.ndim, *array.shape]), array.astype("<f4").tobytes()]
    return b"".join(parts)


def _int64(numbers: Sequence[int]) -> bytes:
    """Raises OverflowError for what does not fit in 64 bits with a sign."""
    return np.array([int(number) for number in numbers], dtype="<i8").tobytes()


def _view(data: bytes) -> Int64s:
    return np.frombuffer(data, dtype="<i8")


def _frozen(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same numbers over bytes of their own: no base array, no subclass, no way to write."""
    return np.frombuffer(array.astype("<f4").tobytes(), dtype="<f4").reshape(array.shape)


def read_payload(data: bytes) -> tuple[tuple[Int64s, Int64s, Int64s, Int64s], dict[str, npt.NDArray[np.float32]]]:
    """The vectors (status, values, codes, cost) and the adapter that `payload` wrote.

    Raises:
        ValueError: not the bytes that `payload` writes, to the last one.
    """
    rest = memoryview(data)

    def take(count: int) -> bytes:
        nonlocal rest
        if not 0 <= count <= len(rest):
            raise ValueError("a payload is cut short")
        taken, rest = bytes(rest[:count]), rest[count:]
        return taken

    def numbers(count: int) -> list[int]:
        return [int(entry) for entry in _view(take(8 * count))]

    if take(len(MAGIC)) != MAGIC:
        raise ValueError("not a release's payload")
    status, values, codes, cost = (_view(take(8 * numbers(1)[0])) for _ in range(4))
    adapter: dict[str, npt.NDArray[np.float32]] = {}
    for _ in range(numbers(1)[0]):
        name = take(numbers(1)[0]).decode()
        shape = numbers(numbers(1)[0])
        adapter[name] = np.frombuffer(take(4 * math.prod(shape)), dtype="<f4").reshape(shape)
    if rest or payload((status, values, codes, cost), adapter) != data:
        raise ValueError("a payload has more than its own bytes")
    return (status, values, codes, cost), adapter
