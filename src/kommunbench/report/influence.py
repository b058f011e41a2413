"""Does one site carry the result? Every site is left out in turn, exactly: its sums are taken from the total's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kommunbench.core.metric import Tally


class Influence(NamedTuple):
    """The site that moves a pooled number most by being left out, and the number without it."""

    site: str
    without: float


def less(total: Tally, part: Tally) -> Tally:
    """`total` with `part` taken out of it."""
    return tuple(whole - own for whole, own in zip(total, part, strict=True))


def most_influential(value: float, without: Mapping[str, float | None]) -> Influence | None:
    """The site without which the number is farthest from `value`, the first by name where several are.

    None where no number is left without any site.
    """
    defined = {site: left for site, left in without.items() if left is not None}
    if not defined:
        return None
    site = min(defined, key=lambda site: (-abs(defined[site] - value), site))
    return Influence(site, defined[site])


def influence(
    value: float | None, total: Tally, by_site: Mapping[str, Tally], number: Callable[[Tally], float | None]
) -> Influence | None:
    """Leave each site's sum out of `total` in turn; None below two sites.

    Args:
        number: a sum's value.
    """
    if value is None or len(by_site) < 2:
        return None
    return most_influential(value, {site: number(less(total, own)) for site, own in by_site.items()})
