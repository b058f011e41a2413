"""What one row is written with: its house, the house's style, the split's own fillers and templates."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kommunbench.core.example import Split
from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.organisation import Organisation, Recipe, T, open_to, pool, source
from kommunbench.synthetic.style import Slots, Style, favourites, own, style_of


@dataclass(frozen=True, slots=True)
class Draft:
    """One row in the making. `manner` is the house's way of writing the task, from 0."""

    id: str
    organisation: Organisation
    style: Style
    manner: int
    split: Split
    seed: int
    recipe: Recipe
    fillers: Fillers

    @property
    def rng(self) -> random.Random:
        """The row's own random source."""
        return self.fillers.rng

    def slots(self, **more: str) -> Slots:
        """Fresh values for templates, with `more` beside."""
        slots = self.style.slots(self.fillers)
        slots.update(more)
        return slots

    def open(self, options: tuple[T, ...]) -> tuple[T, ...]:
        """Those of `options` that the row's split may use."""
        return open_to(options, self.split, self.recipe)

    def pick(self, options: tuple[T, ...]) -> T:
        """One of `options` that the split may use, evenly."""
        return self.rng.choice(self.open(options))

    def favourites(self, matter: str, options: tuple[T, ...], count: int = 1) -> list[T]:
        """`count` different ones of `options`, those that the house favours more often than others."""
        left = list(options)
        weights = favourites(self.organisation, self.seed, self.recipe, matter, len(left))
        chosen: list[T] = []
        for _ in range(count):
            at = self.rng.choices(range(len(left)), weights)[0]
            chosen.append(left.pop(at))
            weights.pop(at)
        return chosen

    def own(self, matter: str, options: Sequence[T]) -> T:
        """What the house always does in a matter."""
        return own(self.organisation, self.seed, self.recipe, matter, options)

    def is_hard(self) -> bool:
        """Whether this row gets a trap."""
        return self.rng.random() < self.recipe.hard_share


def drafts(task: str, organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[Draft]:
    """A draft for each row that the organisation has of `task` in `split`; none where it has no such data.

    Each has a random source of its own, so a larger size gives the same first rows.
    """
    if task not in organisation.sizes:
        return
    style = style_of(organisation, seed, recipe)
    for index in range(organisation.sizes[task].of(split)):
        fillers = Fillers(source(seed, organisation.name, task, split, index), pool(split))
        label = f"{organisation.name}-{task}-{split}-{index}"
        yield Draft(label, organisation, style, style.manners[task], split, seed, recipe, fillers)
