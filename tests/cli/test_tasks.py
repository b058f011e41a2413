"""`kommunbench tasks` says what a task is, and everything that is wrong with one at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from kommunbench.cli.tasks import app, check_task
from kommunbench.core.errors import TaskError
from kommunbench.core.folders import TASKS
from kommunbench.core.task import load_task, task_names

NAMES = ("guideline_qa", "lattlast", "summarization")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"}, catch_exceptions=True)


@pytest.fixture
def own_task(tmp_path: Path) -> Any:
    """Write a copy of lattlast with changes to `own.yaml`; a value of None drops the field."""

    def _write(**changes: object) -> Path:
        task = {
            **yaml.safe_load((TASKS / "lattlast.yaml").read_text(encoding="utf-8")),
            "name": "own",
            "version": 1,
            **changes,
        }
        path = tmp_path / "own.yaml"
        path.write_text(
            yaml.safe_dump({key: value for key, value in task.items() if value is not None}), encoding="utf-8"
        )
        return path

    return _write


def faults_of(result: Result) -> list[str]:
    assert isinstance(result.exception, TaskError)
    assert result.exception.exit_code == 4
    return [fault.what for fault in result.exception.faults]


def test_list_shows_every_task_with_its_primary_licence_and_digest() -> None:
    result = run("list")
    assert result.exit_code == 0
    for name in NAMES:
        (line,) = [line for line in result.output.splitlines() if f" {name} " in line]
        task = load_task(name)
        assert all(part in line for part in (task.title.sv, task.primary, task.licence, task.digest[:12]))


def test_list_as_json_can_be_read_by_a_program() -> None:
    tasks = json.loads(run("list", "--json").stdout)
    assert [task["name"] for task in tasks] == list(task_names())
    assert all(len(task["digest"]) == 64 and task["title"]["en"] for task in tasks)


@pytest.mark.parametrize("name", NAMES)
def test_show_tells_fields_prompts_measures_and_a_row(name: str) -> None:
    output, task = run("show", name).output, load_task(name)
    for prompt in task.prompts.values():
        assert all(line in output for line in prompt.splitlines())
    for metric in task.find_metrics():
        assert metric.source in output
        assert all(measure.name in output for measure in metric.measures)
    assert task.digest in output
    assert json.loads(output.splitlines()[-1]) == task.examples[0]


def test_show_as_json_says_unit_and_direction_of_every_measure() -> None:
    shown = json.loads(run("show", "lattlast", "--json").stdout)
    measures = {measure["measure"]: measure for measure in shown["measures"]}
    assert (measures["chrf"]["primary"], measures["chrf"]["direction"]) == (True, "higher")
    assert (measures["sari"]["primary"], measures["sari"]["direction"]) == (False, "higher")
    assert (measures["lix"]["unit"], measures["lix"]["direction"], measures["lix"]["primary"]) == (
        "lix",
        "lower",
        False,
    )
    assert shown["digest"] == load_task("lattlast").digest


def test_show_of_an_unknown_task_offers_the_nearest() -> None:
    result = run("show", "latlast")
    assert faults_of(result) == ["no task 'latlast'"]
    assert "did you mean 'lattlast'?" in str(result.exception)


def test_the_shipped_tasks_have_no_fault() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert all(f"{name}: fits" in result.output for name in task_names())


def test_check_tells_all_faults_of_all_files_at_once(own_task: Any, tmp_path: Path) -> None:
    own = own_task(
        metrics=["sari", "sarii"], examples=[{"id": "a", "input": ""}, {"id": "b"}, {"id": "c", "input": "x"}]
    )
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: broken\nversion: no\n", encoding="utf-8")
    not_yaml = tmp_path / "not_yaml.yaml"
    not_yaml.write_text("a: [", encoding="utf-8")
    faults = faults_of(run("check", str(own), str(broken), str(not_yaml), str(tmp_path / "absent.yaml")))
    assert "no 'sarii' in metrics" in faults
    assert "example 1: input is empty" in faults
    assert "example 2: input is missing" in faults
    assert "not YAML in UTF-8" in faults
    assert "cannot be opened: No such file or directory" in faults
    assert any(fault.startswith("version: ") for fault in faults)
    assert any(fault.startswith("prompts: ") for fault in faults)


def test_check_as_json_lists_what_where_and_what_to_do(own_task: Any) -> None:
    result = run("check", str(own_task(primary="sarii")), "--json")
    (fault,) = json.loads(result.stdout)["faults"]
    assert fault["what"] == "primary 'sarii' is no measure of the task's metrics"
    assert (fault["where"], fault["do"]) == ("tasks/own.yaml", "did you mean 'sari'?")
    assert faults_of(result) == [fault["what"]]


def test_check_asks_that_every_metric_scores_an_example() -> None:
    silent = {"id": "x", "input": "Inga tal och inga namn.", "references": ["inget"]}
    task = load_task("guideline_qa").model_copy(
        update={
            "examples": ({**silent, "context": "1 § Ring.", "question": "Vem?"},),
            "inputs": ("context", "question"),
        }
    )
    unscored = {fault.what for fault in check_task(task)}
    assert unscored == {"metric citation scores none of the examples"}


def test_check_does_not_ask_for_scores_where_examples_lack_the_facts() -> None:
    task = load_task("guideline_qa")
    rows = ({"id": "x", "context": "1 § Ring.", "question": "Vem?", "references": ["inget"]},)
    assert list(check_task(task.model_copy(update={"examples": rows, "facts": ("svar",)}))) == []


@pytest.mark.parametrize("command", ["list", "show", "check"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: kommunbench tasks {command}" in result.output


def test_a_changed_prompt_without_a_new_version_is_refused_until_the_version_is_raised(own_task: Any) -> None:
    path = own_task()
    assert run("check", str(path), "--write").exit_code == 0
    record = path.with_name("digests.json").read_bytes()
    prompts = {**load_task("lattlast").prompts, "plain": "{input}\nSkriv enklare."}
    result = run("check", str(own_task(prompts=prompts)), "--write")
    assert faults_of(result) == ["inputs, facts, prompts, metrics or primary are no longer those of version 1"]
    assert "raise version to 2" in str(result.exception)
    assert path.with_name("digests.json").read_bytes() == record
    raised = own_task(prompts=prompts, version=2)
    assert faults_of(run("check", str(raised))) == ["version 2 is not recorded"]
    assert run("check", str(raised), "--write").exit_code == 0
    assert run("check", str(raised)).exit_code == 0
    assert set(json.loads(path.with_name("digests.json").read_text())["own"]) == {"1", "2"}


def test_a_task_with_a_fault_is_not_recorded(own_task: Any) -> None:
    path = own_task(primary="sarii")
    assert faults_of(run("check", str(path), "--write")) == ["primary 'sarii' is no measure of the task's metrics"]
    assert not path.with_name("digests.json").exists()
