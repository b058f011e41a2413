"""What gets into a site by its own hand: models as safetensors, tasks by digest."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kommunbench.core.errors import ModelError
from kommunbench.core.folders import TASKS
from kommunbench.core.task import load_task
from kommunbench.models.folder import BUILTIN
from kommunbench.models.open import card_digest, load_card
from kommunbench.release import read_policy
from kommunbench.site.home import SiteHome
from kommunbench.site.models import add_model, list_models, remove_model
from kommunbench.site.setup import make_site
from kommunbench.site.tasks import approve_task, diff_task, list_tasks


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 1)
    return home


def test_a_model_is_copied_described_and_removed(home: SiteHome) -> None:
    added = add_model(home, str(BUILTIN / "nano"), "eget", trainable=True)
    assert added.own
    assert added.digest == card_digest(load_card("eget", (home.conf,)))
    assert added.bytes > 1000
    names = {path.name for path in (home.models / "eget").iterdir()}
    assert "model.safetensors" in names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".py"))]
    assert {each.name for each in list_models(home)} >= {"eget", "nano", "lead"}
    assert remove_model(home, "eget") >= added.bytes
    with pytest.raises(ModelError, match="added no model"):
        remove_model(home, "eget")


def test_the_licence_that_a_models_own_card_states_comes_along(home: SiteHome) -> None:
    assert add_model(home, str(BUILTIN / "nano"), "eget", trainable=False).licence == "apache-2.0"
    assert "apache-2.0" in {each.licence for each in list_models(home) if each.name == "eget"}


def test_a_stick_that_is_not_there_is_no_name_in_the_hub(home: SiteHome) -> None:
    with pytest.raises(ModelError, match="there is no folder /media/usb/none") as caught:
        add_model(home, "/media/usb/none", "none", trainable=False)
    assert "hf download" not in str(caught.value)


def test_pickled_weights_and_taken_names_are_refused(home: SiteHome, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="programs"):
        add_model(home, str(tmp_path / "m"), "m", trainable=False)
    with pytest.raises(ModelError, match="already"):
        add_model(home, str(BUILTIN / "nano"), "nano", trainable=False)
    assert not list((home.conf / "models").iterdir())


def test_approving_a_task_pins_its_digest_and_keeps_the_policys_comments(home: SiteHome) -> None:
    comments = home.policy.read_text(encoding="utf-8").count("#")
    task = approve_task(home, "lattlast")
    assert task.digest == load_task("lattlast").digest
    approved = read_policy(home.policy).tasks
    assert isinstance(approved, dict)
    assert approved["lattlast"] == task.digest
    assert approved["summarization"] == load_task("summarization").digest, "what was approved before still is"
    assert home.policy.read_text(encoding="utf-8").count("#") == comments
    assert diff_task(home, "lattlast") == []


def test_a_changed_task_is_no_longer_approved_and_the_difference_is_shown(home: SiteHome, tmp_path: Path) -> None:
    approve_task(home, "lattlast")
    raw = yaml.safe_load((TASKS / "lattlast.yaml").read_text(encoding="utf-8"))
    raw["version"] += 1
    raw["prompts"]["plain"] = raw["prompts"]["plain"] + " Skriv adressen."
    sent = tmp_path / "lattlast.yaml"
    sent.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    assert any("Skriv adressen" in line for line in diff_task(home, str(sent)) if line.startswith("+"))
    (home.tasks / "lattlast.yaml").write_bytes(sent.read_bytes())
    assert {each.name: each.standing for each in list_tasks(home)}["lattlast"] == "changed"
    approve_task(home, str(sent))
    assert {each.name: each.standing for each in list_tasks(home)}["lattlast"] == "approved"
