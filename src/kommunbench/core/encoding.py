"""How a site's trained weights cross the network: as they are, in 16 bits each, or in 8.

Both sides in one file. A site first rounds its weights to what the coordinator will read (`rounded`); the door reviews
and signs those very numbers; writing them down (`to_wire`) and reading them (`from_wire`) then changes none of them.

    float32    4 bytes a weight, as trained
    bfloat16   2 bytes: the weight to 8 significant bits
    int8       1 byte: its step from the weight that was sent, in units of a power of two, one for each array, of which
               the array's longest step has at most 127
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

Encoding = Literal["float32", "bfloat16", "int8"]
Weights = Mapping[str, npt.NDArray[np.float32]]
UNITS = "units"
"""On the wire: each array's power of two, int16, in the order of the arrays' names; no weight has this name."""
MOST = 127
FAINTEST = 2
"""A unit is at least so many times the gap between neighbouring float32 numbers, or steps would be lost in it."""


def rounded(trained: Weights, sent: Weights, encoding: Encoding) -> dict[str, npt.NDArray[np.float32]]:
    """The weights as the coordinator will read them. Numbers that are not finite stay: the door refuses them."""
    if encoding == "float32" or not all(np.isfinite(array).all() for array in trained.values()):
        return dict(trained)
    if encoding == "bfloat16":
        return {name: _short(array) for name, array in trained.items()}
    return {name: _stepped(sent[name], *_steps(array, sent[name])) for name, array in trained.items()}


def to_wire(weights: Weights, sent: Weights, encoding: Encoding) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays that cross.

    Raises:
        ValueError: `weights` are not what `rounded` gives, so the other side would read something else.
    """
    if encoding == "float32":
        return dict(weights)
    if encoding == "bfloat16":
        arrays: dict[str, npt.NDArray[np.generic]] = {
            name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in weights.items()
        }
    else:
        found = {name: _exact_steps(weights[name], sent[name]) for name in sorted(weights)}
        arrays = {name: steps for name, (steps, _) in found.items()}
        arrays[UNITS] = np.array([unit for _, unit in found.values()], np.int16)
    back = from_wire(arrays, sent, encoding)
    if back.keys() != weights.keys() or not all(np.array_equal(back[name], weights[name]) for name in weights):
        raise ValueError("the weights were not rounded to their encoding")
    return arrays


def from_wire(
    arrays: Mapping[str, npt.NDArray[np.generic]], sent: Weights, encoding: Encoding
) -> dict[str, npt.NDArray[np.float32]]:
    """The weights that arrays from a site stand for; none of them where the arrays are not of the encoding's form."""
    if encoding == "float32":
        return dict(arrays)  # type: ignore[arg-type]  # looked at by `update_code`, as every encoding's are
    if encoding == "bfloat16":
        if not all(array.dtype == np.uint16 for array in arrays.values()):
            return {}
        return {name: (array.astype(np.uint32) << 16).view(np.float32) for name, array in arrays.items()}
    names, units = sorted(arrays.keys() - {UNITS}), arrays.get(UNITS)
    if names != sorted(sent) or units is None or units.dtype != np.int16 or units.shape != (len(names),):
        return {}
    if not all(arrays[name].dtype == np.int8 and arrays[name].shape == sent[name].shape for name in names):
        return {}
    with np.errstate(over="ignore"):  # a unit that no training gives; the weights are then not finite, and refused
        return {name: _stepped(sent[name], arrays[name], int(unit)) for name, unit in zip(names, units, strict=True)}


def _short(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """To the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(array).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def _steps(array: npt.NDArray[np.float32], sent: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], int]:
    """Steps from `sent` in units of 2^unit, and the unit."""
    step = array.astype(np.float64) - sent
    longest, gap = float(np.abs(step).max(initial=0)), float(np.spacing(np.abs(sent)).max(initial=0))
    unit = max(_power(longest / MOST), _power(FAINTEST * gap))
    return np.clip(np.rint(np.ldexp(step, -unit)), -MOST, MOST).astype(np.int8), unit


def _exact_steps(array: npt.NDArray[np.float32], sent: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], int]:
    """The steps that give `array` exactly. Rounding may have made the longest a little shorter or longer."""
    steps, unit = _steps(array, sent)
    for nearby in (unit, unit - 1):
        counts = np.rint(np.ldexp(array.astype(np.float64) - sent, -nearby))
        if np.abs(counts).max(initial=0) <= MOST and np.array_equal(
            _stepped(sent, found := counts.astype(np.int8), nearby), array
        ):
            return found, nearby
    return steps, unit


def _stepped(sent: npt.NDArray[np.float32], steps: npt.NDArray[np.generic], unit: int) -> npt.NDArray[np.float32]:
    """`sent` and so many units, worked out in float64 and rounded once: the same numbers on every machine."""
    total: npt.NDArray[np.float32] = (sent.astype(np.float64) + np.ldexp(steps.astype(np.float64), unit)).astype(
        np.float32
    )
    return total


def _power(size: float) -> int:
    """The least power of two that is at least `size`; that of the smallest normal float32 for nothing."""
    return max(math.ceil(math.log2(size)), -126) if size > 0 else -126
