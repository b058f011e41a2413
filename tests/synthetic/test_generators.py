"""What the generators of every task promise: determinism, hygiene of splits, bounds, houses that differ."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from houses import SEED, all_rows, houses, inputs, rows

from kommunbench.core.example import SPLITS
from kommunbench.core.registry import find
from kommunbench.core.swedish import known_names, known_numbers, names, numbers, words
from kommunbench.core.task import load_task
from kommunbench.synthetic.organisation import Recipe, Sizes
from kommunbench.synthetic.style import favourites, style_of


def texts(task: str, *splits: str) -> str:
    return "\n".join(inputs(task, row) + " " + row["references"][0] for row in all_rows(task, *splits))


def test_the_same_seed_gives_the_same_rows_and_another_seed_gives_others(task):
    house, generate = houses()[0], find("synthetic", task)
    once, again = (list(generate(house, "test", SEED, Recipe())) for _ in range(2))
    assert once == again
    other = list(generate(house, "test", SEED + 1, Recipe()))
    assert [inputs(task, row) for row in other] != [inputs(task, row) for row in once]


def test_asking_for_more_rows_gives_the_same_first_rows(task):
    house, generate = houses()[2], find("synthetic", task)
    for split in SPLITS:
        more = house.model_copy(update={"sizes": {task: Sizes(train=150, validation=31, test=77)}})
        few = rows(task, house.name, split)
        assert list(generate(more, split, SEED, Recipe()))[: len(few)] == list(few)


def test_a_house_without_the_task_has_no_rows(task):
    house = houses()[0].model_copy(update={"sizes": {}})
    assert list(find("synthetic", task)(house, "train", SEED, Recipe())) == []


def test_every_row_fits_its_task(task):
    loaded = load_task(task)
    for row in all_rows(task):
        assert set(row) == {"id", "split", "group", "references", *loaded.inputs, *loaded.facts}
        for variant in loaded.prompts:
            prompt = loaded.render(variant, row)
            assert all(row[name] in prompt for name in loaded.inputs)
        assert not re.search(r"\{[a-z]\w*\}", prompt + row["references"][0])
        assert row["references"][0] == row["references"][0].strip()


def test_ids_are_unique_and_a_group_stays_in_one_split(task):
    for house in houses():
        mine = [row for split in SPLITS for row in rows(task, house.name, split)]
        assert len({row["id"] for row in mine}) == len(mine)
        splits = {(row["group"], row["split"]) for row in mine}
        assert len({group for group, _ in splits}) == len(splits)


def test_no_input_is_in_two_splits(task):
    seen = {split: {inputs(task, row) for row in all_rows(task, split)} for split in SPLITS}
    assert not seen["test"] & (seen["train"] | seen["validation"])
    documents = {split: {row.get("context", inputs(task, row)) for row in all_rows(task, split)} for split in SPLITS}
    assert not documents["train"] & documents["validation"]


def made_up(text: str) -> set[str]:
    """Names and amounts of a text: capitalised words in mid-sentence with an invented ending, and grouped numbers."""
    return set(re.findall(r"\b\d{1,3}(?: \d{3})+\b|\b0\d{2,3}-0\d \d\d \d\d\b", text)) | {
        word
        for word in words(text)
        if re.fullmatch(r"[A-ZÅÄÖ]\w+(?:hult|torp|ryd|hamra|lunda|gatan|stigen|qvist)", word)
    }


def test_test_splits_use_names_places_and_amounts_that_training_never_saw(task):
    test, training = made_up(texts(task, "test")), made_up(texts(task, "train", "validation"))
    assert len(test) > 100
    assert not test & training


def test_some_templates_are_only_in_test_splits(task):
    """Word patterns with fillers blanked out: a share of those in test is new."""

    def patterns(*splits: str) -> set[str]:
        sentences = re.split(r"(?<=[.?])\s", "\n".join(inputs(task, row) for row in all_rows(task, *splits)))
        return {re.sub(r"\b[A-ZÅÄÖ]\w+|\d[\d .,/:-]*", "#", sentence) for sentence in sentences}

    new = patterns("test") - patterns("train", "validation")
    assert len(new) > 20


BOUNDS = {
    "summarization": (36, 90, 12, 32),
    "guideline_qa": (30, 130, 5, 35),
    "lattlast": (28, 80, 12, 40),
    "triage": (24, 70, 5, 16),
    "citizen_answer": (14, 50, 15, 45),
    "template_document": (30, 90, 16, 40),
    "conversation_notes": (26, 60, 10, 30),
    "decision_basis": (50, 90, 45, 95),
    "planning": (22, 60, 6, 12),
    "translation": (16, 60, 7, 45),
}
"""Fewest and most words of an input, and of a reference."""


def test_lengths_are_within_bounds(task):
    low, high, short, long = BOUNDS[task]
    for row in all_rows(task):
        assert low <= len(inputs(task, row).split()) <= high
        assert short <= len(row["references"][0].split()) <= long


FIXED = frozenset(("stöd", "källa"))
"""Words of a house's own phrases that look like names."""


def test_every_number_and_name_of_a_reference_is_in_its_input(task):
    """Planning works numbers out, and a translation's months have other names: their own tests see to them."""
    if task in ("planning", "translation"):
        return
    for row in all_rows(task):
        source, reference = inputs(task, row), row["references"][0]
        assert set(numbers(reference)) <= known_numbers(source)
        assert set(names(reference)) <= known_names(source) | FIXED


def test_amounts_in_thousands_are_those_of_the_input():
    for row in all_rows("summarization"):
        for amount in re.findall(r"[\d ,]+ tkr", row["references"][0]):
            assert amount in row["input"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_houses_write_differently(task, split):
    """Total variation between word frequencies in references, numbers and names aside.

    Two halves of one house are nearer to each other than to any house of another manner, and houses differ by .3 or
    more on average.
    """

    def frequencies(part: list[dict]) -> Counter[str]:
        found = Counter(word.lower() for row in part for word in words(row["references"][0]) if word.islower())
        total = sum(found.values())
        return Counter({word: count / total for word, count in found.items()})

    def distance(left: Counter[str], right: Counter[str]) -> float:
        return sum(abs(left[word] - right[word]) for word in left | right) / 2

    halves, manner = {}, {}
    for house in houses():
        mine = list(rows(task, house.name, split))
        halves[house.name] = frequencies(mine[::2]), frequencies(mine[1::2])
        manner[house.name] = style_of(house, SEED, Recipe()).manners[task]
    assert len(set(manner.values())) >= 3
    distances = []
    for name, (one, other) in halves.items():
        own = distance(one, other)
        for another, theirs in halves.items():
            if another != name:
                distances.append(distance(one, theirs[1]))
                assert distances[-1] > own or manner[name] == manner[another]
    assert sum(distances) / len(distances) > 0.3


def test_without_own_style_all_houses_of_a_kind_write_alike():
    recipe = Recipe(own_style=0)
    for kind in ("municipality", "region"):
        styles = [style_of(house, SEED, recipe) for house in houses() if house.kind == kind]
        assert len({repr(replace(style, unanswerable=0)) for style in styles}) == 1
    assert len({repr(style_of(house, SEED, Recipe())) for house in houses()}) == len(houses())


def test_without_focus_every_subject_is_as_likely():
    assert len(set(favourites(houses()[0], SEED, Recipe(subject_focus=0), "measures", 9))) == 1
    assert len(set(favourites(houses()[0], SEED, Recipe(subject_focus=1), "measures", 9))) == 9
