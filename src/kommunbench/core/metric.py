"""A metric is a sum: the one idea the whole benchmark rests on.

A metric turns one answer into a *tally*, a fixed-length vector of integers. Sites add tallies, the coordinator adds the
sites' sums, and `Metric.value` divides once. Integer addition is associative and commutative with zero as its
identity, so the pooled value equals the centralised one to the last bit, whatever the order or the batching.

Every tally starts with the same two counts, `n` (scored) and `unscored`; the metric's own fields follow. A wrong or
empty answer is scored. Unscored is what has no defined score: no reference, a fact that the row lacks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from kommunbench.core.example import Example

Tally = tuple[int, ...]
Direction = Literal["higher", "lower", "none"]
Need = Literal["confidence", "tags", "similarity", "cost"]
"""What has to be known of an answer beside its text before a metric can count it: a fact that the site adds."""
INT64_MAX = 2**63 - 1
FIXED = 10**12
"""Fixed point for real quantities in 0..1 or a little above: units of 1e-12, so a sum holds 9 million examples."""


@dataclass(frozen=True, slots=True)
class Field:
    """One integer of a tally.

    Args:
        name: unique within the metric.
        high: largest contribution of one example (bounds sensitivity and overflow).
        low: smallest contribution of one example.
        scale: units per 1; 1 for counts, FIXED for real quantities rounded half to even.
        support: it counts examples by what they *are* (answerable, cited), so a small value could single one out and
            the door suppresses the metric when it is between 1 and `min_cell` - 1.
    """

    name: str
    high: int
    low: int = 0
    scale: int = 1
    support: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """One number that a metric reports: by default `sum(numerator) / sum(denominator)`, fields named.

    Args:
        name: the metric's name in a report; unique over all metrics.
        numerator, denominator: names of fields, added up; the denominator may name `n`. Left empty where
            `Metric.value` computes it another way.
        unit: `share` is stored 0..1; else what it says (`words`, `lix`).
        direction: what is better.
        proportion: numerator counts a subset of the denominator's independent examples, so Wilson's interval applies.
    """

    name: str
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ("n",)
    unit: str = "share"
    direction: Direction = "higher"
    proportion: bool = False

    @property
    def closing_scale(self) -> int:
        """Units per 1 of this measure's closing sums: z in units of 1 / scale, z squared in units of 1 / scale^2.

        A share's or a cosine's z is about 1 at most, and 64 bits hold 9 million of them squared at 1e-6. A measure in
        words or LIX points has a z of tens or hundreds, so its unit is 1e-4: 9 million examples a site at z = 100, not
        900.
        """
        return 10**6 if self.unit in ("share", "cosine") else 10**4


class Metric(ABC):
    """Sufficient statistics of one answer, and what to make of their sum.

    A subclass lives in `metrics/<name>.py` as `METRIC = Subclass()` and states `name`, `fields`, `measures`, `source`.
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    measures: ClassVar[tuple[Measure, ...]]
    source: ClassVar[str]
    """The paper or formula it follows."""
    needs: ClassVar[Need | None] = None
    """None: text and the row's facts are enough. Where no model at a site says it, it is not available there."""

    @abstractmethod
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """The metric's own fields for one answer, or None where the score is not defined for this example."""

    def score(self, prediction: str, example: Example) -> Tally:
        """`(n, unscored, *fields)` of one answer: (1, 0, ...) when scored and (0, 1, 0, ...) when undefined.

        Raises:
            OverflowError: a field is outside the bounds that the metric states.
        """
        own = self.tally(prediction, example)
        if own is None:
            return self.unscored
        for value, field in zip(own, self.fields, strict=True):
            if not field.low <= value <= field.high:
                raise OverflowError(f"{self.name}.{field.name} is outside its stated bounds")
        return (1, 0, *own)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of a tally's entries, in order."""
        return ("n", "unscored", *(field.name for field in self.fields))

    @cached_property
    def zero(self) -> Tally:
        """The identity of addition."""
        return (0,) * len(self.names)

    @cached_property
    def unscored(self) -> Tally:
        """One example that could not be scored."""
        return (0, 1, *self.zero[2:])

    def measure(self, name: str) -> Measure:
        """The measure of that name. Raises KeyError."""
        return {measure.name: measure for measure in self.measures}[name]

    def part(self, total: Sequence[float], names: Iterable[str]) -> float:
        """Sum of the named entries of `total`, each divided by its scale."""
        scales = {field.name: field.scale for field in self.fields}
        return sum(total[self.names.index(name)] / scales.get(name, 1) for name in names)

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """The measure's value for a summed tally, or None where it is undefined (nothing scored, empty denominator)."""
        below = self.part(total, measure.denominator)
        return self.part(total, measure.numerator) / below if below else None

    def gradient(self, total: Sequence[int], measure: Measure) -> tuple[float, ...]:
        """Partial derivatives of `value` by each entry of the tally, at `total`.

        Central differences with a relative step of 1e-6 (error about 1e-10 of the value). They linearise the measure:
        `u_i = gradient . tally_i` summed over examples has the variance of the pooled value (the delta method).
        Zero everywhere where the value is undefined or has no slope on either side.
        """
        slopes = []
        for index in range(len(total)):
            step = max(abs(total[index]), 1) * 1e-6
            ends = []
            for sign in (1, -1):
                moved = [float(entry) for entry in total]
                moved[index] += sign * step
                ends.append(self.value(moved, measure))
            high, low = ends
            slopes.append(0.0 if high is None or low is None else (high - low) / (2 * step))
        return tuple(slopes)


def add(left: Sequence[int], right: Sequence[int]) -> Tally:
    """Element-wise sum.

    Raises:
        OverflowError: an entry does not fit in 64 bits with a sign, as it must on the wire.
    """
    total = tuple(int(a) + int(b) for a, b in zip(left, right, strict=True))
    if any(abs(entry) > INT64_MAX for entry in total):
        raise OverflowError("a tally does not fit in 64 bits: evaluate fewer examples in one run")
    return total
