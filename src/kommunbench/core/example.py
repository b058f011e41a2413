"""An example: one piece of a site's own text with what a good answer looks like. It never leaves the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One row of `<task>.jsonl` at a site.

    Args:
        id: unique within its file.
        inputs: the text fields that the task's prompts name, such as `input`, or `context` and `question`.
        references: good answers, best first; empty where nobody has written one.
        split: train, validation or test.
        group: what must stay in one split (rows about one case); by default the row's input.
        facts: structured extras that single metrics read; absent means those metrics count it as unscored.

    `repr` and `str` show the id's length and nothing else, so that no log or traceback can carry the text.
    """

    id: str
    inputs: Mapping[str, str]
    references: tuple[str, ...] = ()
    split: Split = "test"
    group: str = ""
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        return f"Example(split={self.split})"

    __str__ = __repr__
