"""A stand-in is made of released statistics alone, and comes near them, for every task."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import pytest
from houses import houses

from kommunbench.core import swedish
from kommunbench.core.example import SPLITS, Example
from kommunbench.core.task import load_task, task_names
from kommunbench.release.past import Past
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.statistics import Statistics, review_statistics
from kommunbench.site.data import from_rows
from kommunbench.site.sources import SyntheticSource
from kommunbench.synthetic.organisation import Recipe, Sizes
from kommunbench.synthetic.profile import count, kinds_of
from kommunbench.synthetic.stand_in import LONGER, stand_in

SIZES = Sizes(train=24, validation=6, test=18)


@cache
def real(task: str) -> tuple[Example, ...]:
    house = houses()[3].model_copy(update={"sizes": {task: SIZES}})
    return tuple(SyntheticSource((house,), Recipe(), 5).read(load_task(task)))


def statistics(task: str, examples: tuple[Example, ...], seed: int = 1, **policy: Any) -> Statistics:
    about = {"kind": "region", "seed": seed}
    return review_statistics(ReleasePolicy(**policy), [count(load_task(task), examples)], about, Past())


@cache
def made(task: str) -> tuple[Example, ...]:
    found = from_rows(stand_in(statistics(task, real(task)))[task], load_task(task), "stand-in")
    assert found.faults == ()
    return tuple(found)


def other_letters(text: str) -> str:
    """A text of the same counts that says something else: consonants and digits are moved on."""
    return text.translate(
        str.maketrans("bdfghjklmnprstvBDFGHJKLMNPRSTV0123456789", "dfghjklmnprstvbDFGHJKLMNPRSTVB3456789012")
    )


def test_its_one_argument_is_statistics() -> None:
    (argument,) = inspect.signature(stand_in).parameters.values()
    assert argument.annotation == Statistics.__name__


def test_every_task_can_be_stood_in_for(task: str) -> None:
    assert task in task_names()
    assert {split: sum(one.split == split for one in made(task)) for split in SPLITS} == SIZES.model_dump()


def test_two_sites_with_the_same_statistics_get_the_same_stand_in() -> None:
    """Other words, names and figures of the same length: nothing of what a text says can be in it."""
    texts = [f"Nämnden i Lövvik anslog {400 + at} kronor till ärende {at}. Så blev det." for at in range(30)]
    one, other = (
        tuple(Example(str(at), {"input": turn(text)}, (turn(text[:20]),)) for at, text in enumerate(texts))
        for turn in (str, other_letters)
    )
    assert [example.inputs for example in one] != [example.inputs for example in other]
    assert statistics("lattlast", one) == statistics("lattlast", other)
    assert stand_in(statistics("lattlast", one)) == stand_in(statistics("lattlast", other))


def test_it_is_made_again_from_the_json_that_left() -> None:
    left = statistics("planning", real("planning")).model_dump_json()
    again = from_rows(stand_in(Statistics.model_validate_json(left))["planning"], load_task("planning"), "stand-in")
    assert tuple(again) == made("planning")


def test_another_seed_says_something_else() -> None:
    other = stand_in(statistics("planning", real("planning"), seed=2))["planning"]
    assert {row["input"] for row in other}.isdisjoint(example.inputs["input"] for example in made("planning"))


def test_lengths_come_near(task: str) -> None:
    """Mean words of each field within a fifth, or two words, of what the site has."""
    mine, theirs = (count(load_task(task), examples).fields for examples in (real(task), made(task)))
    for field in mine:
        n, _, words, *_ = mine[field].tallies["lix"]
        n_made, _, words_made, *_ = theirs[field].tallies["lix"]
        assert words_made / n_made == pytest.approx(words / n, rel=0.2, abs=2), field


def test_kinds_come_in_the_sites_proportions(task: str) -> None:
    if not kinds_of(load_task(task)):
        return
    counts = (count(load_task(task), examples).kinds for examples in (real(task), made(task)))
    known = statistics(task, real(task)).tasks[task].kinds
    for mine, theirs, released in zip(*counts, known, strict=True):
        assert theirs == pytest.approx(mine, abs=1 if released is not None else 8)


@pytest.mark.parametrize("task", LONGER)
def test_texts_are_as_long_as_the_sites_where_no_house_writes_so_long(task: str) -> None:
    """Several of a house's texts with their answers; a guideline gets paragraphs with numbers of their own."""
    field = LONGER[task].field
    longer = tuple(
        Example(one.id, dict(one.inputs) | {field: " ".join([one.inputs[field]] * 6)}, one.references, one.split)
        for one in real(task)
    )
    rows = stand_in(statistics(task, longer))[task]
    found = count(load_task(task), list(from_rows(rows, load_task(task), "stand-in"))).fields[field].tallies["lix"]
    wanted = count(load_task(task), longer).fields[field].tallies["lix"]
    assert found[2] == pytest.approx(wanted[2], rel=0.2)
    assert len({row[field] for row in rows}) > len(rows) / 2
    if task == "guideline_qa":
        for row in rows:
            cited = swedish.citations(row["references"][0])
            numbers = [
                line.split()[0] if line[0].isdigit() else line.split()[1] for line in row["context"].splitlines()[1:]
            ]
            assert numbers == [str(int(numbers[0]) + at) for at in range(len(numbers))]
            assert len(cited) <= 1


def test_as_many_rows_lack_a_reference() -> None:
    lacking = tuple(
        Example(one.id, one.inputs, one.references if at % 4 else (), one.split)
        for at, one in enumerate(real("lattlast"))
    )
    rows = stand_in(statistics("lattlast", lacking))["lattlast"]
    assert sum(not row["references"] for row in rows) == 12


def test_what_is_held_back_is_made_without() -> None:
    """No metric may leave: rows and kinds remain, lengths are the generator's own."""
    bare = statistics("planning", real("planning"), metrics=())
    assert bare.tasks["planning"].fields == {}
    assert len(stand_in(bare)["planning"]) == len(real("planning"))
