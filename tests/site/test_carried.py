"""What a site carries from round to round: nothing that was learned is lost to rounding, only late."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from kommunbench.core.model import Training, TrainSettings
from kommunbench.core.spec import Request, RunSpec
from kommunbench.site.carried import Carried
from kommunbench.site.kept import Place, inventory, of_run, purge

SENT = {"w": np.zeros(200, np.float32)}


def request(number: int, run: str = "spring") -> Request:
    spec = RunSpec(run=run, kommunbench="0", seed=1, tasks=(), models=(), prompts=(), train=TrainSettings())
    return Request(spec=spec, round=number, train=True, seed=1)


def training(weights: np.ndarray, moments: dict[str, np.ndarray] | None = None) -> Training:
    return Training({"w": weights.astype(np.float32)}, examples=1, steps=1, tokens=1, seconds=0.0, moments=moments)


@pytest.mark.parametrize("encoding", ["bfloat16", "int8"])
def test_what_rounding_takes_away_comes_later(tmp_path: Path, encoding: str) -> None:
    """Twenty rounds that each learn the same: the sums of what crossed and of what was learned stay one unit apart."""
    learned = np.random.default_rng(1).normal(0, 1, 200) * 10.0 ** -np.arange(200).clip(max=4)
    settings, crossed, alone = TrainSettings(encoding=encoding), np.zeros(200), np.zeros(200)
    for number in range(20):
        crossed += Carried(tmp_path, request(number)).rounded(training(learned), SENT, settings).adapter["w"]
        alone += (
            Carried(tmp_path / "x", request(0, f"r{number}")).rounded(training(learned), SENT, settings).adapter["w"]
        )
    unit = np.abs(learned).max() / 63 if encoding == "int8" else np.abs(learned) / 128
    assert np.all(np.abs(crossed - 20 * learned) <= unit)
    assert np.abs(alone - 20 * learned).max() > 4 * np.abs(crossed - 20 * learned).max()


def test_a_round_that_is_asked_for_again_gives_the_same(tmp_path: Path) -> None:
    settings, learned = TrainSettings(encoding="int8"), np.linspace(0, 1, 200) ** 3
    Carried(tmp_path, request(0)).rounded(training(learned), SENT, settings)
    once, again = (Carried(tmp_path, request(1)).rounded(training(learned), SENT, settings) for _ in range(2))
    assert np.array_equal(once.adapter["w"], again.adapter["w"])


def test_moments_are_there_in_the_next_round_and_nowhere_else(tmp_path: Path) -> None:
    moments = {"0000.step": np.float32(3).reshape(())}
    settings = TrainSettings(optimiser="kept")
    given = Carried(tmp_path, request(4)).rounded(training(np.ones(200), moments), SENT, settings)
    assert given.moments is None, "they do not go on to the door"
    assert np.array_equal(given.adapter["w"], np.ones(200, np.float32))
    kept = Carried(tmp_path, request(5)).moments
    assert kept is not None
    assert {name: (array.shape, array.tolist()) for name, array in kept.items()} == {"0000.step": ((), 3.0)}
    assert Carried(tmp_path, request(6)).moments is None
    assert Carried(tmp_path, request(5, "autumn")).moments is None


def test_nothing_is_written_where_nothing_is_carried(tmp_path: Path) -> None:
    given = training(np.ones(200))
    assert Carried(tmp_path, request(0)).rounded(given, SENT, TrainSettings()) is given
    assert list(tmp_path.iterdir()) == []


def test_what_is_carried_is_listed_private_and_goes_with_its_run(tmp_path: Path) -> None:
    Carried(tmp_path, request(0)).rounded(training(np.ones(200)), SENT, TrainSettings(encoding="int8"))
    place = Place(tmp_path, tmp_path / "ledger.jsonl")
    listed = inventory(place)
    assert [(each.kind.text, stat.filemode(each.path.stat().st_mode)) for each in listed] == [("no", "-rw-------")]
    assert of_run(place, "autumn") == []
    purge(place, of_run(place, "spring"), "run spring")
    assert not any(path.suffix == ".safetensors" for path in tmp_path.rglob("*"))
