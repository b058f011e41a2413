"""Which features go together with which mode: refused when a run is composed, or said to be not available."""

from __future__ import annotations

from pathlib import Path

import pytest

from kommunbench.config.hydra import compose_settings
from kommunbench.core.errors import ConfigError
from kommunbench.core.modes import FEATURES, conflicts, mode_table, too_few
from kommunbench.federation.masked import threshold_for
from kommunbench.federation.strategies import FLOWER

ARCHITECTURE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"


def test_the_table_in_the_architecture_is_that_of_the_code() -> None:
    assert mode_table() in ARCHITECTURE.read_text(encoding="utf-8")


def test_everything_that_cannot_go_together_is_said_at_once() -> None:
    words = ["privacy=secagg", "strategy=krum", "stages=[base,federated,local,central]", "privacy.min_sites=1"]
    with pytest.raises(ConfigError) as refused:
        compose_settings(words)
    assert [fault.where for fault in refused.value.faults] == ["privacy.min_sites", "strategy", "stages", "stages"]


REFUSED = {
    "krum, median, trimmed_mean": [["strategy=krum"], ["strategy=median"], ["strategy=trimmed_mean"]],
    "stages local and central": [["stages=[base,federated,local]"], ["stages=[base,federated,central]"]],
    "differential privacy (dp=...)": [
        ["dp=sgd"], ["dp=tallies"], ["dp=both"], ["dp=client", "strategy=fedavg"],
    ],
    "weights in 16 or 8 bits (train.encoding)": [["train.encoding=bfloat16"], ["train.encoding=int8"]],
    "comparisons with earlier runs (earlier=[...])": [["earlier=[first]"]],
}  # fmt: skip
"""By line of the table: words each of which a run of masked sums refuses, and a plain run does not."""


def test_every_line_of_the_table_that_says_refused_is_tried() -> None:
    assert {line.name for line in FEATURES if line.secagg == "refused"} == set(REFUSED)


@pytest.mark.parametrize("words", [words for line in REFUSED.values() for words in line], ids=" ".join)
def test_what_the_table_refuses_is_refused_with_masked_sums_alone(words: list[str]) -> None:
    compose_settings(words)
    with pytest.raises(ConfigError) as refused:
        compose_settings(["privacy=secagg", *words])
    assert len(refused.value.faults) == 1


@pytest.mark.parametrize("strategy", [*FLOWER, "none"])
@pytest.mark.parametrize("stages", [("base",), ("base", "federated"), ("base", "local"), ("base", "central")])
@pytest.mark.parametrize("least", [1, 2, 3])
def test_each_strategy_stage_and_number_of_sites_is_refused_or_not_as_the_table_says(
    strategy: str, stages: tuple[str, ...], least: int
) -> None:
    """The table's words, read by hand: which of these faults there must be, and no other."""
    expected = ["privacy.min_sites"] * (least < 2)
    expected += ["strategy"] * (strategy in ("krum", "median", "trimmed_mean"))
    expected += ["stages"] * (stages[-1] in ("local", "central"))
    assert sorted(fault.where for fault in conflicts("secagg", strategy, stages, least)) == sorted(expected)
    plain = ["privacy.min_sites"] * (least > 1)
    assert [fault.where for fault in conflicts("plain", strategy, stages, least)] == plain


def test_plain_sums_promise_no_number_of_sites() -> None:
    with pytest.raises(ConfigError, match="privacy=secagg"):
        compose_settings(["+privacy.min_sites=3"])


@pytest.mark.parametrize("strategy", [name for name in FLOWER if name not in ("krum", "median", "trimmed_mean")])
def test_every_strategy_that_needs_the_mean_alone_can_be_had(strategy: str) -> None:
    assert compose_settings(["privacy=secagg", f"strategy={strategy}"]).privacy.min_sites == 3


def test_every_strategy_is_in_the_table() -> None:
    named = {name for line in FEATURES for name in (*line.strategies, *line.name.replace(",", "").split())}
    assert set(FLOWER) <= named


@pytest.mark.parametrize(
    ("names", "least", "threshold", "where"),
    [("abc", 4, 0, ["privacy"]), ("abcd", 3, 2, ["privacy.threshold"]), ("abcd", 3, 3, []), ("abc", 3, 0, [])],
)
def test_a_roster_has_to_be_large_enough(names: str, least: int, threshold: int, where: list[str]) -> None:
    assert [fault.where for fault in too_few("secagg", least, threshold, list(names))] == where
    assert not list(too_few("plain", least, threshold, list(names)))


def test_no_site_may_have_the_sum_s_name() -> None:
    assert [fault.where for fault in too_few("secagg", 2, 0, ["a", "b", "masked-sum"])] == ["federation"]


@pytest.mark.parametrize(
    ("sites", "least", "asked", "threshold"), [(6, 3, 0, 5), (20, 3, 0, 14), (3, 3, 0, 3), (6, 3, 4, 4), (6, 3, 2, 4)]
)
def test_most_sites_are_needed_to_take_masks_off(sites: int, least: int, asked: int, threshold: int) -> None:
    assert threshold_for(sites, least, asked) == threshold
