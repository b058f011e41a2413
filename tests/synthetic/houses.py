"""Organisations and rows that the tests of synthetic/ share."""

from functools import cache

import yaml

from kommunbench.core.example import SPLITS, Split
from kommunbench.core.folders import CONF
from kommunbench.core.registry import find, names
from kommunbench.core.task import load_task as read_once
from kommunbench.synthetic.organisation import Organisation, Recipe, Sizes

NEUTRAL = ("summarization", "guideline_qa", "lattlast")
"""Tasks that the pretraining corpus has a neutral version of."""
TASKS = names("synthetic")
SEED = 1


def federation(name: str) -> list[Organisation]:
    """The organisations that conf/federation/<name>.yaml states by itself."""
    text = (CONF / "federation" / f"{name}.yaml").read_text(encoding="utf-8")
    sites = yaml.safe_load(text)["sites"]
    return [Organisation.model_validate({"name": name, **site}) for name, site in sites.items()]


_task = cache(read_once)


@cache
def houses() -> tuple[Organisation, ...]:
    """The pilot's six and the two that never train, with sizes that are enough to measure."""
    sizes = {task: Sizes(train=120, validation=20, test=60) for task in TASKS}
    named = federation("pilot") + federation("pilot_unseen")
    return tuple(organisation.model_copy(update={"sizes": sizes}) for organisation in named)


@cache
def rows(task: str, name: str, split: Split) -> tuple[dict, ...]:
    """The rows of one house."""
    house = next(house for house in houses() if house.name == name)
    return tuple(find("synthetic", task)(house, split, SEED, Recipe()))


def all_rows(task: str, *splits: Split) -> list[dict]:
    """The rows of all houses."""
    return [row for house in houses() for split in splits or SPLITS for row in rows(task, house.name, split)]


def inputs(task: str, row: dict) -> str:
    """The row's inputs, one after another."""
    return " ".join(row[name] for name in _task(task).inputs)
