"""Scorecards: scores by hand, shares of weightings against their formula, and what a run shows of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from fabricate import Fabricated
from kommunbench.config.hydra import compose_settings
from kommunbench.core.errors import ConfigError
from kommunbench.report.build import build_report
from kommunbench.report.markdown import markdown
from kommunbench.report.page import page
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import Report, Row, TaskRow
from kommunbench.report.scorecard import Scorecard, scorecards

TITLE = {"sv": "Kort", "en": "Card"}
UNITS = {
    "right": ("share", "higher"),
    "invented": ("share", "lower"),
    "lix": ("lix", "lower"),
    "tone": ("share", "none"),
}


def task(name: str, primary: str = "right") -> TaskRow:
    return TaskRow(
        name=name, version=1, title=TITLE, primary=primary, direction="higher", digest="0" * 64, changed=False
    )


def row(model: str, task: str, metric: str, value: float | None, **more: object) -> Row:
    unit, direction = UNITS[metric]
    key = {"prompt": "plain", "stage": "base", "site_group": "all", "round": 0, "seed": 1, "unit": unit}
    empty = dict.fromkeys(Row.model_fields)
    counts = dict.fromkeys(("n", "unscored", "suppressed", "sites", "refused", "missing", "failed"), 0)
    own = {"task": task, "metric": metric, "model": model, "value": value, "direction": direction, "primary": False}
    return Row.model_validate({**empty, **counts, **key, **own, **more})


def card(name: str = "card", **weights: dict) -> Scorecard:
    return Scorecard.model_validate({"name": name, "title": TITLE, "weights": weights})


def test_a_score_is_the_weighted_mean_from_worst_to_best_counted_by_hand() -> None:
    weights = {"right": 2, "invented": 1, "lix": {"weight": 1, "worst": 60, "best": 20}}
    rows = [row("a", "t", "right", 0.5), row("a", "t", "invented", 0.2), row("a", "t", "lix", 30.0)]
    rows += [row("b", "t", "right", 0.9), row("b", "t", "invented", 0.6), row("b", "t", "lix", 70.0)]
    (found,) = scorecards([card(t=weights)], [task("t")], rows)
    assert [(one.model, one.rank) for one in found.standings] == [("a", 1), ("b", 2)]
    assert found.standings[0].score == pytest.approx((2 * 0.5 + 0.8 + 0.75) / 4)
    assert found.standings[1].score == pytest.approx((2 * 0.9 + 0.4 + 0) / 4)
    assert [(part.metric, part.weight, part.worst, part.best) for part in found.parts] == [
        ("right", 0.5, 0, 1),
        ("invented", 0.25, 1, 0),
        ("lix", 0.25, 60, 20),
    ]


def test_a_tasks_own_line_comes_before_the_one_for_every_task_and_absent_tasks_leave_proportions() -> None:
    both = card(**{"*": {"primary": 1}, "t": {"invented": 3}, "elsewhere": {"right": 9}})
    rows = [row("a", name, metric, 0.5) for name in ("t", "u") for metric in ("right", "invented")]
    (found,) = scorecards([both], [task("t"), task("u")], rows)
    assert [(part.task, part.metric, part.weight) for part in found.parts] == [
        ("t", "invented", 0.75),
        ("u", "right", 0.25),
    ]


@pytest.mark.parametrize("lacking", [[], [row("b", "t", "invented", None)]])
def test_a_system_without_one_of_the_values_has_no_score_and_comes_last(lacking: list[Row]) -> None:
    rows = [row("a", "t", "right", 0.1), row("a", "t", "invented", 0.9), row("b", "t", "right", 1.0), *lacking]
    (found,) = scorecards([card(t={"right": 1, "invented": 1})], [task("t")], rows)
    last = found.standings[-1]
    assert (last.model, last.rank, last.score, last.wins) == ("b", None, None, None)
    assert last.reason == "no value of invented on t"
    assert found.standings[0].wins == 1


def test_a_measure_without_worst_and_best_gives_no_score_rather_than_a_guess() -> None:
    (found,) = scorecards([card(t={"lix": 1})], [task("t")], [row("a", "t", "lix", 30.0)])
    assert (found.standings[0].score, found.standings[0].reason) == (None, "the card states no scale for lix")


def test_the_share_of_weightings_follows_its_formula() -> None:
    """With two parts the weight of the first is even on 0..1: b leads where 0.9 w + 0.2 (1 - w) > 0.6, so w > 4/7."""
    rows = [row("a", "t", "right", 0.6), row("a", "u", "right", 0.6)]
    rows += [row("b", "t", "right", 0.9), row("b", "u", "right", 0.2)]
    (found,) = scorecards([card(**{"*": {"primary": 1}})], [task("t"), task("u")], rows)
    wins = {one.model: one.wins for one in found.standings}
    assert wins["b"] == pytest.approx(3 / 7, abs=0.035)  # three standard errors of 2,000 draws
    assert wins["a"] + wins["b"] == pytest.approx(1)


def test_equal_scores_share_the_place_and_nobody_is_said_to_lead() -> None:
    rows = [row("a", "t", "right", 0.5), row("b", "t", "right", 0.5), row("c", "t", "right", 0.1)]
    (found,) = scorecards([card(t={"right": 1})], [task("t")], rows)
    assert [(one.rank, one.wins) for one in found.standings] == [(1, 0.5), (1, 0.5), (3, 0.0)]
    assert found.changes is None


def test_another_leader_than_under_the_first_card_is_told() -> None:
    rows = [row("a", "t", "right", 0.9), row("a", "t", "invented", 0.9)]
    rows += [row("b", "t", "right", 0.8), row("b", "t", "invented", 0.0)]
    cards = [
        card("right", t={"right": 1}),
        card("sober", t={"invented": 1}),
        card("bold", t={"right": 99, "invented": 1}),
    ]
    assert [found.changes for found in scorecards(cards, [task("t")], rows)] == [False, True, False]


def test_every_seed_has_a_card_with_the_last_round_and_the_untrained() -> None:
    rows = [row("a", "t", "right", 0.3)]
    rows += [
        row("a", "t", "right", 0.4 + r / 10 + s / 100, stage="federated", round=r, seed=s)
        for r in (1, 2)
        for s in (1, 2)
    ]
    found = scorecards([card(t={"right": 1})], [task("t")], rows)
    assert [(one.seed, [(s.stage, s.round, s.score) for s in one.standings]) for one in found] == [
        (1, [("federated", 2, pytest.approx(0.61)), ("base", 0, 0.3)]),
        (2, [("federated", 2, pytest.approx(0.62)), ("base", 0, 0.3)]),
    ]


def test_a_card_about_other_tasks_alone_is_left_out() -> None:
    assert scorecards([card(elsewhere={"right": 1})], [task("t")], [row("a", "t", "right", 0.5)]) == ()


@pytest.mark.parametrize(
    "weights", [{}, {"t": {}}, {"t": {"right": 0}}, {"t": {"lix": {"weight": 1, "worst": 60}}},
                {"t": {"lix": {"weight": 1, "worst": 2, "best": 2}}}, {"t": {"right": "much"}}]
)  # fmt: skip
def test_weights_that_mean_nothing_are_refused(weights: dict) -> None:
    with pytest.raises(ValidationError):
        card(**weights)


def test_faults_of_a_card_are_told_at_once_with_the_nearest_name() -> None:
    words = ("lattlst.sari=1", "lattlast.sarii=1", "lattlast.compression=1", "lattlast.sentence_length=2")
    with pytest.raises(ConfigError) as caught:
        compose_settings([f"+scorecard.correct.weights.{word}" for word in words])
    assert sorted(str(fault) for fault in caught.value.faults) == [
        "scorecard.correct.weights: no task 'lattlst' (did you mean 'lattlast'?)",
        "scorecard.correct.weights: sentence_length on lattlast is no share with a direction "
        "(write sentence_length: {weight: 2, worst: ..., best: ...})",
        "scorecard.correct.weights: task lattlast has no measure 'compression' (there is sari, chrf, lix, "
        "sentence_length, kept_numbers, kept_names, nominal_ratio, primary)",
        "scorecard.correct.weights: task lattlast has no measure 'sarii' (did you mean 'sari'?)",
    ]


def test_a_run_that_leaves_a_metric_out_keeps_the_cards() -> None:
    settings = compose_settings(["tasks.lattlast.metrics=[sari]"])
    assert list(settings.scorecard) == ["primary", "correct", "easy_to_read"]


@pytest.fixture
def carded(fabricated: Fabricated, tmp_path: Path) -> Report:
    folder = RunFolder(Path(shutil.copytree(fabricated.folder.path, tmp_path / "pilot")))
    cards = tuple(compose_settings([]).scorecard.values())
    folder.write_info(folder.info().model_copy(update={"scorecards": cards}))
    return build_report(folder)


def test_a_run_shows_every_card_and_how_often_the_leader_changes(carded: Report) -> None:
    assert [found.name for found in carded.scorecards] == ["primary", "correct", "easy_to_read"]
    shown = {language: markdown(carded, language) for language in ("sv", "en")}
    html = page(carded, {})
    for found in carded.scorecards:
        assert found.title.sv in shown["sv"]
        assert found.title.en in shown["en"]
        assert found.title.sv in html
        assert found.title.en in html
    assert "are led by another system than the first" in shown["en"]
    assert "en annan etta än det första" in html


def test_the_score_of_the_shipped_primary_card_is_the_mean_over_tasks(carded: Report) -> None:
    found = carded.scorecards[0]
    trained = next(one for one in found.standings if (one.model, one.stage) == ("nano", "federated"))
    values = [
        row.value
        for row in carded.rows
        if (row.model, row.stage, row.round, row.site_group) == ("nano", "federated", 3, "all") and row.primary
    ]
    assert len(values) == 3
    assert trained.score == pytest.approx(sum(values) / 3)
    assert next(one for one in found.standings if one.model == "retrieval").score is None


def test_a_run_without_cards_says_nothing_of_them(report: Report) -> None:
    assert report.scorecards == ()
    assert "If something else counts" not in markdown(report, "en")
