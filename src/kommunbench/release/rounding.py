"""Rounding, where a site's policy wants it: what leaves says where a number lies, not which number it is.

`rounding: r` makes every count of examples a multiple of r. Other sums (words, points, closing sums) keep so many
leading binary digits that one step is at least what r average examples add to them, and less than four times that.
Both are fixed grids with the nearest point taken, so they keep order: a part never becomes larger than its whole.

Rounding is no substitute for the other rules, and 1 (nothing is rounded) is the default: held back is held back,
whereas a rounded number still changes, if seldom, when one example does. What it costs is exactness: a sum of rounded
numbers is not the rounded sum, and a value over n examples may be off by about r / n. The receipt states r, and so do
the report and every page made from it.
"""

from __future__ import annotations

from kommunbench.core.metric import INT64_MAX
from kommunbench.core.spec import Slot
from kommunbench.release.cells import Row

COUNTS_FIRST = 2
"""A tally's n and unscored; of a closing sum, n alone is a count."""


def rounded_count(count: int, rounding: int) -> int:
    """The nearest multiple, and the upper one of two as near."""
    return (count + rounding // 2) // rounding * rounding


def rounded_row(slot: Slot, row: Row, rounding: int) -> Row:
    """What leaves in place of `row`: within the bounds of n rounded examples, like any row."""
    if rounding == 1:
        return row
    n = rounded_count(row[0], rounding)
    digits = max((n // rounding).bit_length() - 1, 1)
    if slot.metric is None:
        total, squares = (_leading(entry, digits) for entry in row[1:])
        least = -(-(max(abs(total) - 2 * n, 0) ** 2) // max(n, 1))  # Cauchy and Schwarz, as `cells.within_bounds`
        return (n, total, min(max(squares, least), INT64_MAX))
    counted = [
        rounded_count(entry, rounding) if field.high == 1 and field.low == 0 else _leading(entry, digits)
        for entry, field in zip(row[COUNTS_FIRST:], slot.metric.fields, strict=True)
    ]
    bounds = [(n * field.low, n * field.high) for field in slot.metric.fields]
    kept = (min(max(entry, low), high) for entry, (low, high) in zip(counted, bounds, strict=True))
    return (n, rounded_count(row[1], rounding), *kept)


def _leading(entry: int, digits: int) -> int:
    """The nearest number of 64 bits with at most so many leading binary digits, away from zero of two as near."""
    step = 1 << max(abs(entry).bit_length() - digits, 0)
    size = (abs(entry) + step // 2) // step * step
    return (size if size <= INT64_MAX else size - step) * (1 if entry >= 0 else -1)
