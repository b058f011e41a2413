from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fabricate import Fabricated, fabricate_with_tallies
from kommunbench import metrics
from kommunbench.core import registry
from kommunbench.report.build import build_report
from kommunbench.report.rows import Report

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def fabricated(tmp_path_factory: pytest.TempPathFactory) -> Fabricated:
    return fabricate_with_tallies(tmp_path_factory.mktemp("results") / "pilot")


@pytest.fixture(scope="session")
def report(fabricated: Fabricated) -> Report:
    return build_report(fabricated.folder)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A task `toy` with three small metrics: a proportion, a mean and a ratio."""
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(HERE / "toys" / "metrics")])
    monkeypatch.setenv("KOMMUNBENCH_HOME", str(HERE / "toys"))
    registry.names.cache_clear()
    registry.find.cache_clear()
    yield
    monkeypatch.undo()
    registry.names.cache_clear()
    registry.find.cache_clear()
