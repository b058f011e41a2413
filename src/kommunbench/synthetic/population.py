"""Organisations by the number: as many municipalities and regions as a country has, of all sizes, names invented."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.organisation import Kind, Organisation, Sizes, source

_ASCII = str.maketrans("åäöé", "aaoe")


def _rising(ends: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= ends[0] <= ends[1]:
        raise ValueError("a range is [fewest, most], both 0 or more")
    return ends


Range = Annotated[tuple[int, int], AfterValidator(_rising)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SizeRanges(_Frozen):
    """Fewest and most rows of one task in each split."""

    train: Range
    validation: Range
    test: Range


class Population(_Frozen):
    """Organisations to make up.

    Args:
        municipalities, regions: how many of each.
        seed: of names and sizes; texts have the run's own.
        sizes: by task, between which numbers of rows an organisation lies. Small ones are many and large ones few:
            an organisation has the same place in every range, drawn evenly on a logarithmic scale.
    """

    municipalities: int = Field(ge=0, le=1000)
    regions: int = Field(ge=0, le=1000)
    seed: int = Field(0, ge=0)
    sizes: dict[str, SizeRanges] = Field(min_length=1)


def populate(population: Population) -> Iterator[Organisation]:
    """Every organisation, municipalities first, no name twice; a larger number gives the same first municipalities."""
    taken: set[str] = set()
    kinds: tuple[tuple[Kind, int], ...] = (
        ("municipality", population.municipalities),
        ("region", population.regions),
    )
    for kind, count in kinds:
        rng = source("population", population.seed, kind)
        for _ in range(count):
            place, name = _place(rng, kind, taken)
            yield Organisation(name=name, title=_title(place, kind), kind=kind, sizes=_sizes(population, rng.random()))


def _place(rng: random.Random, kind: Kind, taken: set[str]) -> tuple[str, str]:
    """A place that no other organisation is named after, and its name in ASCII."""
    fillers = Fillers(rng, "local")
    while True:
        place = fillers.place()
        name = place.lower().translate(_ASCII)
        if name not in taken:
            taken.add(name)
            return place, f"region-{name}" if kind == "region" else name


def _title(place: str, kind: Kind) -> str:
    if kind == "region":
        return f"Region {place}"
    return f"{place} kommun" if place.endswith(("s", "x", "z")) else f"{place}s kommun"


def _sizes(population: Population, scale: float) -> dict[str, Sizes]:
    return {
        task: Sizes(**{split: _between(ends, scale) for split, ends in ranges.model_dump().items()})
        for task, ranges in population.sizes.items()
    }


def _between(ends: tuple[int, int], scale: float) -> int:
    """The number at `scale` (0..1) between two, by ratio; counted from one, so that a range may start at zero."""
    low, high = ends
    return round((low + 1) * math.pow((high + 1) / (low + 1), scale)) - 1
