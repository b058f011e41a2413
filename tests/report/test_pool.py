"""Sums do not care how the work was split; groups do not overlap where they must not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kommunbench.core.answer import Code
from kommunbench.core.metric import Field as TallyField
from kommunbench.core.metric import Measure, Metric
from kommunbench.core.spec import Cell
from kommunbench.report.codes import Outcome, outcome, sentence
from kommunbench.report.pool import Part, gather, groups, pool
from kommunbench.report.record import Received, RosterSite

CELL = Cell("toy", "new", "plain", "base", 0, "test")
ROSTER = (
    RosterSite(name="a", title="A", kind="municipality"),
    RosterSite(name="b", title="B", kind="municipality", trains=False),
    RosterSite(name="c", title="C", kind="region"),
)


class Count(Metric):
    """Two counts."""

    name = "count"
    fields = (TallyField("up", 10), TallyField("down", 10))
    measures = (Measure("count", ("up",), ("down",)),)
    source = "tests"

    def tally(self, prediction: str, example: object) -> None:
        """Never asked."""


numbers = st.tuples(
    st.integers(0, 10**12), st.integers(0, 10**6), st.integers(-(10**12), 10**12), st.integers(0, 10**12)
)


@given(st.lists(st.tuples(st.sampled_from("abc"), numbers), max_size=8, unique_by=lambda pair: pair[0]), st.randoms())
def test_any_order_of_sites_gives_the_same_total(given_: list, shuffle: object) -> None:
    ways = []
    for _ in range(2):
        ways.append(pool(Count(), {("", site): Part(Outcome.RELEASED, values) for site, values in given_}))
        shuffle.shuffle(given_)
    assert ways[0].total == ways[1].total == tuple(map(sum, zip((0, 0, 0, 0), *(v for _, v in given_), strict=True)))


def test_groups_of_a_system_of_all_sites() -> None:
    found = groups(ROSTER, local=False)
    members = {name: "".join(s for s in "abc" if inside("", s)) for name, inside in found.items()}
    assert members == {
        "all": "abc",
        "trained": "ac",
        "unseen": "b",
        "municipality": "ab",
        "region": "c",
        "site/a": "a",
        "site/b": "b",
        "site/c": "c",
    }


def test_groups_of_adapters_of_single_sites() -> None:
    found = groups(ROSTER, local=True)
    members = {name: {o + s for o in "ac" for s in "abc" if inside(o, s)} for name, inside in found.items()}
    assert members == {
        "own": {"aa", "cc"},
        "others": {"ac", "ca"},
        "unseen": {"ab", "cb"},
        "site/a": {"aa"},
        "site/c": {"cc"},
    }


def test_a_run_where_all_train_and_all_are_of_a_kind_has_only_all_and_sites() -> None:
    assert list(groups(ROSTER[:1], local=False)) == ["all", "site/a"]


def test_a_site_that_was_not_asked_is_not_missing() -> None:
    asked = Received(site="a", moment="round-000", status="ok", slots=(((CELL, "count"), Code.OK, (1, 0, 1, 1)),))
    other = Received(site="b", moment="round-000", status="ok", slots=())
    gathered = gather(ROSTER, [asked, other])
    found = pool(Count(), gathered.tallies[CELL, "count"])
    assert (dict(found.by_site), dict(found.absent)) == ({"a": (1, 0, 1, 1)}, {Outcome.MISSING: 1})  # c


def test_every_code_has_a_column_and_words_in_both_languages() -> None:
    for code in Code:
        assert outcome(code) in Outcome
        assert sentence(code).sv != sentence(code).en
    assert outcome(Code.TOO_FEW_EXAMPLES) is outcome(Code.SMALL_CELL) is Outcome.SUPPRESSED
    assert outcome(Code.TRAINING_DENIED) is outcome(Code.PENDING) is Outcome.REFUSED
