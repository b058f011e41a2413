"""Flower's own strategies, asked for one thing: to aggregate the adapters of replies that were already validated.

The loop is ours (rounds.py); a strategy never samples sites, waits, or averages a metric. What it remembers between
rounds (momentum, second moments) goes into the checkpoint, so that a resumed run ends as an uninterrupted one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from flwr.app import ConfigRecord
from flwr.serverapp import Grid
from flwr.serverapp import strategy as flower

from kommunbench.core.dp import DpSettings
from kommunbench.core.errors import ConfigError, Fault, FederationError
from kommunbench.core.model import Adapter, StrategySettings
from kommunbench.core.registry import did_you_mean
from kommunbench.federation.records import NUM_EXAMPLES, from_arrays, to_arrays, training_reply

State = dict[str, np.ndarray]


class Update(NamedTuple):
    """One site's validated adapter and the number of examples it was trained on."""

    adapter: Adapter
    examples: int


FLOWER: dict[str, Callable[..., flower.FedAvg]] = {
    "fedavg": flower.FedAvg,
    "fedprox": flower.FedAvg,  # the sites add the proximal term; the server's part is FedAvg's
    "fedavgm": flower.FedAvgM,
    "fedadam": flower.FedAdam,
    "fedyogi": flower.FedYogi,
    "median": flower.FedMedian,
    "trimmed_mean": flower.FedTrimmedAvg,
    "krum": flower.Krum,
}


def check_options(settings: StrategySettings) -> None:
    """Check that the strategy has every option that is set. What all of them have (whom to sample) is not for setting.

    Raises:
        ConfigError: every option that it does not know.
    """
    common = inspect.signature(flower.FedAvg).parameters
    known = tuple(name for name in inspect.signature(FLOWER[settings.name]).parameters if name not in common)
    ConfigError.raise_if(
        Fault(
            f"{settings.name} has no option {name!r}",
            "strategy.options",
            did_you_mean(name, known) if known else "it has none",
        )
        for name in settings.options
        if name not in known
    )


class Aggregator:
    """A Flower strategy with its state made visible.

    With `dp.hides_sites` it is wrapped in Flower's differential privacy by clipping at the server (McMahan et al. 2018)
    for as many sites as answered.
    Its noise is NumPy's, not a cipher's; it hides a site from those who get the adapter, never from the coordinator.

    Raises:
        ConfigError: an option that the strategy does not know.
    """

    def __init__(self, settings: StrategySettings, grid: Grid, dp: DpSettings | None = None) -> None:
        self._grid = grid
        self._settings = settings
        check_options(settings)
        self._strategy: flower.FedAvg | flower.DifferentialPrivacyServerSideFixedClipping = FLOWER[settings.name](
            weighted_by_key=NUM_EXAMPLES, min_available_nodes=1, min_train_nodes=1, **settings.options
        )
        if dp is not None and dp.hides_sites:
            self._strategy = flower.DifferentialPrivacyServerSideFixedClipping(
                self._strategy, dp.site_noise_multiplier, dp.site_clip_norm, num_sampled_clients=1
            )

    def aggregate(self, round_number: int, start: Adapter, updates: Sequence[Update]) -> Adapter:
        """The next adapter from `start`, the adapter that was sent, and the updates in the roster's order."""
        if isinstance(self._strategy, flower.DifferentialPrivacyServerSideFixedClipping):
            # the noise is made for so many sites of the same weight: none may move the mean by more than clip / sites
            self._strategy.num_sampled_clients = len(updates)
            updates = [Update(_moved(update.adapter, start), examples=1) for update in updates]
        record = to_arrays(_ordered(start))
        self._strategy.configure_train(round_number, record, ConfigRecord(), self._grid)
        replies = [
            training_reply(_ordered(update.adapter), update.examples, node)
            for node, update in enumerate(updates, start=1)
        ]
        arrays, _ = self._strategy.aggregate_train(round_number, replies)
        if arrays is None:
            raise FederationError(Fault("no site sent an adapter to aggregate"))
        return {name: weights.astype(np.float32) for name, weights in from_arrays(arrays).items()}

    def state(self) -> State:
        """What the strategy remembers between rounds, as arrays by name."""
        own: Mapping[str, Any] = vars(self._strategy)
        state: State = {}
        if own.get("momentum_vector") is not None:
            state |= {f"momentum_vector/{i:04}": part for i, part in enumerate(own["momentum_vector"])}
        for name in ("m_t", "v_t"):
            state |= {f"{name}/{key}": part for key, part in (own.get(name) or {}).items()}
        return state

    def restore(self, state: State, start: Adapter) -> None:
        """Go on from a checkpoint's `state` and its adapter."""
        grouped: dict[str, State] = {}
        for name, part in state.items():
            head, _, rest = name.partition("/")
            grouped.setdefault(head, {})[rest] = part
        for head, parts in grouped.items():
            ordered = [parts[key] for key in sorted(parts)] if head == "momentum_vector" else parts
            setattr(self._strategy, head, ordered)
        if isinstance(self._strategy, flower.FedAvgM):
            self._strategy.current_arrays = to_arrays(_ordered(start))


def _moved(adapter: Adapter, start: Adapter) -> Adapter:
    """`adapter`, or where it is `start` to the last bit, one weight farther by a hair: Flower divides by the length."""
    if any(np.any(adapter[name] != start[name]) for name in start):
        return adapter
    name, *_ = sorted(start)
    weights = np.array(adapter[name], dtype=np.float32)
    weights.flat[0] = max(weights.flat[0] + np.float32(1e-6), np.nextafter(weights.flat[0], np.float32(np.inf)))
    return {**adapter, name: weights}


def _ordered(adapter: Adapter) -> Adapter:
    """By name: FedAvgM pairs arrays by their place, and a file or a message may have them in another order."""
    return {name: adapter[name] for name in sorted(adapter)}
