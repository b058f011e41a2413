"""Ways to run the same apps: in this machine's own processes, on Ray, or deployed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kommunbench.federation.plan import Plan


class Engine(Protocol):
    """What an engine is told: conf/engine/<name>.yaml."""

    @property
    def name(self) -> str:
        """The engine's module."""

    @property
    def workers(self) -> int:
        """Processes that work at the same time."""

    @property
    def threads(self) -> int:
        """CPU threads each of them may use."""


def open_engine(name: str) -> Callable[[Plan, Sequence[Mapping[str, Any]], int, int], None]:
    """An engine's `run(plan, nodes, workers, threads)`.

    Raises:
        ConfigError: the engine needs an extra that is not installed.
    """
    run: Callable[[Plan, Sequence[Mapping[str, Any]], int, int], None]
    run = importlib.import_module(f"kommunbench.federation.engines.{name}").run
    return run


def run_engine(engine: Engine, plan: Plan, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Run `plan` with one node for each of `nodes`, the configurations that the sites' nodes are started with."""
    open_engine(engine.name)(plan, nodes, engine.workers, engine.threads)
