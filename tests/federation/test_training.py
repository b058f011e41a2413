"""Training together over the real apps, with the model that ships: what the coordinator holds afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from peft import PeftModel
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from federated_folder import rows, run, settings_for, write_sites
from kommunbench.core.answer import Code
from kommunbench.federation.rounds import pooled
from kommunbench.models.folder import model_folder
from kommunbench.models.open import load_card
from kommunbench.report.build import build_report
from kommunbench.report.record import RunFolder
from kommunbench.report.verify import verify_run

SHORT = (
    "models=[nano]",
    "tasks=[lattlast]",
    "tasks.lattlast.max_new_tokens=8",
    "train.epochs=1",  # two steps of eight: the door lets no weights out that saw fewer examples than ten
    "train.max_steps=2",
    "rounds=2",
    "evaluate_every=1",
    "costs=false",
)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Two sites with rows to train on and rows to be tested on."""
    sites = {
        name: {"lattlast": [*rows("lattlast", 12, salt, "train"), *rows("lattlast", 12, salt + 40, "test")]}
        for name, salt in (("ekby", 0), ("åvik", 100))
    }
    return write_sites(tmp_path / "data", sites)


def releases(folder: RunFolder) -> dict[str, object]:
    return {f"{reply.moment}/{reply.site}": reply.slots for reply in folder.received()}


@pytest.mark.slow
def test_two_rounds_end_in_an_adapter_that_peft_opens_and_rows_by_round(trained: Path) -> None:
    folder = run(settings_for(trained, *SHORT, "name=whole"))
    report = build_report(folder)
    stages = {(row.stage, row.round) for row in report.rows if row.site_group == "all"}
    assert stages == {("base", 0), ("federated", 1), ("federated", 2)}
    base = AutoModelForCausalLM.from_pretrained(model_folder(load_card("nano")))
    PeftModel.from_pretrained(base, folder.path / "adapter")
    final = load_file(folder.path / "checkpoints" / "round-002" / "adapter.safetensors")
    first = load_file(folder.path / "checkpoints" / "round-000" / "adapter.safetensors")
    assert any(np.any(final[name] != first[name]) for name in first)
    assert not list(folder.path.glob("checkpoints/*/updates")), "single adapters are forgotten when a round closes"


@pytest.mark.slow
def test_the_same_seed_gives_the_same_rows_kept_or_anew_and_a_resumed_run_too(trained: Path) -> None:
    once = run(settings_for(trained, *SHORT, "name=once"))
    kept = {path: path.stat().st_mtime_ns for path in trained.parent.glob("results/.kept/*/trainings/*")}
    assert len(kept) == 4  # two sites, two rounds
    more = run(settings_for(trained, *SHORT, "models=[nano,lead]", "name=more"))
    assert kept == {path: path.stat().st_mtime_ns for path in trained.parent.glob("results/.kept/*/trainings/*")}
    for name, cells in releases(once).items():
        assert (
            name == "close/ekby" or name == "close/åvik" or set(map(str, cells)) <= set(map(str, releases(more)[name]))
        )
    again = run(settings_for(trained, *SHORT, "reuse=false", "name=again"))
    assert releases(once) == releases(again)
    for torn in ("round-002/ekby.json", "round-002/åvik.json", "close/ekby.json", "close/åvik.json"):
        (again.path / "releases" / torn).unlink()
    for checkpoint in (again.path / "checkpoints" / "round-002").iterdir():
        checkpoint.unlink()
    (again.path / "releases" / "round-001" / "åvik.json").unlink()
    (again.path / "releases" / "round-001" / "ekby.json").unlink()
    run(settings_for(trained, *SHORT, "reuse=false", "name=again"))
    assert releases(once) == releases(again)


@pytest.mark.slow
def test_a_site_that_keeps_its_adapter_is_counted_and_still_evaluated(trained: Path) -> None:
    (trained / "ekby" / "site.yaml").write_text("training: allow\nadapters: deny\n")
    folder = run(settings_for(trained, *SHORT, "name=kept", "quorum=1"))
    ekby = next(reply for reply in folder.received("round-000") if reply.site == "ekby")
    assert ekby.adapter_code is Code.ADAPTER_DENIED
    assert {total[0] for total in pooled(folder).values()} == {24}


@pytest.mark.slow
def test_local_and_federated_stages_stand_beside_each_other(trained: Path) -> None:
    folder = run(settings_for(trained, *SHORT, "name=alone", "stages=[base,federated,local]"))
    report = build_report(folder)
    groups = {row.site_group for row in report.rows if row.stage == "local"}
    assert {"own", "others"} <= groups


@pytest.mark.slow
def test_weights_in_8_bits_cross_in_a_quarter_of_the_bytes_and_are_the_ones_that_were_signed(trained: Path) -> None:
    plain = run(settings_for(trained, *SHORT, "name=plain"))
    short = run(settings_for(trained, *SHORT, "name=short", "train.encoding=int8", "train.optimiser=kept"))
    sizes = [sum(reply.bytes_out for reply in each.received("round-000")) for each in (plain, short)]
    assert 0.2 < sizes[1] / sizes[0] < 0.3
    first, last = (load_file(short.path / f"checkpoints/round-00{at}/adapter.safetensors") for at in (0, 2))
    assert any(np.any(last[name] != first[name]) for name in first)
    codes = {reply.adapter_code for at in (0, 1) for reply in short.received(f"round-00{at}")}
    assert codes == {Code.OK}
    assert verify_run(short).faults == []
