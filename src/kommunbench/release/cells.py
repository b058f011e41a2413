"""When a row of integers is safe to let out: the rules on one slot, as pure functions of numbers.

Both sides use them: the site before a number leaves, the coordinator (`within_bounds`) on what it receives.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from kommunbench.core.answer import Code
from kommunbench.core.metric import INT64_MAX
from kommunbench.core.spec import Slot
from kommunbench.release.policy import ReleasePolicy

Row = tuple[int, ...]


def is_row(value: object, width: int) -> TypeGuard[Row]:
    """A plain tuple of exactly `width` plain ints that fit in 64 bits with a sign.

    `type() is` and not `isinstance`: a subclass of tuple or int can answer differently each time it is asked, True is
    an int, and numpy's integers wrap around.
    """
    return (
        type(value) is tuple
        and len(value) == width
        and all(type(entry) is int and abs(entry) <= INT64_MAX for entry in value)
    )


def within_bounds(slot: Slot, row: Row) -> bool:
    """Whether `row` could be a sum of `n` examples.

    A tally: 0 <= unscored, and every field between n * low and n * high as its metric states them. Closing sums
    (n, sum u, sum u^2): Cauchy and Schwarz bound the sum, |sum u| <= sqrt(n * sum u^2), with 2 units an example to
    spare for rounding.
    """
    n = row[0]
    if n < 0:
        return False
    if slot.metric is None:
        _, total, squares = row
        return squares >= 0 and max(abs(total) - 2 * n, 0) ** 2 <= n * squares
    fields = zip(row[2:], slot.metric.fields, strict=True)
    return row[1] >= 0 and all(n * field.low <= entry <= n * field.high for entry, field in fields)


def hidden_counts(slot: Slot, row: Row) -> Iterable[int]:
    """Every count of examples of a kind that the row states, or that subtraction gives.

    For each support count s of a tally over n examples: s, and those not of the kind, n - s. Where a metric counts
    several kinds, also those of none of them, n - sum(s), as the kinds may be all but one part of a whole. A support
    that can count an example more than once has no complement.
    """
    n, metric = row[0], slot.metric
    if metric is None:
        return
    once = [index for index in slot.support if metric.fields[index - 2].high == 1]
    yield from (row[index] for index in slot.support)
    yield from (n - row[index] for index in once)
    if len(once) > 1:
        yield n - sum(row[index] for index in once)


def row_code(policy: ReleasePolicy, slot: Slot, value: object) -> Code:
    """OK where `value` is exactly the row that the slot asks for and no rule of the policy holds it back.

    What is not that row is a fault of our own (INTERNAL): nothing is mended on the way out.
    """
    if not is_row(value, slot.width) or not within_bounds(slot, value):
        return Code.INTERNAL
    n, other = value[:2]
    if n < policy.min_examples:
        return Code.TOO_FEW_EXAMPLES
    seen = n if slot.metric is None else n + other
    if policy.max_examples and seen > policy.max_examples:
        return Code.OVER_LIMIT
    small = any(0 < count < policy.min_cell for count in hidden_counts(slot, value))
    return Code.SMALL_CELL if small else Code.OK
