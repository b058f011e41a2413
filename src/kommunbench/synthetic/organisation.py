"""An invented organisation, and the recipe that its texts are made by. Plain data: conf/ states both."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.example import Split
from kommunbench.synthetic.fillers import Pool

Kind = Literal["municipality", "region"]
T = TypeVar("T")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Sizes(_Frozen):
    """How many rows of one task an organisation has in each split."""

    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    test: int = Field(ge=0)

    def of(self, split: Split) -> int:
        """Rows in `split`."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[split]


class Organisation(_Frozen):
    """A municipality or a region that does not exist.

    Args:
        name: short name in ASCII, also its folder's; with the seed it decides the house style.
        title: as people write it.
        sizes: rows by task; a task that is absent has no data here.
        trains: whether it takes part in training, or is only asked how well others' learning serves it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    kind: Kind
    sizes: dict[str, Sizes]
    trains: bool = True


class Recipe(_Frozen):
    """What makes organisations differ, and how hard their examples are. Shares are 0..1.

    Args:
        own_style: chance that a house has its own way in a matter of style; 0 makes all houses alike.
        subject_focus: 0 gives every house the same mix of subjects, 1 makes each keep mostly to its favourites.
        unanswerable_low, unanswerable_high: a house's share of questions that its guideline does not answer lies here.
        hard_share: rows with a trap: an exception, a negation, a second amount, a quotation that says the opposite.
        test_only_templates: share of every list of templates that only test splits may use.
        questions_per_guideline: rows about one guideline; they stay in one split.
    """

    own_style: float = Field(1.0, ge=0, le=1)
    subject_focus: float = Field(0.5, ge=0, le=1)
    unanswerable_low: float = Field(0.15, ge=0, le=1)
    unanswerable_high: float = Field(0.45, ge=0, le=1)
    hard_share: float = Field(0.35, ge=0, le=1)
    test_only_templates: float = Field(0.2, ge=0, lt=1)
    questions_per_guideline: int = Field(2, ge=1, le=20)


class Generator(Protocol):
    """A module named as a task exports one as `GENERATOR`."""

    def __call__(self, organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
        """Yield the organisation's rows of `split`, as they would stand in its `<task>.jsonl`.

        Deterministic; a larger size gives the same first rows.
        """


def source(*parts: object) -> random.Random:
    """A random source that depends on `parts` alone: the same on every machine and in every order of calls."""
    return random.Random("/".join(map(str, parts)))  # noqa: S311 (data, not secrets)


def pool(split: Split) -> Pool:
    """Whose fillers a split draws from: test has its own."""
    return "test" if split == "test" else "local"


def open_to(options: tuple[T, ...], split: Split, recipe: Recipe) -> tuple[T, ...]:
    """The templates that `split` may use: the last ones of every list of three or more are for test splits only."""
    held = max(1, round(len(options) * recipe.test_only_templates)) if recipe.test_only_templates else 0
    return options if split == "test" or len(options) < 3 else options[: len(options) - held]
