"""Training goes on from an adapter that is there: of the same base and shape, resolved once, kept as a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kommunbench.cli.compose import make_plan
from kommunbench.cli.start_from import begin_from
from kommunbench.config.hydra import compose_settings
from kommunbench.config.settings import Settings
from kommunbench.core.errors import ConfigError, ModelError
from kommunbench.federation.checkpoints import Checkpoints
from kommunbench.report.record import RunFolder

WORDS = ["models=[nano]", "tasks=[lattlast]", "tracking=off", "rounds=2", "replicates=2", "stages=[base,federated]"]
ADAPTER = {"layer.lora_A.weight": np.ones((2, 3), np.float32)}


def settings(tmp_path: Path, name: str, *words: str) -> Settings:
    return compose_settings([*WORDS, f"results={tmp_path}", f"name={name}", *words])


@pytest.fixture
def earlier(tmp_path: Path) -> RunFolder:
    """A run that has ended with an adapter."""
    chosen = settings(tmp_path, "first")
    folder = RunFolder(chosen.folder)
    folder.write_info(make_plan(chosen).info)
    (folder.path / "adapter").mkdir()
    save_file(ADAPTER, folder.path / "adapter" / "adapter_model.safetensors")
    return folder


def test_every_replicate_begins_with_it_and_the_run_says_so(earlier: RunFolder, tmp_path: Path) -> None:
    chosen = settings(tmp_path, "second", "start_from=first")
    plan = make_plan(chosen)
    RunFolder(chosen.folder).write_info(plan.info)
    begin_from(chosen, plan)
    for moment in ("seed-1-round-000", "seed-2-round-000"):
        found = Checkpoints(chosen.folder).load(moment)
        assert found is not None
        assert np.array_equal(found[0]["layer.lora_A.weight"], ADAPTER["layer.lora_A.weight"])
    assert Checkpoints(chosen.folder).load("seed-1-round-001") is None
    assert '"run": "first"' in (chosen.folder / "events.jsonl").read_text()
    assert "start_from" not in plan.info.spec.model_dump_json(), "a site sees arrays, and no name"


def test_an_adapter_of_another_shape_or_base_is_refused_with_every_reason(earlier: RunFolder, tmp_path: Path) -> None:
    info = earlier.info()
    models = (info.spec.models[0].model_copy(update={"digest": "0" * 64}),)
    earlier.write_info(info.model_copy(update={"spec": info.spec.model_copy(update={"models": models})}))
    chosen = settings(tmp_path, "second", "start_from=first", "train.rank=4", "train.method=dora")
    with pytest.raises(ConfigError) as caught:
        begin_from(chosen, make_plan(chosen))
    told = str(caught.value)
    assert len(caught.value.faults) == 3
    assert all(words in told for words in ("not of nano as it is here", "train.rank=32", "train.method=lora"))


def test_a_run_without_an_adapter_is_said(tmp_path: Path) -> None:
    empty = settings(tmp_path, "first", "strategy=none")
    RunFolder(empty.folder).write_info(make_plan(empty).info)
    chosen = settings(tmp_path, "second", "start_from=first")
    with pytest.raises(ModelError, match="no trained adapter"):
        begin_from(chosen, make_plan(chosen))
    assert not (chosen.folder / "checkpoints").exists()
