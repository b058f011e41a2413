"""Sites that poison the training of the model that ships, over the real apps: refused or outvoted, and named.

The poison is made where a site makes its weights (the troubled package's model family), so that its own door, the wire,
the checks on arrival, Flower's strategy and the report are those of any run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from flwr.common.serde import message_from_proto
from flwr.proto.message_pb2 import Message as ProtoMessage
from safetensors.numpy import load_file

from federated_folder import rows, run, settings_for, write_sites
from kommunbench.core import registry
from kommunbench.core.answer import Code
from kommunbench.core.model import Adapter
from kommunbench.federation.engines.local import FIRST_NODE_ID
from kommunbench.federation.records import ADAPTER, from_arrays
from kommunbench.report.build import build_report
from kommunbench.report.verify import verify_run
from outside import TROUBLED, install

HONEST = ("ask", "björk", "ek", "lind")
IMPOSSIBLE = {"nan": Code.BAD_UPDATE, "inf": Code.BAD_UPDATE, "times_a_million": Code.UPDATE_TOO_LARGE}
SETTINGS = (
    "models=[poisoned]",
    "trained_model=poisoned",
    "tasks=[lattlast]",
    "tasks.lattlast.max_new_tokens=2",
    "train.epochs=1",
    "train.rank=4",
    "rounds=1",
    "evaluate_every=1",
    "name=poison",
)


class Seen(NamedTuple):
    """A run: the weights that crossed by site, before and after the round, and what is said of each site."""

    crossed: dict[str, Adapter]
    sent: Adapter
    trained: Adapter
    codes: dict[str, Code]
    named: dict[str, set[str]]


@pytest.fixture(autouse=True)
def _troubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The troubled package is installed here and in the workers, which start with this process's search path."""
    found = install(TROUBLED, tmp_path / "installed")
    for folder in reversed(found["PYTHONPATH"].split(":")):
        monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("KOMMUNBENCH_HOME", found["KOMMUNBENCH_HOME"])
    registry.names.cache_clear()
    registry.find.cache_clear()
    yield
    registry.names.cache_clear()
    registry.find.cache_clear()


def poisoned_run(folder: Path, strategy: str, poisons: dict[str, str]) -> Seen:
    """Four honest sites and those of `poisons` train together for one round."""
    sites = {}
    for place, site in enumerate((*HONEST, *poisons)):
        lines = rows("lattlast", 16, 50 * place, "train")
        if site in poisons:
            lines[0]["input"] = f"{poisons[site]} {lines[0]['input']}"
        sites[site] = {"lattlast": [*lines, *rows("lattlast", 10, 50 * place + 20)]}
    out: list[bytes] = []
    data = write_sites(folder / "data", sites)
    settings = settings_for(data, *SETTINGS, f"strategy={strategy}")
    done = run(settings, lambda way, crossed: out.append(crossed) if way == "out" else None)
    assert verify_run(done).faults == []
    report = build_report(done)
    return Seen(
        weights_on_the_wire(out, sorted(sites)),
        load_file(done.path / "checkpoints/round-000/adapter.safetensors"),
        load_file(done.path / "checkpoints/round-001/adapter.safetensors"),
        {reply.site: reply.adapter_code for reply in done.received("round-000")},
        {site.name: {lack.code for lack in site.absences if lack.about == "training"} for site in report.roster},
    )


def weights_on_the_wire(replies: list[bytes], roster: list[str]) -> dict[str, Adapter]:
    found: dict[str, Adapter] = {}
    for message in map(message_from_proto, map(ProtoMessage.FromString, replies)):
        if arrays := message.content.array_records.get(ADAPTER):
            found[roster[message.metadata.src_node_id - FIRST_NODE_ID]] = from_arrays(arrays)
    return found


def stacked(seen: Seen, sites: tuple[str, ...]) -> np.ndarray:
    """What the sites' trained weights were on the wire, a line a site."""
    return np.stack([np.concatenate([seen.crossed[site][name].ravel() for name in seen.sent]) for site in sites])


def flat(adapter: Adapter, like: Adapter) -> np.ndarray:
    return np.concatenate([adapter[name].ravel() for name in like])


def outside(weights: np.ndarray, honest: np.ndarray) -> float:
    """Share of the weights that lie beyond where any honest site took them, by more than float32's rounding."""
    hair = 1e-6 * np.abs(honest).max(axis=0)
    return float(np.mean((weights < honest.min(axis=0) - hair) | (weights > honest.max(axis=0) + hair)))


def check_that_only_the_honest_count(seen: Seen) -> None:
    assert seen.codes == {**dict.fromkeys(HONEST, Code.OK), **IMPOSSIBLE}
    assert seen.named == {
        **{site: set() for site in HONEST},
        **{site: {code.name} for site, code in IMPOSSIBLE.items()},
    }
    middle = np.median(stacked(seen, HONEST), axis=0)
    assert np.any(middle != flat(seen.sent, seen.sent))
    np.testing.assert_allclose(flat(seen.trained, seen.sent), middle, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_weights_that_no_training_gives_never_leave_a_site_and_it_is_named(tmp_path: Path) -> None:
    seen = poisoned_run(tmp_path, "median", {poison: f"POISON-{poison}" for poison in IMPOSSIBLE})
    assert set(seen.crossed) == set(HONEST)
    check_that_only_the_honest_count(seen)


@pytest.mark.slow
def test_a_hostile_site_without_a_door_is_refused_on_arrival_and_named(tmp_path: Path) -> None:
    seen = poisoned_run(tmp_path, "median", {poison: f"POISON-{poison} DOOR-open" for poison in IMPOSSIBLE})
    nan, infinite, large = stacked(seen, tuple(IMPOSSIBLE))
    assert np.isnan(nan).all()
    assert np.isinf(infinite).all()
    assert np.abs(large).max() > 1e3
    check_that_only_the_honest_count(seen)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("poison", "strategy", "said"),
    [
        ("sign_flip", "trimmed_mean", {Code.UPDATE_AGAINST.name}),
        ("label_flip", "median", set()),  # answers of other texts pull much as honest ones do: outvoted, not named
    ],
)
def test_a_flipped_site_takes_no_weight_beyond_where_an_honest_one_took_it(
    poison: str, strategy: str, said: set[str], tmp_path: Path
) -> None:
    seen = poisoned_run(tmp_path, strategy, {"poppel": f"POISON-{poison}"})
    assert seen.named == {**{site: set() for site in HONEST}, "poppel": said}
    honest, poisoned = stacked(seen, HONEST), stacked(seen, ("poppel",))[0]
    assert outside(poisoned, honest) > 0.1
    assert outside(np.mean([*honest, poisoned], axis=0), honest) > 0.1, "an average would have followed it"
    assert outside(flat(seen.trained, seen.sent), honest) == 0
