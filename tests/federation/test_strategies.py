"""Flower's strategies on three small vectors: the sum is theirs, the state is ours to keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

from kommunbench.core.errors import ConfigError
from kommunbench.core.model import StrategySettings
from kommunbench.federation.strategies import FLOWER, Aggregator, Update


@pytest.fixture(autouse=True)
def _identity() -> None:
    """Flower's messages want to know whose process they are made in; a grid says so."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1


class OneNode(Grid):
    """Flower asks a grid who is there before it aggregates."""

    def get_node_ids(self) -> list[int]:
        return [1, 2, 3]

    def set_run(self, run: Any) -> None: ...
    def create_message(self, *args: Any, **kwargs: Any) -> Any: ...
    def push_messages(self, messages: Any) -> Any: ...
    def pull_messages(self, message_ids: Any) -> Any: ...
    def send_and_receive(self, messages: Any, *, timeout: Any = None) -> Any: ...

    @property
    def run(self) -> Any: ...


def adapter(*numbers: float) -> dict[str, np.ndarray]:
    return {"layer.lora_A": np.array(numbers, dtype=np.float32)}


START = adapter(0.0, 0.0)
UPDATES = [Update(adapter(1.0, 2.0), 10), Update(adapter(3.0, 2.0), 30), Update(adapter(100.0, -6.0), 10)]


def aggregate(name: str, rounds: int = 1, **options: float) -> np.ndarray:
    aggregator = Aggregator(StrategySettings(name=name, options=options), OneNode())  # type: ignore[arg-type]
    result = START
    for number in range(1, rounds + 1):
        result = aggregator.aggregate(number, result, UPDATES)
    return result["layer.lora_A"]


def test_fedavg_weighs_by_examples() -> None:
    # (10*1 + 30*3 + 10*100) / 50 and (10*2 + 30*2 - 10*6) / 50
    assert aggregate("fedavg") == pytest.approx([22.0, 0.4])
    assert aggregate("fedprox") == pytest.approx([22.0, 0.4])


def test_the_median_outvotes_one_site() -> None:
    assert aggregate("median") == pytest.approx([3.0, 2.0])


def test_the_trimmed_mean_drops_the_extremes() -> None:
    assert aggregate("trimmed_mean", beta=0.34) == pytest.approx([3.0, 2.0])


def test_krum_takes_a_neighbour_and_not_the_outlier() -> None:
    assert aggregate("krum", num_malicious_nodes=1)[0] in (1.0, 3.0)


def test_momentum_carries_a_round_over() -> None:
    # first round: the mean; second: the mean again (pseudo-gradient 0) plus half of the first step
    assert aggregate("fedavgm", 1, server_momentum=0.5) == pytest.approx([22.0, 0.4], rel=1e-5)
    assert aggregate("fedavgm", 2, server_momentum=0.5) == pytest.approx([33.0, 0.6], rel=1e-5)


@pytest.mark.parametrize("name", sorted(FLOWER))
def test_a_restored_strategy_goes_on_as_if_it_had_never_stopped(name: str) -> None:
    settings = StrategySettings(name=name, options={"server_momentum": 0.5} if name == "fedavgm" else {})  # type: ignore[arg-type]
    whole = Aggregator(settings, OneNode())
    first = whole.aggregate(1, START, UPDATES)
    state = whole.state()
    second = whole.aggregate(2, first, UPDATES)
    resumed = Aggregator(settings, OneNode())
    resumed.restore(state, first)
    again = resumed.aggregate(2, first, UPDATES)
    assert again["layer.lora_A"].tobytes() == second["layer.lora_A"].tobytes()


def test_an_unknown_option_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"fedavgm has no option 'server_momentm'.*server_momentum"):
        Aggregator(StrategySettings(name="fedavgm", options={"server_momentm": 0.5}), OneNode())


@pytest.mark.parametrize("name", sorted(FLOWER))
def test_the_order_of_an_adapters_arrays_changes_nothing(name: str) -> None:
    """A file and a message may hold them in another order; Flower's FedAvgM pairs them by place."""
    rng = np.random.default_rng(1)
    shapes = {"b.lora_A": (2, 3), "a.lora_B": (4, 2), "c.lora_A": (2, 3)}
    adapters = [{key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()} for _ in range(6)]
    turned = [dict(reversed(adapter.items())) for adapter in adapters]
    settings = StrategySettings(name=name)  # type: ignore[arg-type]
    ends = []
    for start, others in ((adapters[0], adapters[1:]), (adapters[0], turned[1:]), (turned[0], adapters[1:])):
        aggregator = Aggregator(settings, OneNode())
        first = aggregator.aggregate(1, start, [Update(other, 10) for other in others])
        second = aggregator.aggregate(2, dict(reversed(first.items())), [Update(other, 10) for other in others])
        ends.append({key: second[key].tobytes() for key in shapes})
    assert ends[0] == ends[1] == ends[2]
