"""Which features go together with which mode: refused when a run is composed, or said to be not available."""

from __future__ import annotations

from pathlib import Path

import pytest

from kommunbench.config.hydra import compose_settings
from kommunbench.core.errors import ConfigError
from kommunbench.core.modes import FEATURES, mode_table, too_few
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
