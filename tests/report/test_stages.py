"""Base, alone, together, in one place: every number of the comparison counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand import HandMade, example, make_info

from kommunbench.core.spec import CENTRAL, Cell, Pair
from kommunbench.report.build import build_report
from kommunbench.report.figures import figures
from kommunbench.report.markdown import markdown
from kommunbench.report.record import Received, RosterSite, RunFolder
from kommunbench.report.rows import Report
from kommunbench.report.sections import STAGES
from kommunbench.report.stages import stages
from kommunbench.tracking.nodes import make_nodes

SITES = tuple(RosterSite(name=name, title=name.title(), trains=name != "c") for name in "abc")
BASE = Cell("toy", "new", "plain", "base", 0, "test")


def cell(stage: str, seed: int, origin: str = "") -> Cell:
    return BASE._replace(stage=stage, round=2, seed=seed, origin=origin)


RIGHT = {
    BASE: {"a": 2, "b": 1, "c": 1},
    cell("federated", 0): {"a": 6, "b": 6, "c": 5},
    cell("federated", 1): {"a": 8, "b": 6, "c": 7},
    cell("local", 0, "a"): {"a": 9, "b": 2, "c": 3},
    cell("local", 0, "b"): {"a": 1, "b": 7, "c": 2},
    cell("local", 1, "a"): {"a": 9, "b": 3, "c": 3},
    cell("local", 1, "b"): {"a": 2, "b": 7, "c": 4},
    cell("central", 0, CENTRAL): {"a": 9, "b": 8, "c": 9},
    cell("central", 1, CENTRAL): {"a": 9, "b": 9, "c": 9},
}
"""Right answers of ten, by system and site."""


@pytest.fixture
def made(tmp_path: Path, toys: None) -> RunFolder:
    together = [one for one in RIGHT if one.stage == "federated"]
    pairs = [
        Pair(left, right, "toy_mean", "toy_mean")
        for left in together
        for right in RIGHT
        if right.stage == "base" or (right.origin and right.seed == left.seed)
    ]
    scores = {
        site.name: {
            one: [example(score=float(at < found[site.name])) for at in range(10)] for one, found in RIGHT.items()
        }
        for site in SITES
    }
    run = HandMade(tmp_path / "run", make_info(SITES, pairs))
    run.work(scores)
    run.close(scores)
    return run.folder


@pytest.fixture
def report(made: RunFolder) -> Report:
    return build_report(made)


def test_the_dashboard_has_each_stage_and_below_it_its_sites(made: RunFolder, report: Report) -> None:
    found = {node.key: node for node in make_nodes(made, made.info(), report)}
    assert all(node.parent in found for node in found.values() if node.parent)
    alone = found["new|plain|local|1"]
    assert alone.points["primary/toy", 2] == pytest.approx(16 / 20)


def test_every_stage_has_its_value_at_its_own_the_others_and_new_sites(report: Report) -> None:
    own, others, unseen = stages(report)
    assert [one.group for one in (own, others, unseen)] == ["own", "others", "unseen"]
    assert own.values == {
        "base": (pytest.approx(3 / 20),),
        "local": (pytest.approx(16 / 20), pytest.approx(16 / 20)),
        "federated": (pytest.approx(12 / 20), pytest.approx(14 / 20)),
        "central": (pytest.approx(17 / 20), pytest.approx(18 / 20)),
    }
    assert others.values["local"] == (pytest.approx(3 / 20), pytest.approx(5 / 20))
    assert unseen.values["local"] == (pytest.approx(5 / 20), pytest.approx(7 / 20))
    assert unseen.values["federated"] == (pytest.approx(5 / 10), pytest.approx(7 / 10))


def test_the_share_of_the_way_is_of_means_over_seeds(report: Report) -> None:
    own, _, unseen = stages(report)
    assert own.share == pytest.approx((13 / 20 - 3 / 20) / (17.5 / 20 - 3 / 20))
    assert unseen.share == pytest.approx((6 / 10 - 1 / 10) / (9 / 10 - 1 / 10))


def test_a_change_is_the_mean_of_the_seeds_and_as_wide_as_the_widest(report: Report) -> None:
    _, others, _ = stages(report)
    assert others.over_alone is not None
    assert others.over_alone.difference == pytest.approx(((12 - 3) / 20 + (14 - 5) / 20) / 2)
    ends = [
        (pair.low, pair.high)
        for pair in report.pairs
        if pair.right.stage == "local" and pair.left.site_group == "others" and pair.primary
    ]
    assert len(ends) == 2
    assert (others.over_alone.low, others.over_alone.high) == (
        min(low for low, _ in ends),
        max(high for _, high in ends),
    )


def test_the_report_shows_them_in_a_table_and_a_picture(report: Report) -> None:
    text = markdown(report, "sv")
    assert "Ensam, tillsammans, eller allt på ett ställe" in text
    assert "69 %" in text  # (13 - 3) / (17.5 - 3)
    assert "på ett ställe · in one place" in figures(report)[STAGES]


def test_a_run_without_other_stages_has_no_such_section(tmp_path: Path, toys: None) -> None:
    run = HandMade(tmp_path / "run", make_info(SITES))
    scores = {site.name: {BASE: [example(right=1)] * 10} for site in SITES}
    run.work(scores)
    assert stages(build_report(run.folder)) == ()


def test_a_site_that_never_trains_is_not_missed_where_the_others_train_alone(made: RunFolder) -> None:
    for name in "ab":
        made.keep(Received(site=name, moment="alone", status="ok"))
    absences = {site.name: site.absences for site in build_report(made).roster}
    assert absences["c"] == ()
    (made.path / "releases" / "alone" / "b.json").unlink()
    assert [absence.moments for site in build_report(made).roster for absence in site.absences] == [("alone",)]
