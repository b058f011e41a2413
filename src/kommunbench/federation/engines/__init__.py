"""Ways to run the same apps: in this machine's own processes, on Ray, or deployed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
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


def run_engine(engine: Engine, plan: Plan, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Run `plan` with one node for each of `nodes`, the configurations that the sites' nodes are started with."""
    module = importlib.import_module(f"kommunbench.federation.engines.{engine.name}")
    module.run(plan, nodes, engine.workers, engine.threads)
