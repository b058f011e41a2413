"""Flower's own simulation runs the same apps and gives the same releases as the default engine."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

from federated_folder import BASELINES, run, settings_for
from kommunbench.cli.compose import make_plan, make_sites, node_config
from kommunbench.core.answer import Cost
from kommunbench.core.errors import ConfigError, FederationError
from kommunbench.federation.engines import opened_engine
from kommunbench.report.record import Received, RunFolder

MODULE = "kommunbench.federation.engines.ray"
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install .[ray]"
)


@pytest.fixture(autouse=True)
def _environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower writes the search path into PYTHONPATH for Ray's workers."""
    monkeypatch.setenv("PYTHONPATH", "")


def released(folder: RunFolder) -> list[Received]:
    """Everything that was answered, without times (and the sizes that vary with them)."""
    plain = {"seconds": 0.0, "bytes_in": 0, "bytes_out": 0}
    return [
        received.model_copy(
            update={**plain, "cost": Cost(examples=received.cost.examples, new_tokens=received.cost.new_tokens)}
        )
        for received in folder.received()
    ]


@needs_ray
@pytest.mark.slow
def test_releases_equal_those_of_the_default_engine_bit_for_bit(data: Path, tmp_path: Path) -> None:
    local = run(settings_for(data, *BASELINES, "name=same"))
    settings = settings_for(data, *BASELINES, "name=same", "engine=ray", f"results={tmp_path / 'on-ray'}")
    plan, folder = make_plan(settings), RunFolder(settings.folder)
    folder.write_info(plan.info)
    with opened_engine(settings.engine, [node_config(site) for site in make_sites(settings)]) as run_plan:
        run_plan(plan)
    assert released(folder) == released(local)
    assert {received.site for received in released(folder)} == {"ekby", "åvik", "öster"}
    assert any(any(values) for received in released(folder) for _, _, values in received.slots)


@needs_ray
@pytest.mark.slow
def test_what_the_server_raises_comes_through(data: Path) -> None:
    settings = settings_for(data, *BASELINES, "name=quorum", "quorum=3", "join_s=0", "engine=ray")
    plan = make_plan(settings)
    Path(plan.folder).mkdir(parents=True)
    nodes = [node_config(site) for site in make_sites(settings)[:2]]
    quorum = pytest.raises(FederationError, match=r"2 of 3 sites online, and the quorum is 3")
    with quorum, opened_engine(settings.engine, nodes) as run_plan:
        run_plan(plan)


def test_without_ray_the_run_says_what_to_install_before_anything_is_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(data, *BASELINES, "name=none", "engine=ray")
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None)
    with pytest.raises(ConfigError, match=r"engine=ray: Ray is not installed \(pip install kommunbench\[ray\]\)"):
        make_plan(settings)
    assert not settings.folder.exists()
