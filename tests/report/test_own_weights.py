"""A site's own weights: who leads there under each card, and how often the winner changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from test_scorecard import card, row, task
from typer.testing import CliRunner

from kommunbench.cli.report import report as command
from kommunbench.core.errors import ConfigError
from kommunbench.core.task import load_task
from kommunbench.core.weights import Weights
from kommunbench.report.markdown import site_page
from kommunbench.report.own_weights import check_weights, own_weights_tables, own_weights_text, site_cards
from kommunbench.report.rows import Report, Row

LOVVIK = "site/lovvik"


def weights(**stated: dict[str, Any]) -> Weights:
    return TypeAdapter(Weights).validate_python(stated)


def rows() -> list[Row]:
    """At the site `quick` is right and `plain` is easy to read; over all sites it is the other way round."""
    values = {
        ("quick", LOVVIK): (0.9, 60),
        ("plain", LOVVIK): (0.5, 20),
        ("quick", "all"): (0.4, 30),
        ("plain", "all"): (0.8, 50),
    }
    return [
        row(model, "t", metric, value, site_group=group)
        for (model, group), pair in values.items()
        for metric, value in zip(("right", "lix"), pair, strict=True)
    ]


def fitting(report: Report) -> Report:
    return report.model_copy(update={"tasks": (task("t"),), "rows": tuple(rows())})


OWN = weights(t={"right": 1, "lix": {"weight": 3, "worst": 60, "best": 20}})


def test_the_leaderboard_under_each_is_made_of_the_sites_own_numbers(report: Report) -> None:
    found = site_cards(fitting(report), [card("primary", t={"right": 1})], "lovvik", OWN)
    assert [(one.name, one.standings[0].model, one.changes) for one in found.here] == [
        ("primary", "quick", False),
        ("own", "plain", True),
    ]
    assert found.here[1].standings[0].score == pytest.approx((0.5 + 3 * 1) / 4)
    assert [(one.name, one.standings[0].model) for one in found.everywhere] == [("primary", "plain"), ("own", "quick")]


def test_how_often_the_winner_changes_is_said_in_both_languages(report: Report) -> None:
    cards = [card("primary", t={"right": 1}), card("more", t={"right": 2})]
    found = site_cards(fitting(report), cards, "lovvik", OWN)
    assert "Other cards that are led by another system than the first: 1 of 2." in list(own_weights_text(found, "en"))
    assert "Andra kort som har en annan etta än det första: 1 av 2." in list(own_weights_text(found, "sv"))
    captions = [table.caption for table in own_weights_tables(found, fitting(report), "sv")]
    assert [caption.partition(" (")[0] for caption in captions] == [
        "Kort",
        "Kort",
        "Era egna vikter",
        "Era egna vikter",
    ]
    assert captions[-1].endswith("över alla organisationer")


def test_without_cards_or_weights_every_task_counts_the_same(report: Report) -> None:
    found = site_cards(fitting(report), [], "lovvik", {})
    assert [(one.name, one.standings[0].model) for one in found.here] == [("primary", "quick")]
    assert found.everywhere == ()
    assert "site.yaml" in list(own_weights_text(found, "en"))[-1]


def test_tasks_that_the_run_lacks_do_not_count(report: Report) -> None:
    found = site_cards(fitting(report), [], "lovvik", weights(elsewhere={"right": 1}))
    assert [one.name for one in found.here] == ["primary"]


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"lattlats": {"chrf": 1}}, "did you mean 'lattlast'"),
        ({"lattlast": {"chrff": 1}}, "did you mean 'chrf'"),
        ({"lattlast": {"lix": 1}}, "worst"),
    ],
)
def test_weights_that_fit_no_task_are_told_with_their_file(own: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        check_weights(weights(**own), {"lattlast": load_task("lattlast")}, "site.yaml")
    assert caught.value.faults[0].where == "site.yaml: weights"


def test_a_site_sees_its_page_with_its_own_weights_and_they_are_sent_nowhere(
    report: Report, fabricated, tmp_path: Path
) -> None:
    folder = fabricated.folder.path
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    own = tmp_path / "site.yaml"
    own.write_text('min_examples: 20\nweights: {"*": {primary: 7}}\n', encoding="utf-8")
    words = [str(folder), "--site", "lovvik", "--weights", str(own)]
    shown = CliRunner().invoke(command, [*words, "--language", "sv"])
    assert "## Med vems vikter" in shown.output
    assert "Era egna vikter" in shown.output
    printed = json.loads(CliRunner().invoke(command, [*words, "--json"]).output)
    assert printed["site"] == "lovvik"
    assert printed["scorecards"][-1]["name"] == "own"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    refused = CliRunner().invoke(command, [str(folder), "--weights", str(own)])
    assert "--site" in str(refused.exception)


def test_the_page_without_cards_is_as_it_was(report: Report) -> None:
    assert "By whose weights" not in site_page(report, "lovvik", "en")
