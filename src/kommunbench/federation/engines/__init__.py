"""Ways to run the same apps: in this machine's own processes, on Ray, or deployed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from kommunbench.federation.plan import Plan

Run = Callable[[Plan], None]
"""Runs a plan; what it gives is in the plan's folder."""
Opened = Callable[[Sequence[Mapping[str, Any]], int, int], AbstractContextManager[Run]]
"""An engine's `opened(nodes, workers, threads)`: inside, its processes are there."""


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


def find_engine(name: str) -> Opened:
    """An engine's `opened`.

    Raises:
        ConfigError: the engine needs an extra that is not installed.
    """
    found: Opened = importlib.import_module(f"kommunbench.federation.engines.{name}").opened
    return found


def opened_engine(engine: Engine, nodes: Sequence[Mapping[str, Any]]) -> AbstractContextManager[Run]:
    """The engine with one node for each of `nodes`, the configurations that the sites' nodes are started with.

    To be entered before this process starts any thread: worker processes can then be forked (engines/local.py).
    """
    return find_engine(engine.name)(nodes, engine.workers, engine.threads)
