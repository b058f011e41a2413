"""The very same training is not done again, and any other is."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kommunbench.core.errors import ModelError
from kommunbench.core.model import ModelCard, Training, TrainSettings
from kommunbench.models.lead import Lead
from kommunbench.site import trainings
from kommunbench.site.trainings import Lesson, trained

SENT = {"b": np.zeros((2, 3), np.float32), "a": np.ones(2, np.float32)}


class Pupil:
    """Adds a number that is never the same again to what was sent, so that a second training shows."""

    card = ModelCard(name="pupil", family="huggingface")
    digest = "d"

    def __init__(self) -> None:
        self.times = 0

    def train(self, pairs: Any, adapter: Any, settings: Any, seed: int, moments: Any = None) -> Training:
        self.times += 1
        changed = {name: array + np.float32(self.times / 3) for name, array in adapter.items()}
        return Training(changed, len(pairs), steps=4, tokens=70, seconds=1.5)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("generate", "new_adapter", "load_adapter", "losses", "save_adapter"):
            return lambda *_: None
        raise AttributeError(name)


LESSON = Lesson([("fråga", "svar")], SENT, TrainSettings(), 7, None)


def test_the_same_training_is_taken_over_to_the_last_bit_without_opening_the_model(tmp_path: Path) -> None:
    pupil = Pupil()
    first = trained(tmp_path / "kept", 1, "d", lambda: pupil, LESSON)

    def never() -> Any:
        raise AssertionError("the model was opened")

    again = trained(tmp_path / "kept", 1, "d", never, LESSON._replace(pairs=[("fråga", "svar")]))
    assert pupil.times == 1
    assert list(again.adapter) == list(first.adapter) == ["b", "a"]
    assert all(again.adapter[name].tobytes() == first.adapter[name].tobytes() for name in SENT)
    assert all(again.adapter[name].dtype == np.float32 for name in SENT)
    assert (again.examples, again.steps, again.tokens, again.seconds, again.moments) == (1, 4, 70, 1.5, None)
    (file,) = (tmp_path / "kept").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "fråga".encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("model", "threads", "change"),
    [
        ("e", 1, {}),
        ("d", 2, {}),
        ("d", 1, {"pairs": [("fråga", "svar"), ("fråga", "svar")]}),
        ("d", 1, {"pairs": [("fråga", "annat svar")]}),
        ("d", 1, {"adapter": SENT | {"a": np.full(2, 1.0000001, np.float32)}}),
        ("d", 1, {"settings": TrainSettings(learning_rate=0.5)}),
        ("d", 1, {"seed": 8}),
    ],
)
def test_another_model_machine_pair_adapter_setting_or_seed_is_another_training(
    tmp_path: Path, model: str, threads: int, change: dict[str, Any]
) -> None:
    pupil = Pupil()
    trained(tmp_path, 1, "d", lambda: pupil, LESSON)
    trained(tmp_path, threads, model, lambda: pupil, LESSON._replace(**change))
    assert pupil.times == 2


def test_without_a_folder_or_with_an_optimiser_that_goes_on_nothing_is_kept(tmp_path: Path) -> None:
    pupil, going_on = Pupil(), LESSON._replace(settings=TrainSettings(optimiser="kept"))
    for _ in range(2):
        trained(None, 1, "d", lambda: pupil, LESSON)
        trained(tmp_path, 1, "d", lambda: pupil, going_on)
    assert pupil.times == 4
    assert not list(tmp_path.iterdir())


def test_the_oldest_go_when_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pupil = Pupil()
    trained(tmp_path, 1, "d", lambda: pupil, LESSON)
    (oldest,) = tmp_path.iterdir()
    monkeypatch.setattr(trainings, "ROOM_BYTES", 2 * oldest.stat().st_size)
    for seed in (8, 9):
        trained(tmp_path, 1, "d", lambda: pupil, LESSON._replace(seed=seed))
    assert len(list(tmp_path.iterdir())) == 2
    assert not oldest.exists()


def test_a_model_that_cannot_be_trained_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lead cannot be trained"):
        trained(tmp_path, 1, "d", lambda: Lead(ModelCard(name="lead", family="lead")), LESSON)
