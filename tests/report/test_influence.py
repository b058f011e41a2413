"""A site left out: the same as a run that never had it, and as a count by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hand import NEW, OLD, HandMade, example, make_info, roster
from test_build import MEAN, draw, row_of

from kommunbench.core.spec import Pair
from kommunbench.report.build import build_report
from kommunbench.report.influence import influence, most_influential
from kommunbench.report.markdown import markdown
from kommunbench.report.rows import PairRow, Report
from kommunbench.report.wording import count

SHARE = Pair(NEW, OLD, "toy_share", "toy_share")


def report_of(path: Path, scores: dict) -> Report:
    run = HandMade(path, make_info(roster(tuple(scores)), [MEAN, SHARE]))
    run.work(scores)
    run.close(scores)
    return build_report(run.folder)


def pair_of(report: Report, metric: str = "toy_mean", group: str = "all") -> PairRow:
    return next(pair for pair in report.pairs if (pair.left.metric, pair.left.site_group) == (metric, group))


@pytest.fixture
def scores(toys: None) -> dict:
    return draw({"a": 40, "b": 12, "c": 90, "d": 25})


@pytest.mark.parametrize("metric", ["toy_share", "toy_mean", "toy_ratio"])
def test_the_value_without_a_site_is_that_of_a_run_without_it(tmp_path: Path, scores: dict, metric: str) -> None:
    row = row_of(report_of(tmp_path / "whole", scores), metric)
    without = {
        site: row_of(report_of(tmp_path / site, {k: v for k, v in scores.items() if k != site}), metric).value
        for site in scores
    }
    assert row.influential_site == max(without, key=lambda site: abs(without[site] - row.value))
    assert row.value_without == without[row.influential_site]


def test_the_difference_without_a_site_is_that_of_a_run_without_it(tmp_path: Path, scores: dict) -> None:
    pair = pair_of(report_of(tmp_path / "whole", scores))
    without = {
        site: pair_of(report_of(tmp_path / site, {k: v for k, v in scores.items() if k != site})).difference
        for site in scores
    }
    assert pair.influential_site == max(without, key=lambda site: abs(without[site] - pair.difference))
    assert pair.difference_without == pytest.approx(without[pair.influential_site], abs=1e-15)


def test_a_gain_that_one_site_carries_changes_sign_without_it(tmp_path: Path, toys: None) -> None:
    scores = {
        "a": {NEW: [example(1), example(1), example(1), example(1)], OLD: [example(0)] * 4},
        "b": {NEW: [example(0), example(1)], OLD: [example(1), example(1)]},
    }
    pair = pair_of(report_of(tmp_path / "run", scores), "toy_share")
    assert pair.difference == pytest.approx(5 / 6 - 2 / 6)
    assert (pair.influential_site, pair.difference_without) == ("a", 1 / 2 - 2 / 2)


def test_one_site_alone_has_no_influence(tmp_path: Path, scores: dict) -> None:
    report = report_of(tmp_path / "run", scores)
    row, pair = row_of(report, "toy_mean", group="site/a"), pair_of(report, group="site/a")
    assert (row.influential_site, row.value_without) == (None, None)
    assert (pair.influential_site, pair.difference_without) == (None, None)


def test_a_site_without_which_nothing_is_left_is_passed_by() -> None:
    def share(total: tuple[int, ...]) -> float | None:
        return total[1] / total[0] if total[0] else None

    found = influence(0.25, (8, 2), {"all": (8, 2), "none": (0, 0)}, share)
    assert found == ("none", 0.25)
    assert influence(0.5, (2, 1), {"only": (2, 1)}, share) is None
    assert most_influential(0.5, {"a": None}) is None


def test_of_equals_the_first_by_name() -> None:
    assert most_influential(0.5, {"b": 0.7, "a": 0.3, "c": 0.6}).site == "a"


def test_a_comparison_says_how_many_examples_it_needs(tmp_path: Path, scores: dict) -> None:
    report = report_of(tmp_path / "run", scores)
    pair = pair_of(report)
    assert pair.detectable > 0
    assert pair.n_needed == pytest.approx(pair.n * (pair.detectable / pair.difference) ** 2, abs=3)
    for found in (pair, row_of(report, "toy_mean")):
        assert found.high_one_new_site - found.low_one_new_site > found.high_new_site - found.low_new_site > 0


@pytest.mark.parametrize(("language", "title"), [("en", "How far it carries"), ("sv", "Hur långt det räcker")])
def test_the_report_shows_what_each_comparison_bears(report: Report, language: str, title: str) -> None:
    text = markdown(report, language)
    assert f"## {title}" in text
    section = text.partition(f"## {title}")[2].partition("\n## ")[0]
    titles = {site.name: site.title for site in report.roster}
    shown = [pair for pair in report.pairs if pair.left.site_group == "all" and pair.primary]
    assert shown
    for pair in shown:
        assert titles[pair.influential_site] in section
        assert count(pair.n_needed, language) in section
