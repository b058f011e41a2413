"""Runs in a real SQLite store of MLflow, made from fabricated folders."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fabricate import fabricate
from kommunbench.core.errors import TrackingError
from kommunbench.report.build import build_report
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import Report
from kommunbench.report.write import write_report
from kommunbench.tracking import TrackingSettings, find_experiment, log_evidence, log_run
from kommunbench.tracking.adapter import beats_base
from kommunbench.tracking.artifacts import FOLDERS
from kommunbench.tracking.machine import log_machine, read_samples, watching_machine
from kommunbench.tracking.nodes import make_nodes

CANARY = "KANARIEFAGEL-7f3a"
SETTINGS = TrackingSettings()
QUICK = TrackingSettings(sites=False)
"""For tests that change and log again: six runs of MLflow instead of some thirty-five."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with figures, an adapter, and files that are nobody's business."""
    folder = fabricate(tmp_path_factory.mktemp("original") / "pilot-1")
    write_report(folder)
    folder.write("figures/curve.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>')
    folder.write("adapter/adapter_config.json", "{}")
    folder.write("adapter/adapter_model.safetensors", "weights")
    for stray in ("notes.txt", "ledger/lovvik/ledger.jsonl", "figures/draft.txt", "checkpoints/round-001/x.json"):
        folder.write(stray, CANARY)
    return folder.path


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with its tables and nothing in them: making them takes MLflow seconds."""
    results = tmp_path_factory.mktemp("empty")
    assert find_experiment(SETTINGS.store(results)) is None
    with sqlite3.connect(results / "mlflow.db") as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return results / "mlflow.db"


@pytest.fixture
def folder(original: Path, empty_store: Path, tmp_path: Path) -> RunFolder:
    """A copy of the run, logged nowhere yet."""
    copy = Path(shutil.copytree(original, tmp_path / "results" / "pilot-1"))
    shutil.copy(empty_store, copy.parent)
    return RunFolder(copy)


@pytest.fixture(scope="module")
def logged(original: Path) -> RunFolder:
    """The run, logged with everything. For tests that only look."""
    folder = RunFolder(original)
    log_run(folder, SETTINGS)
    return folder


def open_client(folder: RunFolder):
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    uri = SETTINGS.store(folder.path.parent)
    return MlflowClient(uri, uri)


def runs_of(folder: RunFolder, level: str) -> list:
    client = open_client(folder)
    (experiment,) = client.search_experiments(filter_string="name LIKE 'kommunbench/%'")
    return list(client.search_runs([experiment.experiment_id], f"tags.`kommunbench.level` = '{level}'"))


def edit_report(folder: RunFolder, **changes) -> Report:
    report = Report.model_validate_json((folder.path / "report.json").read_text(encoding="utf-8"))
    report = report.model_copy(update=changes)
    folder.write("report.json", report.model_dump_json())
    return report


def test_a_run_holds_its_systems_and_they_hold_their_sites(logged):
    (run,) = runs_of(logged, "run")
    run_id = run.info.run_id
    systems, sites = runs_of(logged, "system"), runs_of(logged, "site")
    assert [run.info.run_id for run in runs_of(logged, "run")] == [run_id]
    assert {run.info.run_name for run in systems} == {
        "nano plain base",
        "nano plain federated",
        "lead plain base",
        "copy plain base",
        "retrieval plain base",
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in systems} == {run_id}
    assert {run.data.tags["mlflow.parentRunId"] for run in sites} == {run.info.run_id for run in systems}
    released = {run.data.tags["kommunbench.site"] for run in sites}
    assert "lovvik" in released
    assert "stenviken" not in released, "a site too small to release anything has no run of its own"


def test_a_federated_curve_has_a_point_a_round_and_starts_at_its_base_model(logged):
    log_run(logged, SETTINGS)
    report = Report.model_validate_json((logged.path / "report.json").read_text(encoding="utf-8"))
    expected = {
        row.round: row.value
        for row in report.rows
        if (row.task, row.metric, row.model, row.site_group) == ("summarization", "rougeL", "nano", "all")
    }
    assert sorted(expected) == [0, 1, 2, 3]
    (federated,) = [run for run in runs_of(logged, "system") if run.info.run_name == "nano plain federated"]
    for name in ("summarization/rougeL", "primary/summarization"):
        history = open_client(logged).get_metric_history(federated.info.run_id, name)
        assert {point.step: point.value for point in history} == expected
    final = next(row for row in report.rows if row.round == 3 and row.metric == "rougeL" and row.site_group == "all")
    metrics = federated.data.metrics
    assert metrics["summarization_interval/rougeL_low"] == final.low < final.value < final.high
    assert metrics["summarization_counts/scored"] == final.n
    assert metrics["summarization_counts/suppressed"] == final.suppressed == 1


def test_what_is_not_available_is_absent_and_never_zero(folder):
    report = Report.model_validate_json((folder.path / "report.json").read_text(encoding="utf-8"))
    rows = tuple(row.model_copy(update={"value": None, "low": None}) for row in report.rows)
    edit_report(folder, rows=rows)
    log_run(folder, QUICK)
    for run in runs_of(folder, "system"):
        assert not [name for name in run.data.metrics if name.startswith("primary/") or name.endswith("_low")]


def test_systems_share_a_measure_whatever_their_tasks(logged):
    systems = runs_of(logged, "system")
    tasks = {run.data.params["model"]: run.data.metrics["standing/tasks"] for run in systems}
    assert (tasks["lead"], tasks["retrieval"]) == (2, 1)
    assert sum(run.data.metrics["standing/leads"] for run in systems) >= 3, "somebody leads on every task"


def test_the_run_list_can_be_filtered(logged):
    (run,) = runs_of(logged, "run")
    run_id = run.info.run_id
    client = open_client(logged)
    (experiment,) = client.search_experiments(filter_string="name = 'kommunbench/pilot'")
    found = {
        "params.stage = 'federated' and params.model = 'nano' and tags.`kommunbench.level` = 'system'": 1,
        "tags.`kommunbench.git` = '0123abc' and tags.`kommunbench.level` = 'run'": 1,
        "tags.`kommunbench.synthetic` = 'true' and params.strategy = 'fedavg' and params.seed = '0'": 1 + 1 + 5,
        "metrics.`gain/summarization` > 0.1": 1,
        "datasets.name = 'lattlast' and tags.`kommunbench.level` = 'run'": 1,
    }
    for query, count in found.items():
        assert len(client.search_runs([experiment.experiment_id], query)) == count, query
    run = client.get_run(run_id)
    assert run.data.tags["task.lattlast"] == logged.info().spec.task("lattlast").digest
    assert run.data.tags["mlflow.source.git.commit"] == "0123abc"
    assert "| 1 | nano plain federated |" in run.data.tags["mlflow.note.content"]
    assert "synthetic data" in run.data.tags["mlflow.note.content"]


def test_the_report_and_the_figures_are_artifacts_and_nothing_else_of_the_folder_is(logged):
    (run,) = runs_of(logged, "run")
    run_id = run.info.run_id
    client = open_client(logged)
    names = {item.path for item in client.list_artifacts(run_id)}
    assert {"spec.json", "report.json", "figures", "receipts"} <= names <= {*FOLDERS[""], "figures", "receipts"}
    assert {item.path for item in client.list_artifacts(run_id, "receipts")} == {"receipts/answers.jsonl"}
    figures = {item.path for item in client.list_artifacts(run_id, "figures")}
    assert "figures/curve.svg" in figures
    assert not [path for path in figures if not path.endswith((".svg", ".png"))]
    stored = [path for path in logged.path.parent.rglob("*") if path.is_file() and logged.path not in path.parents]
    assert any(path.name == "mlflow.db" for path in stored)
    assert len(stored) > 5
    for path in stored:
        assert CANARY.encode() not in path.read_bytes(), path


def test_the_evidence_bundle_is_an_artifact_when_there_is_one_and_its_run_was_logged(folder):
    folder.write("evidence/evidence.sv.md", "# Underlag")
    folder.write("evidence/draft.md", CANARY)
    assert not log_evidence(folder, QUICK), "nothing has been logged yet"
    run_id = log_run(folder, QUICK)
    client = open_client(folder)
    assert {item.path for item in client.list_artifacts(run_id, "evidence")} == {"evidence/evidence.sv.md"}
    folder.write("evidence/evidence.sv.pdf", "%PDF")
    assert log_evidence(folder, QUICK)
    assert len(client.list_artifacts(run_id, "evidence")) == 2
    assert len(runs_of(folder, "run")) == 1


def test_the_machine_is_watched_under_mlflows_own_names_and_each_sample_is_logged_once(folder, monkeypatch):
    monkeypatch.setattr("kommunbench.tracking.machine.INTERVAL_S", 0.05)
    with watching_machine(folder.path):
        wait_for(lambda: len(read_samples(folder.path)) >= 3)
    with (folder.path / "machine.jsonl").open("a") as file:
        file.write('\n{"at_ms": 1, "values": {"cpu_util')  # as a kill leaves it
    had = len(read_samples(folder.path))
    run_id = log_run(folder, QUICK)
    with watching_machine(folder.path):
        wait_for(lambda: len(read_samples(folder.path)) > had)
    samples = read_samples(folder.path)
    log_run(folder, QUICK)
    log_run(folder, QUICK)
    client = open_client(folder)
    for name in ("system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"):
        history = client.get_metric_history(run_id, name)
        assert [point.step for point in history] == list(range(len(samples)))
        assert [point.timestamp for point in history] == [sample["at_ms"] for sample in samples]
    used = client.get_run(run_id).data.metrics["system/system_memory_usage_megabytes"]
    assert 0.2 < used / (psutil.virtual_memory().used / 1e6) < 5
    assert not [name for run in runs_of(folder, "system") for name in run.data.metrics if name.startswith("system/")]


def test_a_machine_is_not_watched_where_nothing_is_logged(folder):
    with watching_machine(folder.path, enabled=False):
        pass
    assert not (folder.path / "machine.jsonl").exists()
    log_machine(open_client(folder), "none", folder.path)


def test_what_is_logged_goes_in_batches(folder, monkeypatch):
    from mlflow import MlflowClient

    calls = dict.fromkeys(("log_batch", "log_metric", "log_param", "set_tag", "get_metric_history"), 0)
    for name in calls:
        original = getattr(MlflowClient, name)

        def counted(self, *words, _name=name, _original=original, **named):
            calls[_name] += 1
            return _original(self, *words, **named)

        monkeypatch.setattr(MlflowClient, name, counted)
    log_run(folder, TrackingSettings(sites=False, register_adapter=False))
    assert calls == {"log_batch": 6, "log_metric": 0, "log_param": 0, "set_tag": 0, "get_metric_history": 0}


def wait_for(seen) -> None:
    deadline = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_logging_again_changes_nothing(logged):
    first = log_run(logged, SETTINGS)
    before = count_rows(logged)
    assert log_run(logged, SETTINGS) == first
    assert count_rows(logged) == before


def test_a_resumed_run_continues_in_place(folder):
    whole = Report.model_validate_json((folder.path / "report.json").read_text(encoding="utf-8"))
    edit_report(
        folder, complete=False, rows=tuple(row for row in whole.rows if row.round < 2), leaderboards=(), pairs=()
    )
    first = log_run(folder, QUICK)
    (before,) = [run for run in runs_of(folder, "system") if run.info.run_name == "nano plain federated"]
    assert open_client(folder).get_run(first).info.status == "KILLED"
    assert open_client(folder).search_model_versions() == [], "an interrupted run has no adapter to register"

    edit_report(folder, **{name: getattr(whole, name) for name in ("complete", "rows", "leaderboards", "pairs")})
    assert log_run(folder, QUICK) == first
    (after,) = [run for run in runs_of(folder, "system") if run.info.run_name == "nano plain federated"]
    assert open_client(folder).get_run(first).info.status == after.info.status == "FINISHED"
    history = open_client(folder).get_metric_history(after.info.run_id, "lattlast/sari")
    assert sorted(point.step for point in history) == [0, 1, 2, 3]
    assert before.info.run_id == after.info.run_id, "what was measured before stays as it is"


def test_a_curve_that_changed_is_replaced_so_that_no_step_has_two_values(folder):
    log_run(folder, QUICK)
    report = Report.model_validate_json((folder.path / "report.json").read_text(encoding="utf-8"))
    rows = tuple(
        row.model_copy(update={"value": 0.123}) if row.metric == "sari" and row.round == 1 else row
        for row in report.rows
    )
    edit_report(folder, rows=rows)
    log_run(folder, QUICK)
    (run,) = [run for run in runs_of(folder, "system") if run.info.run_name == "nano plain federated"]
    history = open_client(folder).get_metric_history(run.info.run_id, "lattlast/sari")
    assert [point.value for point in history if point.step == 1] == [0.123]
    assert len(history) == 4
    assert len(runs_of(folder, "system")) == 5


def test_a_repeated_run_stands_beside_the_first(folder):
    first = log_run(folder, QUICK)
    folder.write_info(folder.info().model_copy(update={"started_at": "2026-03-03T09:30:00+01:00"}))
    second = log_run(folder, QUICK)
    assert first != second
    assert {run.info.run_id for run in runs_of(folder, "run")} == {first, second}
    parents = [run.data.tags["mlflow.parentRunId"] for run in runs_of(folder, "system")]
    assert sorted(parents.count(run) for run in (first, second)) == [5, 5]


def test_a_run_under_way_is_running_until_it_ends(folder):
    run_id = log_run(folder, QUICK, status="RUNNING")
    assert open_client(folder).get_run(run_id).info.status == "RUNNING"
    assert {run.info.status for run in runs_of(folder, "system")} == {"RUNNING"}
    log_run(folder, QUICK, status="FAILED")
    assert open_client(folder).get_run(run_id).info.status == "FAILED"


def test_the_adapter_is_registered_once_and_becomes_champion_when_every_task_gained(folder):
    log_run(folder, QUICK)
    log_run(folder, QUICK)
    client = open_client(folder)
    (version,) = client.search_model_versions("name = 'kommunbench-pilot-nano'")
    assert client.get_model_version_by_alias("kommunbench-pilot-nano", "champion").version == version.version
    files = {path.name for path in Path(folder.path.parent / "mlartifacts").rglob("*") if path.is_file()}
    assert {"MLmodel", "requirements.txt", "adapter_model.safetensors", "kommunbench.json"} <= files
    assert "model.safetensors" not in files, "the base model stays where it is"
    (requirements,) = (folder.path.parent / "mlartifacts").rglob("requirements.txt")
    assert all("==" in line for line in requirements.read_text().split())


@pytest.mark.parametrize("verdict", ["tie", "right", None])
def test_no_champion_where_one_task_is_not_better(folder, verdict):
    report = Report.model_validate_json((folder.path / "report.json").read_text(encoding="utf-8"))
    assert beats_base(folder.info(), report)
    pairs = tuple(
        pair.model_copy(update={"better": verdict}) if pair.left.task == "lattlast" else pair for pair in report.pairs
    )
    assert not beats_base(folder.info(), report.model_copy(update={"pairs": pairs}))
    missing = tuple(pair for pair in report.pairs if pair.left.task != "lattlast")
    assert not beats_base(folder.info(), report.model_copy(update={"pairs": missing}))


def test_a_champion_does_not_give_way_to_a_worse_adapter(folder):
    log_run(folder, QUICK)
    report = Report.model_validate_json((folder.path / "report.json").read_text(encoding="utf-8"))
    folder.write_info(folder.info().model_copy(update={"started_at": "2026-03-03T09:30:00+01:00"}))
    folder.write("adapter/adapter_model.safetensors", "other weights")
    better = {"value": 0.99}
    for rows, champion in (
        (
            [
                row.model_copy(update={"value": 0.2}) if row.task == "lattlast" and row.primary else row
                for row in report.rows
            ],
            "1",
        ),
        ([row.model_copy(update=better) if row.value is not None else row for row in report.rows], "3"),
    ):
        edit_report(folder, rows=tuple(rows))
        folder.write("adapter/adapter_model.safetensors", f"weights for {champion}")
        log_run(folder, QUICK)
        alias = open_client(folder).get_model_version_by_alias("kommunbench-pilot-nano", "champion")
        assert str(alias.version) == champion


def test_a_server_that_is_down_is_told_with_the_password_left_out(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings = TrackingSettings(uri="http://someone:hemligt@127.0.0.1:9")
    with pytest.raises(TrackingError) as caught:
        log_run(folder, settings)
    assert "hemligt" not in str(caught.value)
    assert "log the run again" in str(caught.value)


def test_a_folder_without_a_report_is_told(folder):
    (folder.path / "report.json").unlink()
    with pytest.raises(TrackingError, match=r"kommunbench report pilot-1"):
        log_run(folder, SETTINGS)
    assert find_experiment(SETTINGS.store(folder.path.parent)) is None


def test_importing_tracking_imports_no_mlflow():
    code = "import sys, kommunbench.tracking, kommunbench.cli.dashboard; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_the_logged_adapter_loads_again_and_answers_as_it_did(folder, tmp_path, monkeypatch):
    from kommunbench.core.model import Decoding, Query, TrainSettings
    from kommunbench.models.open import load_card, open_model

    home = tmp_path / "home"
    make_tiny_model(home)
    monkeypatch.setenv("KOMMUNBENCH_HOME", str(home))
    model = open_model(load_card("tiny"))
    train = TrainSettings(rank=4, epochs=4, learning_rate=0.01, precision="float32")
    trained = model.train([("Fråga: hej\nSvar:", " ja")] * 8, model.new_adapter(train, 0), train, 0)
    shutil.rmtree(folder.path / "adapter")
    model.save_adapter(trained.adapter, train, folder.path / "adapter")
    decoding = Decoding(max_new_tokens=6)
    expected = [answer.text for answer in model.generate([Query("Fråga: hej\nSvar:", {}, "")], decoding)]
    model.load_adapter(None, train)
    assert [answer.text for answer in model.generate([Query("Fråga: hej\nSvar:", {}, "")], decoding)] != expected

    info = folder.info()
    tiny = info.spec.models[0].model_copy(update={"name": "tiny", "digest": model.digest})
    spec = info.spec.model_copy(update={"models": (tiny,), "trained_model": "tiny", "train": train})
    folder.write_info(info.model_copy(update={"spec": spec}))
    log_run(folder, QUICK)

    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(SETTINGS.store(folder.path.parent))
    loaded = mlflow.pyfunc.load_model("models:/kommunbench-pilot-tiny/latest")
    prompts = pd.DataFrame({"prompt": ["Fråga: hej\nSvar:"]})
    assert loaded.predict(prompts, params={"max_new_tokens": 6, "stop": "\n\n"}) == expected

    from typer.testing import CliRunner

    from kommunbench.cli.model import app

    words = ["export", "models:/kommunbench-pilot-tiny/1", "--to", str(tmp_path / "merged"), "--json"]
    done = CliRunner().invoke(app, [*words, "--results", str(folder.path.parent)])
    assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    merged = load_card("tiny").model_copy(update={"path": str(tmp_path / "merged")})
    exported = open_model(merged)
    assert exported.digest == json.loads(done.stdout)["digest"]
    assert [answer.text for answer in exported.generate([Query("Fråga: hej\nSvar:", {}, "")], decoding)] == expected
    done = CliRunner().invoke(app, ["export", "models:/kommunbench-pilot-tiny@champion", *words[2:]])
    assert done.exit_code != 0, "nothing beat its base, so nothing is champion"


def make_tiny_model(home: Path) -> None:
    """A causal model with random weights, and the card that leads to it."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: place for place, letter in enumerate(["<pad>", "<end>", *letters])}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>").save_pretrained(
        home / "weights"
    )
    torch.manual_seed(7)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(letters) + 2, **size, **ends)).save_pretrained(home / "weights")
    card = home / "conf" / "models" / "tiny.yaml"
    card.parent.mkdir(parents=True)
    card.write_text(f"name: tiny\nfamily: huggingface\ntrainable: true\npath: {json.dumps(str(home / 'weights'))}\n")


@pytest.mark.slow
def test_two_hundred_systems_of_thirty_metrics_are_found_quickly(folder, capsys):
    log_run(folder, QUICK)
    client = open_client(folder)
    (experiment,) = client.search_experiments(filter_string="name = 'kommunbench/pilot'")
    from mlflow.entities import Metric

    began = time.perf_counter()
    for _ in range(200):
        run = client.create_run(experiment.experiment_id, tags={"kommunbench.level": "system"})
        client.log_batch(run.info.run_id, [Metric(f"task/measure{n}", n / 30, 0, 0) for n in range(30)])
    logged = time.perf_counter() - began
    began = time.perf_counter()
    found = client.search_runs([experiment.experiment_id], "tags.`kommunbench.level` != 'site'", max_results=1000)
    listed = time.perf_counter() - began
    with capsys.disabled():
        print(f"\n200 runs of 30 metrics: logged in {logged:.1f} s, listed in {listed:.2f} s")
    assert len(found) == 206
    assert listed < 10


def count_rows(folder: RunFolder) -> dict[str, int]:
    """Rows of every table of the store."""
    with sqlite3.connect(folder.path.parent / "mlflow.db") as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: store.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in tables}


def test_a_round_that_may_go_on_has_no_cost_in_a_curve_yet(tmp_path):
    for close, steps in ((False, {0, 1, 2}), (True, {0, 1, 2, 3})):
        cut = fabricate(tmp_path / str(close), close=close)
        node = make_nodes(cut, cut.info(), build_report(cut))[0]
        assert {step for name, step in node.points if name.startswith("run_cost/")} == steps
