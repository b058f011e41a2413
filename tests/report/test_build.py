"""From a folder to a report: hand counts, independent oracles, and what happens to sites that gave nothing."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand import METRICS, NEW, OLD, HandMade, example, make_info, roster, tally
from scipy import stats

from fabricate import SIZES, Fabricated
from kommunbench.core.answer import Code
from kommunbench.core.metric import add
from kommunbench.core.registry import find
from kommunbench.core.spec import COST, Cell, Pair
from kommunbench.report.build import build_report, report_json
from kommunbench.report.record import Received, RunFolder
from kommunbench.report.roster import cost_row
from kommunbench.report.rows import Report, Row
from kommunbench.report.tables import absence_table

MEAN = Pair(NEW, OLD, "toy_mean", "toy_mean")


def row_of(report: Report, metric: str, model: str = "new", group: str = "all") -> Row:
    return report.by_key["toy", metric, model, "plain", "base", group, 0, 0]


def draw(sites: dict[str, int], seed: int = 0) -> dict[str, dict[Cell, list]]:
    """Correlated answers of two systems: the new one a little better."""
    rng = random.Random(seed)
    scores = {}
    for site, n in sites.items():
        ease = [rng.betavariate(4, 4) for _ in range(n)]
        scores[site] = {
            cell: [
                example(
                    right=int(rng.random() < hard + lift),
                    score=min(max(hard + lift + rng.gauss(0, 0.05), 0), 1),
                    errors=int(20 * (1 - hard)),
                    words=rng.randrange(5, 60),
                )
                for hard in ease
            ]
            for cell, lift in ((OLD, 0.0), (NEW, 0.04))
        }
    return scores


@pytest.fixture
def finished(tmp_path: Path, toys: None) -> tuple[Report, dict]:
    scores = draw({"a": 40, "b": 12, "c": 90})
    run = HandMade(tmp_path / "run", make_info(roster(tuple(scores)), [MEAN]))
    run.work(scores)
    run.close(scores)
    return build_report(run.folder), scores


def test_a_value_is_one_division_of_sums_counted_by_hand(tmp_path: Path, toys: None) -> None:
    scores = {
        "a": {NEW: [example(1, 0.5, 3, 10), example(0, 0.25, 1, 30)]},
        "b": {NEW: [example(1, 1.0, 2, 10), (), example(1, 0.25, 0, 50), example(0, 0.0, 0, 20)]},
    }
    run = HandMade(tmp_path / "run", make_info(roster(("a", "b"))))
    run.work(scores)
    report = build_report(run.folder)
    assert row_of(report, "toy_share").value == 3 / 5
    assert row_of(report, "toy_mean").value == pytest.approx(2.0 / 5, abs=1e-12)
    assert row_of(report, "toy_ratio").value == 6 / 120  # the mean of the sites' own would be (4/40 + 2/80) / 2
    row = row_of(report, "toy_ratio")
    assert (row.n, row.unscored, row.sites) == (5, 1, 2)
    assert (row.worst_site, row.worst_value, row.best_site, row.gap) == ("a", 0.1, "b", pytest.approx(0.075))
    assert row_of(report, "toy_mean", group="site/b").n == 3


def test_pooled_equals_centralised_to_the_last_bit_for_every_real_metric(
    fabricated: Fabricated, report: Report
) -> None:
    released = {"lovvik", "norrhult", "region-algmark", "region-ostersken", "region-sotra"}
    checked = 0
    for cell in {cell for _, cell, _ in fabricated.tallies if cell.round in (0, 3)}:
        sites = released - ({"region-ostersken"} if cell.task == "guideline_qa" else set())
        for name in {name for _, of, name in fabricated.tallies if of == cell}:
            metric = find("metrics", name)
            heard = set() if metric.needs not in (None, COST) else sites  # nobody could read what it needs
            everyone = [tally for site in heard for tally in fabricated.tallies[site, cell, name]]
            random.Random(7).shuffle(everyone)
            total = metric.zero
            for one in everyone:
                total = add(total, one)
            for measure in metric.measures:
                key = (cell.task, measure.name, cell.model, cell.prompt, cell.stage, "all", cell.round, cell.seed)
                row = report.by_key[key]
                assert row.value == metric.value(total, measure)
                assert (row.n, row.unscored) == (total[0], total[1])
                checked += 1
    assert checked > 40


def test_a_mean_of_one_site_has_ttest_rels_p_and_interval(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 50})
    run = HandMade(tmp_path / "run", make_info(roster(("a",)), [MEAN]))
    run.work(scores)
    run.close(scores)
    report = build_report(run.folder)
    left, right = ([row[1] / 1e12 for row in scores["a"][cell]] for cell in (NEW, OLD))
    expected = stats.ttest_rel(left, right)
    interval = expected.confidence_interval(0.95)
    pair = next(pair for pair in report.pairs if pair.left.site_group == "all")
    assert pair.paired
    assert pair.n == 50
    assert pair.difference == pytest.approx(np.mean(left) - np.mean(right), abs=1e-9)
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high), abs=1e-6)
    assert pair.p == pytest.approx(expected.pvalue, rel=1e-4)
    mean = stats.ttest_1samp(left, 0).confidence_interval(0.95)
    row = row_of(report, "toy_mean")
    assert (row.low, row.high, row.interval) == (
        pytest.approx(mean.low, abs=1e-6),
        pytest.approx(mean.high, abs=1e-6),
        "delta",
    )
    assert (row.low_new_site, row.new_site_reason) == (None, "fewer than 3 sites")


def test_a_part_of_the_sites_has_the_interval_that_it_would_have_alone(tmp_path: Path, toys: None) -> None:
    """The ratio's z were linearised where words are few; site c has many: steepness puts that right."""
    scores = draw({"a": 60, "c": 60}, seed=3)
    for rows in scores["c"].values():
        rows[:] = [(right, score, errors * 4, words * 4) for right, score, errors, words in rows]
    both = HandMade(tmp_path / "both", make_info(roster(("a", "c"))))
    alone = HandMade(tmp_path / "alone", make_info(roster(("c",))))
    for run, given in ((both, scores), (alone, {"c": scores["c"]})):
        run.work(given)
        run.close(given)
    part = row_of(build_report(both.folder), "toy_ratio", group="site/c")
    whole = row_of(build_report(alone.folder), "toy_ratio")
    assert part.value == whole.value
    assert part.high - part.low == pytest.approx(whole.high - whole.low, rel=0.05)


def test_proportions_have_wilsons_interval_without_closing_sums(tmp_path: Path, toys: None) -> None:
    scores = {
        site: {NEW: [example(right=int(i < hits)) for i in range(n)]} for site, hits, n in (("a", 7, 20), ("b", 9, 30))
    }
    run = HandMade(tmp_path / "run", make_info(roster(("a", "b"))))
    run.work(scores)
    report = build_report(run.folder)
    expected = stats.binomtest(16, 50).proportion_ci(0.95, method="wilson")
    row = row_of(report, "toy_share")
    assert (row.low, row.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert row.interval == "wilson"
    mean = row_of(report, "toy_mean")
    assert mean.value is not None
    assert (mean.low, mean.high, mean.interval_reason) == (None, None, "no closing sums from every site in the value")
    assert not report.complete


def test_a_site_missing_from_the_closing_message_takes_the_interval_away_not_the_value(
    tmp_path: Path, toys: None
) -> None:
    scores = draw({"a": 40, "b": 40, "c": 40})
    run = HandMade(tmp_path / "run", make_info(roster(tuple(scores)), [MEAN]))
    run.work(scores)
    run.close({site: scores[site] for site in ("a", "b")})
    run.folder.keep(Received(site="c", moment="close", status="missing"))
    report = build_report(run.folder)
    row = row_of(report, "toy_mean")
    assert row.n == 120
    assert row.low is None
    pair = next(pair for pair in report.pairs if pair.left.site_group == "all")
    assert (pair.sites, pair.n, pair.paired) == (2, 80, True)


def test_where_pairs_are_no_longer_kept_the_comparison_is_unpaired_and_says_so(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 40})
    run = HandMade(tmp_path / "run", make_info(roster(("a",)), [MEAN]))
    run.work(scores)
    run.close(scores, withhold_pairs=("a",))
    pair = next(pair for pair in build_report(run.folder).pairs if pair.left.site_group == "all")
    left, right = ([row[1] / 1e12 for row in scores["a"][cell]] for cell in (NEW, OLD))
    assert not pair.paired
    assert pair.p == pytest.approx(stats.ttest_ind(left, right, equal_var=False).pvalue, rel=1e-4)


def test_what_was_not_released_is_counted_and_never_zero(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 40, "b": 30})
    given = {**scores, "small": draw({"small": 4})["small"], "careful": scores["b"]}
    run = HandMade(tmp_path / "run", make_info(roster((*given, "late", "broken", "away"))))
    codes = {("small", name): Code.TOO_FEW_EXAMPLES for name in METRICS}
    run.work(given, {**codes, ("careful", "toy_mean"): Code.METRIC_NOT_ALLOWED})
    run.folder.keep(Received(site="late", moment="round-000", status="missing"))
    run.folder.keep(Received(site="broken", moment="round-000", status="failed", code=Code.MODEL_FAULT))
    report = build_report(run.folder)
    row = row_of(report, "toy_mean")
    counts = (row.sites, row.suppressed, row.refused, row.missing, row.failed)
    assert counts == (2, 1, 1, 2, 1)  # `away` left no file at all
    assert row.n == 70
    assert row_of(report, "toy_share").refused == 0
    for group, reason in (
        ("small", "1 suppressed"),
        ("late", "1 missing"),
        ("broken", "1 failed"),
        ("away", "1 missing"),
    ):
        own = row_of(report, "toy_mean", group=f"site/{group}")
        assert (own.value, own.n, own.reason) == (None, 0, f"no site released it: {reason}")
    status = {site.name: site.status for site in report.roster}
    assert status == {
        "a": "ok",
        "b": "ok",
        "small": "suppressed",
        "careful": "partly",
        "late": "missing",
        "broken": "failed",
        "away": "missing",
    }
    said = {site.name: [absence.en for absence in site.absences] for site in report.roster}
    assert said["broken"] == ["the model failed; the site's log says why"]
    assert said["careful"] == ["does not release the metric"]


def test_a_site_that_evaluates_but_does_not_train_says_so(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 20, "b": 20})
    run = HandMade(tmp_path / "run", make_info(roster(("a", "b"))))
    run.work(scores)
    reply = next(reply for reply in run.folder.received() if reply.site == "b")
    run.folder.keep(reply.model_copy(update={"adapter_code": Code.TRAINING_DENIED}))
    report = build_report(run.folder)
    assert row_of(report, "toy_mean").sites == 2
    assert report.roster[1].status == "partly"
    found = [(one.about, one.task, one.outcome, one.sv) for one in report.roster[1].absences]
    assert found == [("training", None, "refused", "tillåter inte träning")]


def test_a_remark_on_an_update_takes_nothing_from_a_site_that_gave_all(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 20, "b": 20})
    run = HandMade(tmp_path / "run", make_info(roster(("a", "b"))))
    run.work(scores)
    reply = next(reply for reply in run.folder.received() if reply.site == "b")
    run.folder.keep(reply.model_copy(update={"adapter_code": Code.UPDATE_AGAINST}))
    report = build_report(run.folder)
    assert report.roster[1].status == "ok"
    assert [(one.about, one.outcome) for one in report.roster[1].absences] == [("training", "noted")]
    assert "anmärkning" in {cell for cells in absence_table(report, "sv").rows for cell in cells}


def test_nothing_released_at_all_is_null_with_a_reason(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 3, "b": 3})
    run = HandMade(tmp_path / "run", make_info(roster(("a", "b")), [MEAN]))
    run.work(scores, {(site, name): Code.TOO_FEW_EXAMPLES for site in scores for name in METRICS})
    report = build_report(run.folder)
    assert {row.value for row in report.rows} == {None}
    assert all(row.reason for row in report.rows)
    pair = next(pair for pair in report.pairs if pair.left.site_group == "all")
    assert (pair.difference, pair.p, pair.better, pair.reason) == (None, None, None, "no site released both systems")
    assert all(standing.tie_group is None for standing in report.leaderboards[0].standings)


def test_only_unscored_examples_say_so(tmp_path: Path, toys: None) -> None:
    run = HandMade(tmp_path / "run", make_info(roster(("a",))))
    run.work({"a": {NEW: [()] * 12}})
    row = row_of(build_report(run.folder), "toy_mean")
    assert (row.value, row.n, row.unscored) == (None, 0, 12)
    assert row.reason == "no example could be scored: a reference or a fact is lacking"


def test_validation_splits_are_kept_apart(tmp_path: Path, toys: None) -> None:
    chosen = NEW._replace(split="validation")
    run = HandMade(tmp_path / "run", make_info(roster(("a",))))
    run.work({"a": {NEW: [example(1)] * 10, chosen: [example(0)] * 10}})
    report = build_report(run.folder)
    assert row_of(report, "toy_share").value == 1.0
    assert {row.value for row in report.validation if row.metric == "toy_share"} == {0.0}


def test_a_later_refusal_does_not_undo_what_was_released(tmp_path: Path, toys: None) -> None:
    scores = draw({"a": 20})
    run = HandMade(tmp_path / "run", make_info(roster(("a",))))
    run.work(scores)
    before = build_report(run.folder)
    reply = next(run.folder.received())
    held = tuple((key, Code.OVER_LIMIT, (0,) * len(values)) for key, _, values in reply.slots)
    run.folder.keep(reply.model_copy(update={"moment": "round-001", "slots": held}))
    assert build_report(run.folder).rows == before.rows


def test_adapters_of_single_sites_are_pooled_over_their_origins(tmp_path: Path, toys: None) -> None:
    locals_ = {origin: NEW._replace(stage="local", origin=origin, round=1) for origin in ("a", "b")}
    hits = {("a", "a"): 9, ("a", "b"): 3, ("b", "b"): 8, ("b", "a"): 2}
    scores = {
        site: {locals_[origin]: [example(right=int(i < hits[origin, site])) for i in range(10)] for origin in locals_}
        for site in ("a", "b")
    }
    run = HandMade(tmp_path / "run", make_info(roster(("a", "b"))))
    run.work(scores)
    report = build_report(run.folder)
    found = {row.site_group: row for row in report.rows if row.metric == "toy_share"}
    assert set(found) == {"own", "others", "site/a", "site/b"}
    assert (found["own"].value, found["others"].value, found["site/b"].value) == (17 / 20, 5 / 20, 8 / 10)


def test_the_leaderboard_ties_what_the_declared_pair_cannot_tell_apart(finished: tuple[Report, dict]) -> None:
    report, _ = finished
    pair = next(pair for pair in report.pairs if pair.left.site_group == "all")
    assert pair.better == "left"
    assert [standing.row.model for standing in report.leaderboards[0].standings] == ["new", "old"]
    assert [standing.tie_group for standing in report.leaderboards[0].standings] == [1, 2]
    new, old = (row_of(report, "toy_mean", model) for model in ("new", "old"))
    assert new.low < old.high  # the intervals overlap; only the pairing tells them apart


def test_every_seed_of_training_has_its_leaderboard_and_all_have_the_base(tmp_path: Path, toys: None) -> None:
    trained = [NEW._replace(stage="federated", round=number, seed=seed) for seed in (0, 1) for number in (1, 2)]
    scores = {"a": {cell: [example(score=0.1 * (cell.round + cell.seed))] * 10 for cell in (NEW, *trained)}}
    run = HandMade(tmp_path / "run", make_info(roster(("a",))))
    run.work(scores)
    boards = build_report(run.folder).leaderboards
    found = {board.seed: [(one.row.stage, one.row.round, one.row.seed) for one in board.standings] for board in boards}
    assert found == {
        0: [("federated", 2, 0), ("base", 0, 0)],
        1: [("federated", 2, 1), ("base", 0, 0)],
    }


def test_equal_systems_share_a_place(tmp_path: Path, toys: None) -> None:
    scores = {"a": {NEW: draw({"a": 60})["a"][OLD], OLD: draw({"a": 60})["a"][OLD]}}
    run = HandMade(tmp_path / "run", make_info(roster(("a",)), [MEAN]))
    run.work(scores)
    run.close(scores)
    report = build_report(run.folder)
    assert [standing.tie_group for standing in report.leaderboards[0].standings] == [1, 1]
    assert {(pair.difference, pair.p, pair.better) for pair in report.pairs} == {(0.0, 1.0, "tie")}


def test_building_again_gives_the_same_bytes_even_from_a_copy(
    fabricated: Fabricated, report: Report, tmp_path: Path
) -> None:
    copy = shutil.copytree(fabricated.folder.path, tmp_path / "elsewhere")
    assert report_json(build_report(RunFolder(copy))) == report_json(report)


def test_rows_have_unique_keys_and_every_null_its_reason(report: Report) -> None:
    assert len(report.by_key) == len(report.rows)
    for row in report.rows:
        assert (row.value is None) == (row.reason is not None)
        assert (row.low is None) == (row.interval_reason is not None)
        assert (row.low_new_site is None) == (row.new_site_reason is not None)
        assert row.low is None or row.low <= row.value <= row.high


def test_groups_of_sites_add_up(report: Report) -> None:
    for row in report.rows:
        if row.site_group == "all":
            parts = [report.by_key[(*row.key[:5], group, *row.key[6:])] for group in ("trained", "unseen")]
            assert sum(part.n for part in parts) == row.n
            parts = [report.by_key[(*row.key[:5], group, *row.key[6:])] for group in ("municipality", "region")]
            assert sum(part.n for part in parts) == row.n
            sites = [report.by_key[(*row.key[:5], f"site/{site}", *row.key[6:])] for site in SIZES]
            assert sum(part.n for part in sites) == row.n


@pytest.mark.parametrize("task", ["summarization", "lattlast", "guideline_qa"])
def test_delta_intervals_of_real_measures_agree_with_a_stratified_bootstrap(
    fabricated: Fabricated, report: Report, task: str
) -> None:
    """Resampling examples within sites 1,000 times gives the same standard error, to a tenth."""
    rng = np.random.default_rng(0)
    wanted = {
        "summarization": ["rougeL", "chrf"],
        "lattlast": ["sari", "lix"],
        "guideline_qa": ["token_f1", "abstention_f1"],
    }
    cell = next(cell for _, cell, _ in fabricated.tallies if cell.task == task and cell.round == 3)
    for name in report_metrics(fabricated, cell):
        metric = find("metrics", name)
        for measure in metric.measures:
            if measure.name not in wanted[task]:
                continue
            row = report.by_key[task, measure.name, "nano", "plain", "federated", "all", 3, 0]
            sites = [
                np.array(fabricated.tallies[site, cell, name], dtype=object)
                for site in SIZES
                if report.by_key[(*row.key[:5], f"site/{site}", 3, 0)].n
            ]
            values = [
                metric.value(sum(part[rng.integers(0, len(part), len(part))].sum(axis=0) for part in sites), measure)
                for _ in range(1000)
            ]
            half = (row.high - row.low) / 2
            assert half / 1.97 == pytest.approx(float(np.std(values)), rel=0.12), measure.name
            wanted[task].remove(measure.name)
    assert not wanted[task]


def report_metrics(fabricated: Fabricated, cell: Cell) -> list[str]:
    return list(dict.fromkeys(name for _, of, name in fabricated.tallies if of == cell))


def test_the_closing_sums_of_the_fabricated_run_are_those_of_a_site(toys: None) -> None:
    """What the tests take for a site's closing sums equals numpy's mean and variance of a mean's scores."""
    from fabricate import closing_sums, linearised

    rows = [tally("toy_mean", example(score=score)) for score in (0.1, 0.4, 0.4, 0.9)]
    metric = find("metrics", "toy_mean")
    total = metric.zero
    for row in rows:
        total = add(total, row)
    z = linearised(metric, total, metric.measure("toy_mean"), rows)
    assert z == pytest.approx([-0.35, -0.05, -0.05, 0.45], abs=1e-6)
    assert closing_sums([(one,) for one in z])[0] == 4


def test_costs_an_example_are_sums_over_sums_and_energy_is_not_guessed(fabricated: Fabricated) -> None:
    replies = list(fabricated.folder.received())
    cost = cost_row(replies)
    assert cost.examples == sum(reply.cost.examples for reply in replies) > 0
    assert cost.seconds_an_example == pytest.approx(0.04)  # 40 ms, 90 tokens in and 25 out for each, as fabricated
    assert (cost.prompt_tokens_an_example, cost.new_tokens_an_example) == (90, 25)
    assert cost.energy_j is None
    silent = replace(replies[0].cost, examples=0, prompt_tokens=0, new_tokens=0)  # where something was held back
    some = cost_row([replies[0].model_copy(update={"cost": silent}), *replies[1:]])
    assert some.seconds_an_example == pytest.approx(0.04), "seconds of answers that nobody counts are in no mean"
    told = [reply.model_copy(update={"cost": replace(reply.cost, energy_j=300)}) for reply in replies[:2]]
    assert cost_row(told).energy_j == 600
