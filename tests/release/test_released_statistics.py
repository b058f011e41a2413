"""Statistics for a stand-in pass the door: integers alone, no small cells, and a line in the ledger first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kommunbench.core.answer import Code
from kommunbench.core.errors import PolicyError
from kommunbench.core.example import Example
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, Slot
from kommunbench.core.task import load_task
from kommunbench.release.ledger import Ledger, verify
from kommunbench.release.past import Past
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.statistics import (
    EDGES,
    Counted,
    Statistics,
    folded,
    let_out_statistics,
    merged,
    review_statistics,
)
from kommunbench.synthetic.profile import count

ABOUT = {"kind": "municipality", "seed": 1}
COUNTS = st.lists(st.integers(0, 30), min_size=1, max_size=12)
CELLS = st.integers(1, 12)


def triage(labels: dict[str, int], split: str = "test") -> Counted:
    """So many matters of each label: 'Hej. Besvärligt X.' with the answer 'Till X.'"""
    examples = [
        Example(
            f"{label}-{at}", {"input": f"Hej. Besvärligt {label}."}, (f"Till {label}.",), split, "", {"label": label}
        )
        for label, number in labels.items()
        for at in range(number)
    ]
    return count(load_task("triage"), examples)


def review(counted: Counted, past: Past | None = None, **policy: Any) -> Statistics:
    return review_statistics(ReleasePolicy(**policy), [counted], ABOUT, past or Past())


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def test_sums_lengths_and_kinds_are_those_that_a_hand_counts() -> None:
    made = review(triage({"gata": 8, "skola": 12})).tasks["triage"]
    text, answer = made.fields["input"], made.fields["reference"]
    assert (made.rows, made.splits) == (20, (0, 0, 20))
    assert made.kinds == (0, 12, 8, 0, 0, 0, 0, 0, 0)
    assert (text.texts, text.lacking, text.words, text.sentences, text.long_words) == (20, 0, 60, 40, 20)
    assert text.letters == 20 * (3 + 10) + 8 * 4 + 12 * 5
    assert text.lengths == ((3, 4, 20),)
    assert (answer.words, answer.sentences, answer.lengths) == (40, 20, ((2, 3, 20),))


def test_every_leaf_is_an_integer_or_nothing_and_survives_json() -> None:
    made = review(triage({"gata": 8, "skola": 12, "bygg": 2}))
    dumped = made.model_dump()
    assert dumped.pop("kind") == "municipality"  # one of two words, and the site's own
    assert {type(leaf) for leaf in leaves(dumped)} == {int, type(None)}
    assert Statistics.model_validate_json(made.model_dump_json()) == made


@given(COUNTS, CELLS)
def test_no_small_count_is_published_or_follows_by_subtraction(counts: list[int], min_cell: int) -> None:
    found = folded(counts, min_cell)
    shown = [count for count in found if count is not None]
    hidden = sum(counts) - sum(shown)
    assert all(count == 0 or count >= min_cell for count in shown)
    assert hidden == 0 or hidden >= min_cell or not shown
    assert found.count(None) != 1 or len(counts) == 1
    assert all(count in (None, true) for count, true in zip(found, counts, strict=True))


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((5, 9, 0), (5, 9, 0)),
        ((4, 9, 30), (None, None, 30)),
        ((4, 1, 30), (None, None, 30)),
        ((4, 0, 30), (None, None, None)),
        ((0, 1, 3, 30), (None, None, None, None)),
        ((1, 2, 2, 30), (None, None, None, 30)),
        ((5, 6, 4), (None, 6, None)),
    ],
)
def test_no_more_kinds_are_folded_than_must_be(counts, shown) -> None:
    assert folded(counts, 5) == shown


@given(COUNTS, CELLS)
@example([1, 1, 5], 5)
@example([1, 5], 5)
@example([5, 1], 5)
def test_merged_lengths_hold_every_text_and_no_small_cell(counts: list[int], min_cell: int) -> None:
    bins = merged(counts, min_cell)
    assert sum(count for _, _, count in bins) == sum(counts)
    assert all(sum(counts[first : last + 1]) == count > 0 for first, last, count in bins)
    assert all(count >= min_cell for _, _, count in bins) or (len(bins) == 1 and sum(counts) < min_cell)
    ends = [end for first, last, _ in bins for end in (first, last)]
    assert ends == sorted(ends)


def test_bins_are_merged_no_more_than_they_must_be() -> None:
    assert merged((5, 5, 0, 6), 5) == ((0, 0, 5), (1, 1, 5), (3, 3, 6))
    assert merged((4, 1, 5, 4), 5) == ((0, 1, 5), (2, 3, 9))


def test_the_last_bin_ends_at_twice_its_beginning() -> None:
    counted = triage({"gata": 20})
    last = replace(counted.fields["input"], lengths=(*[0] * (len(EDGES) - 1), 20))
    made = review(replace(counted, fields={"input": last}))
    assert made.tasks["triage"].fields["input"].lengths == ((3 * 2**18, 2 * 3 * 2**18, 20),)


def test_lengths_that_are_not_of_the_same_texts_are_a_fault_of_ours() -> None:
    counted = triage({"gata": 20})
    wrong = replace(counted.fields["input"], lengths=(*[0] * (len(EDGES) - 1), 21))
    assert review(replace(counted, fields={"input": wrong})).withheld == {"triage/input": Code.INTERNAL}


def test_each_field_has_a_past_of_its_own() -> None:
    made = review(triage({"gata": 20}), Past(elsewhere={"triage/stand-in/input": frozenset({19})}))
    assert made.withheld == {"triage/input": Code.SMALL_CELL}


@pytest.mark.parametrize("policy", [{"metrics": ("lix", "long_words")}, {"max_new_tokens": 1}, {"min_examples": 20}])
def test_a_policy_that_allows_just_this_much_lets_it_all_out(policy: dict[str, Any]) -> None:
    made = review(triage({"gata": 20}), **policy)
    assert (len(made.tasks["triage"].fields), made.withheld) == (2, {})


def test_bins_begin_where_they_say() -> None:
    assert EDGES[:8] == (0, 1, 2, 3, 4, 6, 8, 12)
    assert list(EDGES) == sorted(set(EDGES))


def test_kinds_that_are_few_are_folded_and_it_is_said() -> None:
    made = review(triage({"gata": 20, "skola": 12, "bygg": 2}))
    assert made.tasks["triage"].kinds == (None, None, 20, None, None, None, None, None, None)
    assert made.withheld == {"triage/kinds": Code.SMALL_CELL}


def test_too_few_examples_leave_nothing_of_the_task() -> None:
    made = review(triage({"gata": 9}))
    assert made.tasks == {}
    assert made.withheld == {"triage": Code.TOO_FEW_EXAMPLES}


@pytest.mark.parametrize(
    ("policy", "withheld"),
    [
        ({"tasks": {}}, {"triage": Code.TASK_NOT_APPROVED}),
        ({"metrics": ("lix",)}, dict.fromkeys(("triage/input", "triage/reference"), Code.METRIC_NOT_ALLOWED)),
        ({"max_examples": 10}, dict.fromkeys(("triage/input", "triage/reference"), Code.OVER_LIMIT)),
    ],
)
def test_what_the_policy_does_not_approve_is_held_back(policy: dict[str, Any], withheld: dict[str, Code]) -> None:
    assert review(triage({"gata": 20}), **policy).withheld == withheld


def test_rounding_holds_for_every_count() -> None:
    made = review(triage({"gata": 23, "skola": 19}), rounding=10).tasks["triage"]
    counts = (made.rows, *made.splits, *made.kinds, made.fields["input"].texts, made.fields["input"].lengths[0][2])
    assert counts == (40, 0, 0, 40, 0, 20, 20, 0, 0, 0, 0, 0, 0, 40, 40)


@pytest.mark.parametrize(
    ("policy", "by", "says"),
    [
        ({"results": "deny"}, "Berg", "results: deny"),
        ({"results": "approve"}, "", "--by"),
        ({"noise": "required"}, "Berg", "noise: required"),
        ({"min_sites": 2}, "Berg", "min_sites: 2"),
    ],
)
def test_a_policy_that_says_no_leaves_no_line(tmp_path: Path, policy: dict[str, Any], by: str, says: str) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    with pytest.raises(PolicyError, match=says):
        let_out_statistics(ReleasePolicy(**policy), [triage({"gata": 20})], ABOUT, ledger, by)
    assert ledger.entries() == []


def test_nobody_approves_by_saying_nothing(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="--by"):
        let_out_statistics(
            ReleasePolicy(results="approve"), [triage({"gata": 20})], ABOUT, Ledger(tmp_path / "ledger.jsonl")
        )


def test_a_small_split_is_folded_and_it_is_said() -> None:
    made = review(replace(triage({"gata": 20}), splits=(3, 7, 10)))
    assert made.tasks["triage"].splits == (None, None, 10)
    assert made.withheld == {"triage/splits": Code.SMALL_CELL}


def test_one_example_more_than_last_time_stays_and_the_same_or_ten_more_leave(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")

    def let_out(examples: int) -> dict[str, int]:
        return dict(let_out_statistics(ReleasePolicy(), [triage({"gata": examples})], ABOUT, ledger).withheld)

    assert let_out(20) == let_out(20) == {}
    assert let_out(21) == let_out(11) == {"triage": Code.SMALL_CELL}
    assert let_out(30) == {}


def test_the_same_again_leaves_again_also_where_some_rows_lack_an_answer(tmp_path: Path) -> None:
    """20 texts and 18 answers differ by two, and that is no reason to hold back what has left."""
    rows = [Example(f"r{at}", {"input": f"Hej {at}."}, (f"Till {at}.",) if at > 1 else (), "test") for at in range(20)]
    some, ledger = count(load_task("summarization"), rows), Ledger(tmp_path / "ledger.jsonl")
    made = [let_out_statistics(ReleasePolicy(), [some], ABOUT, ledger) for _ in range(2)]
    assert made[0].model_dump(exclude={"withheld"}) == made[1].model_dump(exclude={"withheld"})
    assert {texts.texts for texts in made[0].tasks["summarization"].fields.values()} == {18, 20}


def test_the_line_is_in_the_ledger_with_the_digest_and_no_text(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    made = let_out_statistics(ReleasePolicy(results="approve"), [triage({"gata": 20})], ABOUT, ledger, "Berg")
    (line,) = ledger.entries()
    assert (line["statistics"], line["by"], line["tasks"]) == (made.digest, "Berg", ["triage"])
    assert (line["withheld"], line["policy"]) == ({}, ReleasePolicy(results="approve").digest)
    assert line["bytes"] == len(json.dumps(made.model_dump(mode="json"), separators=(",", ":")))
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line["time"])) < timedelta(minutes=5)
    assert verify(ledger.path) == []
    assert "Besvärligt" not in ledger.path.read_text(encoding="utf-8")
    assert Past.of(ledger.entries(), "").runs == 0  # it is no run
    sets = ("stand-in/rows", "stand-in/input", "stand-in/reference", "test", "test/lix", "test/long_words")
    assert line["sets"] == {f"triage/{name}": [20] for name in sets}


@pytest.mark.parametrize(("examples", "leaves"), [(40, True), (41, False), (49, False), (50, True)])
def test_a_run_of_a_model_that_gives_back_what_it_reads_is_no_way_around(examples: int, leaves: bool) -> None:
    """`copy` on 40 test rows under any metric, then a stand-in of all rows: the difference would be a few texts."""
    made = review(triage({"gata": examples}), Past(elsewhere={"triage/test": {40}}))
    assert list(made.tasks) == (["triage"] if leaves else [])
    assert made.withheld == ({} if leaves else {"triage": Code.SMALL_CELL})


@pytest.mark.parametrize(("texts", "fields"), [(40, 2), (41, 0), (50, 2)])
def test_and_so_it_is_with_the_texts_of_one_field_under_the_same_metric(texts: int, fields: int) -> None:
    made = review(triage({"gata": texts}), Past(elsewhere={"triage/test/lix": {40}}))
    assert len(made.tasks["triage"].fields) == fields


@pytest.mark.parametrize(("n", "code"), [(20, Code.OK), (21, Code.SMALL_CELL), (30, Code.OK)])
def test_a_run_after_a_stand_in_is_held_against_it(tmp_path: Path, n: int, code: Code) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    let_out_statistics(ReleasePolicy(), [triage({"gata": 20})], ABOUT, ledger)
    past = Past.of(ledger.remembered(), "0" * 64)
    slot = Slot((Cell("triage", "copy", "plain", "base", 0, "test"), "lix"), find("metrics", "lix"))
    assert past.code(ReleasePolicy(), slot, (n, 0, *[n] * 4)) is code


def test_what_is_held_back_is_counted_in_the_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    let_out_statistics(ReleasePolicy(metrics=()), [triage({"gata": 20, "skola": 1})], ABOUT, ledger)
    assert ledger.entries()[0]["withheld"] == {"METRIC_NOT_ALLOWED": 2, "SMALL_CELL": 1}


def test_a_ledger_that_has_forgotten_lets_no_statistics_out(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for _ in range(2):
        let_out_statistics(ReleasePolicy(), [triage({"gata": 20})], ABOUT, ledger)
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[1])
    with pytest.raises(PolicyError, match="changed, missing or moved"):
        let_out_statistics(ReleasePolicy(), [triage({"gata": 21})], ABOUT, ledger)


def test_where_the_ledger_cannot_be_written_nothing_leaves(tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").mkdir()
    with pytest.raises(OSError, match="ledger"):
        let_out_statistics(ReleasePolicy(), [triage({"gata": 20})], ABOUT, Ledger(tmp_path / "ledger.jsonl"))
