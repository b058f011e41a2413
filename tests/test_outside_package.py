"""A package outside kommunbench adds a metric, a model family and a task; one that misbehaves costs its own numbers."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from federated_folder import rows, write_sites
from kommunbench.core.answer import Code
from kommunbench.report.record import Received, RunFolder
from outside import EXAMPLE, TROUBLED, install, kommunbench

SITES = ("ekby", "åvik", "öster")
PRIVATE = "Fru Hjördis Söderqvist på Blåbärsstigen 19"


@pytest.fixture
def example(tmp_path: Path) -> dict[str, str]:
    return install(EXAMPLE, tmp_path / "installed")


def headlines(folder: Path) -> Path:
    """Three sites with 12 notices each, of which 3 begin with a small letter."""
    texts = [f"{'i' if i < 3 else 'I'} Lövvik öppnar badet nr {i}" for i in range(12)]
    notices = [{"id": text, "split": "test", "input": text, "references": ["Badet öppnar"]} for text in texts]
    return write_sites(folder, {site: {"rubrik": notices} for site in SITES})


def values(results: Path) -> dict[tuple[str, str], Any]:
    report = json.loads((results / "report.json").read_text(encoding="utf-8"))
    return {(row["metric"], row["model"]): row["value"] for row in report["rows"] if row["site_group"] == "all"}


def test_its_task_metric_and_model_are_shown_and_are_right(tmp_path: Path, example: dict[str, str]) -> None:
    shown = kommunbench(tmp_path, example, "tasks", "show", "rubrik")
    assert shown.returncode == 0, shown.stderr
    assert "house style of Swedish authorities" in shown.stdout
    checked = kommunbench(tmp_path, example, "tasks", "check")
    assert checked.returncode == 0, checked.stderr
    assert "rubrik: fits" in checked.stdout


@pytest.mark.slow
@pytest.mark.parametrize("way", ["KOMMUNBENCH_HOME", "--config-dir"])
def test_it_is_evaluated_at_every_site(tmp_path: Path, example: dict[str, str], way: str) -> None:
    words = ["federation=folder", f"federation.path={headlines(tmp_path / 'data')}", "tasks=[rubrik]", "strategy=none"]
    if way == "--config-dir":
        del example["KOMMUNBENCH_HOME"]
        shutil.copytree(EXAMPLE / "conf", tmp_path / "extra")
        shutil.copytree(EXAMPLE / "tasks", tmp_path / "extra" / "tasks")
        words = ["--config-dir", "extra", *words]
    done = kommunbench(tmp_path, example, "run", *words, "models=[first_words,lead]", "tracking=off", "name=ute")
    assert done.returncode == 0, done.stderr
    found = values(tmp_path / "results" / "ute")
    assert found["capital", "first_words"] == 9 / 12  # 27 of the 36 answers, by hand
    assert found["rougeL", "first_words"] > 0
    answers = RunFolder(tmp_path / "results/ute").received("round-000")
    assert {code for received in answers for _, code, _ in received.slots} == {Code.OK}


def notices_with(trouble: str) -> list[dict[str, Any]]:
    """12 lattlast rows, one of which makes the troubled model misbehave."""
    made = rows("lattlast", 12)
    if trouble:
        made[4]["input"] = f"{PRIVATE} TROUBLE-{trouble} bor kvar."
    return made


def troubled_run(tmp_path: Path, troubles: dict[str, str], *words: str) -> dict[str, dict[str, Received]]:
    """Run the troubled model and `copy`; what every site answered, by moment. No word of the rows is anywhere."""
    environment = install(TROUBLED, tmp_path / "installed")
    data = write_sites(
        tmp_path / "data", {site: {"lattlast": notices_with(trouble)} for site, trouble in troubles.items()}
    )
    common = ["federation=folder", f"federation.path={data}", "tasks=[lattlast]", "strategy=none", "tracking=off"]
    done = kommunbench(tmp_path, environment, "run", *common, "models=[troubled,copy]", "name=run", *words)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for said in (done.stdout, done.stderr, *texts_below(tmp_path / "results")):
        assert "Hjördis" not in said
        assert "Blåbärsstigen" not in said
    answers: dict[str, dict[str, Received]] = {}
    for received in RunFolder(tmp_path / "results/run").received():
        answers.setdefault(received.moment, {})[received.site] = received
    return answers


def texts_below(folder: Path) -> list[str]:
    return [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]


def codes(received: Received) -> dict[str, Code]:
    return {key[0][1]: code for key, code, _ in received.slots if code is not Code.NO_READING}  # no site has a tagger


@pytest.mark.slow
def test_a_model_that_raises_with_text_in_its_message_costs_its_own_numbers_alone(tmp_path: Path) -> None:
    troubles = {"ekby": "raise", "norrby": "model_error", "väsby": "leave", "öster": ""}
    answers = troubled_run(tmp_path, troubles)["round-000"]
    assert codes(answers["ekby"]) == {"troubled": Code.INTERNAL, "copy": Code.OK}
    assert codes(answers["norrby"]) == {"troubled": Code.MODEL_FAULT, "copy": Code.OK}
    assert set(codes(answers["väsby"]).values()) == {
        Code.INTERNAL
    }  # it wanted to end the process: nothing of it is used
    assert codes(answers["öster"]) == {"troubled": Code.OK, "copy": Code.OK}
    for site in ("ekby", "norrby"):
        log = (tmp_path / f"results/run/sites/{site}/site.log").read_text(encoding="utf-8")
        assert "troubled on lattlast" in log
        assert "troubled.py" in log


@pytest.mark.slow
def test_a_model_that_ends_its_process_fails_its_site_and_another_worker_takes_over(tmp_path: Path) -> None:
    answers = troubled_run(tmp_path, {"ekby": "die", "åvik": "", "öster": ""}, "engine.workers=1")
    assert {site: received.status for site, received in answers["round-000"].items()} == {
        **{"ekby": "failed", "åvik": "ok", "öster": "ok"}
    }
    assert {received.status for received in answers["close"].values()} == {"ok"}


@pytest.mark.slow
def test_sites_that_sleep_past_the_deadline_are_missing_and_hold_nobody_up(tmp_path: Path) -> None:
    """Both workers are taken by sleepers; at the deadline they are replaced, and the closing message is answered."""
    started = time.monotonic()
    answers = troubled_run(tmp_path, {"ekby": "", "åvik": "sleep", "öster": "sleep"}, "deadline_s=30", "quorum=1")
    assert time.monotonic() - started < 120
    assert {site: received.status for site, received in answers["round-000"].items()} == {
        **{"ekby": "ok", "åvik": "missing", "öster": "missing"}
    }
    assert {received.status for received in answers["close"].values()} == {"ok"}
