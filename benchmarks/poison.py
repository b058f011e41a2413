"""What a poisoned site does to training together, and what is left of it after update hygiene and each strategy.

    python benchmarks/poison.py          # a Markdown table, some ten seconds

Nine sites with unlike shares of scikit-learn's handwritten digits train one softmax regression together by gradient
descent, twelve rounds; two of the sites are poisoned in the same way. The updates go through the coordinator's own
code: what arrives is checked, the round's are judged against each other, Flower's strategy aggregates what counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity
from sklearn.datasets import load_digits

from kommunbench.core.answer import Code
from kommunbench.core.model import Adapter, StrategySettings, UpdateBounds
from kommunbench.federation.hygiene import judge
from kommunbench.federation.strategies import Aggregator, Update
from kommunbench.release import update_code

SITES, ROUNDS, POISONED = 9, 12, (2, 5)
STRATEGIES = {
    "fedavg": {},
    "median": {},
    "trimmed_mean": {"beta": 0.25},
    "krum": {"num_malicious_nodes": 2},
}
Weights = dict[str, np.ndarray]
Poison = Callable[[Adapter, Adapter], Weights]


def _moved(by: float) -> Poison:
    return lambda sent, honest: {name: sent[name] + np.float32(by) * (honest[name] - sent[name]) for name in sent}


def _filled(number: float) -> Poison:
    return lambda sent, _: {name: np.full_like(array, number) for name, array in sent.items()}


POISONS: Mapping[str, Poison | None] = {
    "clean": None,
    "nan": _filled(np.nan),
    "inf": _filled(np.inf),
    "times_a_million": _moved(1e6),
    "times_eight": _moved(8),
    "sign_flip": _moved(-1),
    "sign_flip_times_eight": _moved(-8),
    "label_flip": None,
}


class NoGrid(Grid):
    """Flower asks a grid who is there before it aggregates."""

    def get_node_ids(self) -> list[int]:
        return list(range(SITES))

    def set_run(self, run: Any) -> None: ...
    def create_message(self, *args: Any, **kwargs: Any) -> Any: ...
    def push_messages(self, messages: Any) -> Any: ...
    def pull_messages(self, message_ids: Any) -> Any: ...
    def send_and_receive(self, messages: Any, *, timeout: Any = None) -> Any: ...

    @property
    def run(self) -> Any: ...


def sites_and_test() -> tuple[list[tuple[np.ndarray, np.ndarray]], tuple[np.ndarray, np.ndarray]]:
    """(images, digits) of each site, a third of them of the site's own two favourite digits; and of the common test."""
    images, digits = load_digits(return_X_y=True)
    images = images / 16
    draw = np.random.default_rng(1)
    order = draw.permutation(len(digits))
    test, rest = order[:400], order[400:]
    parts: list[list[int]] = [[] for _ in range(SITES)]
    for place in rest:
        favourite = digits[place] % SITES
        parts[favourite if draw.random() < 1 / 3 else draw.integers(SITES)].append(place)
    return [(images[part], digits[part]) for part in parts], (images[test], digits[test])


def train(sent: Adapter, images: np.ndarray, digits: np.ndarray) -> Weights:
    """Twenty steps of gradient descent on the softmax regression's loss."""
    weights, bias = sent["weights"].astype(np.float64), sent["bias"].astype(np.float64)
    truth = np.eye(10)[digits]
    for _ in range(20):
        scores = images @ weights + bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (scores / scores.sum(axis=1, keepdims=True) - truth) / len(digits)
        weights, bias = weights - 0.5 * images.T @ error, bias - 0.5 * error.sum(axis=0)
    return {"weights": weights.astype(np.float32), "bias": bias.astype(np.float32)}


def accuracy(adapter: Adapter, images: np.ndarray, digits: np.ndarray) -> float:
    return float((np.argmax(images @ adapter["weights"] + adapter["bias"], axis=1) == digits).mean())


def federate(strategy: str, poison: str, bounds: UpdateBounds | None = None) -> tuple[float, dict[str, set[Code]]]:
    """(accuracy on the common test, what was said of each site); without `bounds` only layout and NaN are checked."""
    TaskIdentity.run_id, TaskIdentity.task_id, TaskIdentity.node_id = 1, 1, 1
    sites, test = sites_and_test()
    settings = StrategySettings(name=strategy, options=STRATEGIES[strategy])  # type: ignore[arg-type]
    aggregator = Aggregator(settings, NoGrid())
    sent: Adapter = {"weights": np.zeros((64, 10), np.float32), "bias": np.zeros(10, np.float32)}
    said: dict[str, set[Code]] = {str(site): set() for site in range(SITES)}
    for number in range(1, ROUNDS + 1):
        updates = {}
        for site, (images, digits) in enumerate(sites):
            bad = site in POISONED
            update = train(sent, images, 9 - digits if bad and poison == "label_flip" else digits)
            if bad and (change := POISONS[poison]):
                update = change(sent, update)
            if (code := update_code(sent, update)) is Code.OK:
                updates[str(site)] = Update(update, len(digits))
            said[str(site)].add(code)
        judgements = judge(sent, updates, bounds) if bounds else {}
        for site, judgement in judgements.items():
            said[site].add(judgement.code)
        counted = [update for site, update in updates.items() if not bounds or judgements[site].used]
        sent = aggregator.aggregate(number, sent, counted)
    return accuracy(sent, *test), {site: codes - {Code.OK} for site, codes in said.items() if codes - {Code.OK}}


def main() -> None:
    print(f"{SITES} sites, {len(POISONED)} of them poisoned, {ROUNDS} rounds; accuracy on 400 digits\n")
    logging.getLogger("flwr").setLevel(logging.ERROR)
    names = ["fedavg, no judgement", *STRATEGIES]
    print("| poison |", " | ".join(names), "| named, and as what |")
    print("|---|" + "---:|" * len(names) + "---|")
    for poison in POISONS:
        row = [federate("fedavg", poison)[0]]
        named: dict[str, set[Code]] = {}
        for strategy in STRATEGIES:
            score, named = federate(strategy, poison, UpdateBounds())
            row.append(score)
            if strategy == "fedavg":
                first = named
        who = sorted({f"site {site}: {code.name}" for site, codes in first.items() for code in codes})
        print(f"| {poison} |", " | ".join(f"{score:.3f}" for score in row), "|", ", ".join(who) or "nobody", "|")


if __name__ == "__main__":
    main()
