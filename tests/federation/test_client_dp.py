"""Hiding a site: cut updates and the noise by hand and scipy, epsilon against the exact Gaussian mechanism."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from flwr.supercore.task_identity import TaskIdentity
from opacus.accountants import RDPAccountant
from poison import NoGrid
from scipy.optimize import brentq
from scipy.stats import kstest, norm

from kommunbench.config.hydra import compose_settings
from kommunbench.core.dp import DpSettings
from kommunbench.core.errors import ConfigError
from kommunbench.core.model import StrategySettings
from kommunbench.federation.strategies import Aggregator, Update
from kommunbench.models.private import ORDERS
from kommunbench.privacy.sites import site_epsilon
from kommunbench.report.dp import dp_notes, dp_row
from release import doorway as d

SHAPES = {"b": (30, 4), "a": (7,), "c": (2, 3, 5)}


def adapters(count, seed=0, length=None):
    """Random updates from zero; all of one length where that is given."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        own = {name: draw.normal(0, 1, shape) for name, shape in SHAPES.items()}
        size = math.sqrt(sum(float((part**2).sum()) for part in own.values()))
        by = 1 if length is None else length / size
        found.append({name: (part * by).astype(np.float32) for name, part in own.items()})
    return found


def zeros(shapes=None):
    return {name: np.zeros(shape, np.float32) for name, shape in (shapes or SHAPES).items()}


def aggregated(start, trained, examples=None, **dp):
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    settings = DpSettings(name="client", **{"site_noise_multiplier": 1.0, **dp})
    updates = [Update(own, count) for own, count in zip(trained, examples or [1] * len(trained), strict=True)]
    return Aggregator(StrategySettings(name="fedavg"), NoGrid(), settings).aggregate(1, start, updates)


def flat(adapter):
    return np.concatenate([adapter[name].ravel() for name in sorted(adapter)])


def test_the_mean_is_of_cut_updates_that_count_the_same():
    """One update is short and stays, one is long and is cut; the number of examples does not matter."""
    start, short, long = adapters(1)[0], adapters(1, 1, 0.5)[0], adapters(1, 2, 300.0)[0]
    trained = [{name: start[name] + own[name] for name in start} for own in (short, long)]
    found = aggregated(start, trained, [1000, 1], site_clip_norm=2.0, site_noise_multiplier=1e-9)
    expected = flat(start) + (flat(short) + flat(long) * 2.0 / 300.0) / 2
    np.testing.assert_allclose(flat(found), expected, atol=2e-5)


def test_one_site_moves_the_mean_by_no_more_than_the_noise_is_made_for():
    start, honest = zeros(), adapters(5, 3, 1.0)
    wild = {name: np.full(shape, 1e6, np.float32) for name, shape in SHAPES.items()}
    with_it, without = (aggregated(start, [*honest, last], site_noise_multiplier=1e-9) for last in (wild, zeros()))
    assert np.linalg.norm(flat(with_it) - flat(without)) <= 1.0 / 6 * 1.001


@pytest.mark.parametrize("sites", [3, 6])
def test_the_noise_is_normal_with_the_stated_size_for_as_many_as_answered(sites):
    start = zeros({"w": (20_000,)})
    found = aggregated(start, [start] * sites, site_noise_multiplier=2.0, site_clip_norm=3.0)
    assert kstest(found["w"], norm(scale=2.0 * 3.0 / sites).cdf).pvalue > 1e-6


def exact_epsilon(noise, releases, delta):
    """Balle and Wang 2018, theorem 8: `releases` Gaussian mechanisms are one with noise / sqrt(releases)."""
    sigma = noise / math.sqrt(releases)

    def over(epsilon):
        tail = math.exp(epsilon + norm.logcdf(-1 / (2 * sigma) - epsilon * sigma))
        return norm.cdf(1 / (2 * sigma) - epsilon * sigma) - tail - delta

    return brentq(over, 0, 500)


@pytest.mark.parametrize(("noise", "rounds", "replicates"), [(1.0, 12, 1), (5.0, 12, 3), (30.0, 4, 1)])
def test_epsilon_is_the_accountants_and_no_less_than_the_exact_one(noise, rounds, replicates):
    dp = DpSettings(name="client", site_noise_multiplier=noise)
    found = site_epsilon(d.make_spec(dp=dp, rounds=rounds, replicates=replicates))
    opacus = RDPAccountant()
    opacus.history = [(noise, 1.0, rounds * replicates)]
    assert found == pytest.approx(opacus.get_epsilon(dp.delta, alphas=ORDERS), rel=1e-9)
    exact = exact_epsilon(noise, rounds * replicates, dp.delta)
    assert exact <= found <= 1.25 * exact


def test_nothing_hides_where_nothing_is_noised_or_trained():
    assert site_epsilon(d.make_spec()) == 0
    assert site_epsilon(d.make_spec(dp=DpSettings(site_noise_multiplier=1.0), train=None)) == 0


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        (["strategy=fedavgm"], 1),
        (["strategy=median"], 1),
        (["strategy=fedavg", "stages=[base,federated,local,central]"], 2),
        (["strategy=fedavg", "privacy=secagg"], 1),
    ],
)
def test_what_it_does_not_go_with_is_refused_before_the_first_message(words, faults):
    with pytest.raises(ConfigError) as refused:
        compose_settings(["dp=client", *words])
    assert [fault.where for fault in refused.value.faults] == ["dp.site_noise_multiplier"] * faults


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox"])
def test_it_goes_with_plain_means(strategy):
    assert compose_settings(["dp=client", f"strategy={strategy}"]).dp.hides_sites


@pytest.mark.parametrize(
    ("language", "words"), [("sv", "Samordnaren ser varje uppdatering"), ("en", "sees each update")]
)
def test_the_report_says_what_it_hides_from_whom_and_at_what_cost(language, words):
    dp = DpSettings(name="client", site_noise_multiplier=1.0)
    spec = d.make_spec(dp=dp, rounds=12)
    row = dp_row(SimpleNamespace(spec=spec), ())
    exact = exact_epsilon(1.0, 12, dp.delta)
    assert exact <= row.site_epsilon <= 1.25 * exact
    (note,) = dp_notes(SimpleNamespace(dp=row, roster=["site"] * 6), language)
    assert words in note
    assert f"{row.site_epsilon:.2f}".replace(".", "," if language == "sv" else ".") in note
