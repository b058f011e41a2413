"""`kommunbench run` from the outside: exit codes, what is shown and what is left on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from federated_folder import rows, settings_for, three_sites, write_sites
from federated_folder import run as run_federation
from kommunbench import cli
from kommunbench.core.answer import Code
from kommunbench.federation.rounds import pooled
from kommunbench.models.folder import BUILTIN

KOMMUNBENCH = Path(sys.executable).with_name("kommunbench")
SMALL = ("strategy=none", "models=[lead,copy,retrieval]", "tracking=off")
TRAINING = ("models=[nano,copy]", "rounds=2", "train.max_steps=2", "train.epochs=1", "tasks.lattlast.max_new_tokens=8")
needs_nano = pytest.mark.skipif(not (BUILTIN / "nano").is_dir(), reason="the model nano is not in the package yet")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of `kommunbench WORDS` in this process."""
    monkeypatch.setattr(sys, "argv", ["kommunbench", *words])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def spawn(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([KOMMUNBENCH, *words], capture_output=True, text=True, check=False, timeout=300)


def test_all_faults_at_once_with_exit_code_2_and_nothing_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = call(monkeypatch, "run", "model.revison", "models.nano.revison=1", "trian.rank=3", "tasks=[lattlst]")
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert sorted(err.splitlines()) == [
        "kommunbench: model.revison: not an override (write model.revison=...)",
        "kommunbench: models.nano.revison: unknown setting (did you mean 'revision'?)",
        "kommunbench: tasks: there is no 'lattlst' (did you mean 'lattlast'?)",
        "kommunbench: trian.rank: unknown setting (did you mean 'train'?)",
    ]
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["federation=folder"], "kommunbench: federation.path: needs a value (federation.path=...)"),
        (
            ["federation=folder", "federation.path=nowhere", *SMALL],
            "kommunbench: federation.path=nowhere: no such folder",
        ),
        (
            ["quorum=7", *SMALL],
            "kommunbench: quorum: asks for 7 sites of 6 (let more in first, or ask for fewer: quorum=6)",
        ),
        (
            ["tasks.lattlast.stop=[x]", *SMALL],
            "kommunbench: tasks.lattlast.stop: cannot be overridden: sites follow their own copy"
            " (change the task's file, here and at every site)",
        ),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert call(monkeypatch, "run", *words) == 2
    assert capsys.readouterr().err.splitlines() == [told]
    assert list(here.iterdir()) == []


def test_the_configuration_is_shown_and_nothing_is_run(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "run", "--cfg", "job", "tasks=[lattlast]", "train.rank=3") == 0
    shown = capsys.readouterr().out
    assert "  rank: 3\n" in shown
    assert "  lattlast:\n" in shown
    assert "summarization:\n    name" not in shown
    assert list(here.iterdir()) == []


def test_a_run_that_exists_is_left_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "results/mitt").mkdir(parents=True)
    (here / "results/mitt/spec.json").write_text("{}")
    assert call(monkeypatch, "run", "name=mitt", *SMALL) == 2
    told = "results/mitt is a run already (choose another name=..., or `kommunbench runs resume results/mitt`)"
    assert capsys.readouterr().err == f"kommunbench: name: {told}\n"
    assert [str(path.relative_to(here)) for path in sorted(here.rglob("*"))] == [
        *("results", "results/mitt", "results/mitt/spec.json")
    ]


def test_sites_refuse_a_prompt_that_they_have_not_approved_and_accept_decoding_settings(tmp_path: Path) -> None:
    """The coordinator may say how long an answer may be, and never what is asked."""
    words = ("strategy=none", "models=[copy,lead]", "tasks=[lattlast,summarization]", "name=own")
    prompt = "tasks.lattlast.prompts.plain='Skriv av texten: {input}'"
    folder = run_federation(
        settings_for(three_sites(tmp_path / "data"), *words, prompt, "tasks.summarization.max_new_tokens=64")
    )
    codes = {(key[0][0], code) for received in folder.received("round-000") for key, code, _ in received.slots}
    not_read = ("summarization", Code.NO_READING)  # no site here has an encoder
    assert codes - {not_read} == {("lattlast", Code.TASK_NOT_APPROVED), ("summarization", Code.OK)}
    assert {cell.task for cell, _ in pooled(folder)} == {"summarization"}


@pytest.mark.slow
def test_a_sweep_runs_every_value_and_the_list_shows_them(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = three_sites(tmp_path / "data")
    words = ("federation=folder", f"federation.path={data}", "name=svep", *SMALL)
    assert call(monkeypatch, "run", "-m", "seed=4,5", *words) == 0
    capsys.readouterr()
    assert call(monkeypatch, "runs", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(run["run"], run["state"], run["sites"]) for run in listed] == [
        ("svep-0", "done", 3),
        ("svep-1", "done", 3),
    ]
    assert [run["models"] for run in listed] == [["lead", "copy", "retrieval"]] * 2
    specs = [json.loads((here / f"results/svep-{number}/spec.json").read_text())["spec"] for number in (0, 1)]
    assert [(spec["run"], spec["seed"]) for spec in specs] == [("svep-0", 4), ("svep-1", 5)]
    assert all((here / f"results/svep-{number}/report.md").is_file() for number in (0, 1))


def rows_of(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text())["rows"]


def interrupt_when(folder: Path, moment: str, *words: str) -> tuple[int, str]:
    """Start `kommunbench WORDS`, press Ctrl-C once a site has answered `moment`; exit code and output."""
    process = subprocess.Popen(
        [KOMMUNBENCH, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    end = time.monotonic() + 200
    try:
        while not list((folder / "releases" / moment).glob("*.json")) and process.poll() is None:
            assert time.monotonic() < end, "no site answered"
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("round-000", ("strategy=none", "models=[lead,copy,retrieval]")),
        pytest.param("round-001", TRAINING, marks=needs_nano),
    ],
    ids=("no training", "training"),
)
def test_a_run_that_was_interrupted_says_how_to_go_on_and_ends_as_if_it_never_was(
    here: Path, moment: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    data = write_sites(
        tmp_path / "data",
        {
            site: {"lattlast": [*rows("lattlast", size, size), *rows("lattlast", 12, 90 + size, "train")]}
            for site, size in zip(("ekby", "norrby", "väsby", "åvik", "öster"), range(12, 32, 4), strict=True)
        },
    )
    folder = ("federation=folder", f"federation.path={data}", "tasks=[lattlast]")
    common = ("run", *folder, *words, "tracking=off", "engine.workers=1", "seed=3")
    code, output = interrupt_when(here / "results/stoppad", moment, *common, "name=stoppad")
    torn = here / "results/stoppad"
    assert code == 130, output
    assert "Stopped. Go on with: kommunbench runs resume results/stoppad" in output
    assert "Traceback" not in output
    answered = list((torn / "releases" / moment).glob("*.json"))
    assert 0 < len(answered) < 5, "it was not interrupted in the middle"
    assert (torn / "report.md").read_text(encoding="utf-8").count("\n") > 10
    listed = json.loads(spawn("runs", "list", "--json").stdout)
    assert [(run["run"], run["state"]) for run in listed] == [("stoppad", f"stopped at {moment}")]

    resumed = spawn("runs", "resume", "stoppad")
    assert resumed.returncode == 0, resumed.stderr
    whole = spawn(*common, "name=hel")
    assert whole.returncode == 0, whole.stderr
    assert rows_of(torn) == rows_of(here / "results/hel")
    assert len(rows_of(torn)) > 30
