"""No text is both learnt and reported: splits are disjoint by group, and stay where they are."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kommunbench.core.example import SPLITS
from kommunbench.core.task import load_task
from kommunbench.site.data import TaskData, from_rows
from kommunbench.site.splits import default_key, group_of, hashed_split

TASK = load_task("summarization")

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
rows_of_a_file = st.lists(
    st.fixed_dictionaries(
        {"input": texts},
        optional={
            "split": st.sampled_from(["train", "dev", "test", ""]),
            "group": st.sampled_from(["a", "b", "c", "d"]),
        },
    ),
    min_size=1,
    max_size=25,
).map(lambda rows: [{"id": f"r{number}", **row} for number, row in enumerate(rows)])


def data_of(rows: Sequence[dict[str, Any]], site: str = "lovvik", key: bytes = b"") -> TaskData:
    return from_rows(rows, TASK, site, key)


def where(data: TaskData) -> dict[str, str]:
    return {example.id: example.split for example in data}


def plain(count: int) -> list[dict[str, Any]]:
    return [{"id": f"r{number}", "input": f"Ärende nummer {number}"} for number in range(count)]


@settings(max_examples=150, deadline=None)
@given(rows_of_a_file)
def test_splits_are_disjoint_by_id_by_group_and_lose_nothing(rows: list[dict[str, Any]]) -> None:
    data = data_of(rows)
    splits = {split: data.split(split) for split in SPLITS}
    ids = [{example.id for example in examples} for examples in splits.values()]
    groups = [{example.group for example in examples} for examples in splits.values()]
    for parts in (ids, groups):
        assert sum(map(len, parts)) == len(set().union(*parts))
    assert all(example.split == split for split, examples in splits.items() for example in examples)
    assert sum(map(len, splits.values())) == len(data) == len(rows) - data.skipped


@settings(max_examples=100, deadline=None)
@given(rows_of_a_file, st.randoms())
def test_a_row_s_split_does_not_depend_on_the_order_of_the_file(rows: list[dict[str, Any]], random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert where(data_of(shuffled)) == where(data_of(rows))


@settings(max_examples=100, deadline=None)
@given(rows_of_a_file, st.integers(0, 25))
def test_rows_stay_in_their_split_when_rows_without_one_are_added(rows: list[dict[str, Any]], count: int) -> None:
    before = [row for number, row in enumerate(rows) if number < count or row.get("split")]
    after = where(data_of(rows))
    assert all(after[label] == split for label, split in where(data_of(before)).items())


@settings(max_examples=100, deadline=None)
@given(rows_of_a_file)
def test_a_row_that_says_its_split_is_in_it_or_is_a_fault(rows: list[dict[str, Any]]) -> None:
    data = data_of(rows)
    said = {row["id"]: {"dev": "validation"}.get(row["split"], row["split"]) for row in rows if row.get("split")}
    found = where(data)
    assert all(found[label] == split for label, split in said.items() if label in found)
    assert len(data.faults) == data.skipped == len(rows) - len(found)


def test_shares_are_near_sixty_ten_thirty() -> None:
    """4,000 independent rows: within 4 standard deviations of a binomial's mean."""
    counts = data_of(plain(4000)).counts
    for split, share in (("train", 0.6), ("validation", 0.1), ("test", 0.3)):
        assert abs(counts[split] - 4000 * share) < 4 * (4000 * share * (1 - share)) ** 0.5


def test_the_split_is_the_hmac_s_place_in_the_hundred() -> None:
    """The formula of the documentation, worked out another way: the HMAC as a fraction of 2^256."""
    for number in range(200):
        share = int(hmac.new(b"nyckel", f"g{number}".encode(), hashlib.sha256).hexdigest(), 16) / 2**256
        expected = "train" if share < 0.6 else "validation" if share < 0.7 else "test"
        assert hashed_split(f"g{number}", b"nyckel") == expected


def test_the_key_decides_and_by_default_the_site_is_the_key() -> None:
    rows = plain(60)
    here, there = where(data_of(rows)), where(data_of(rows, site="norrhult"))
    assert here != there
    assert where(data_of(rows, key=default_key("norrhult"))) == there
    assert where(data_of(rows, key=b"nyckel")) not in (here, there)


def test_rows_of_one_group_stay_together_whatever_their_text() -> None:
    rows = [{"id": f"r{number}", "input": f"text {number}", "group": f"fall {number % 20}"} for number in range(200)]
    data = data_of(rows)
    splits_of_a_group: dict[str, set[str]] = {}
    for example in data:
        splits_of_a_group.setdefault(example.group, set()).add(example.split)
    assert len(splits_of_a_group) == 20
    assert all(len(splits) == 1 for splits in splits_of_a_group.values())
    assert len({split for splits in splits_of_a_group.values() for split in splits}) > 1


def test_a_group_has_the_same_split_in_every_task() -> None:
    other = TASK.model_copy(update={"name": "lattlast"})
    rows = plain(50)
    assert where(from_rows(rows, other, "lovvik")) == where(data_of(rows))


@pytest.mark.parametrize(
    "other",
    [
        "Åsa går, till förskolan.",
        "åsa går till FÖRSKOLAN",
        "Åsa går\n\ttill förskolan",
        "A\u030asa går till fo\u0308rskolan",
    ],
)
def test_case_punctuation_space_and_unicode_form_do_not_make_a_duplicate_new(other: str) -> None:
    assert group_of(["Åsa går till förskolan"]) == group_of([other])


def test_different_inputs_have_different_groups() -> None:
    groups = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["!"], ["?"], ["Åsa"], ["Asa"]]
    assert len({group_of(inputs) for inputs in groups}) == len(groups)


def test_a_group_follows_its_rows_that_say_their_split() -> None:
    for split in SPLITS:
        rows = [{"id": "a", "input": "ett", "group": "g"}, {"id": "b", "input": "två", "group": "g", "split": split}]
        assert where(data_of(rows)) == {"a": split, "b": split}


def test_of_rows_that_disagree_the_one_furthest_from_training_stays() -> None:
    rows = [
        {"id": "a", "input": "Samma text", "split": "train"},
        {"id": "b", "input": "samma text!", "split": "test"},
        {"id": "c", "input": "samma  text", "split": "dev"},
        {"id": "d", "input": "Samma text"},
    ]
    data = data_of(rows)
    assert where(data) == {"b": "test", "d": "test"}
    assert [(fault.where, fault.what) for fault in data.faults] == [
        ("summarization:1", "says train, but the same group or text is in test"),
        ("summarization:3", "says validation, but the same group or text is in test"),
    ]
