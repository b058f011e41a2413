"""The wheel is whole: installed by itself it runs in an empty directory, with its own conf/, tasks/ and nano."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from kommunbench.core.folders import CONF, TASKS
from kommunbench.models.folder import BUILTIN

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_the_configuration_the_tasks_and_the_model(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"kommunbench/conf/{path.relative_to(CONF)}" for path in CONF.rglob("*.yaml")}
    wanted |= {f"kommunbench/tasks/{path.name}" for path in TASKS.glob("*.yaml")}
    wanted |= {f"kommunbench/models/nano/{path.name}" for path in (BUILTIN / "nano").iterdir() if path.is_file()}
    wanted |= {"kommunbench/report/report.schema.json"}
    assert wanted - inside == set()
    assert any(name.endswith("nano/model.safetensors") for name in inside)
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert [name for name in inside if name.startswith(("tests/", "benchmarks/", "results/")) or ".pyc" in name] == []


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a fresh environment with the wheel in it; what it depends on is this environment's."""
    home = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = home / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel]
    subprocess.run(command, check=True, capture_output=True)
    where = subprocess.check_output([python, "-c", "import kommunbench; print(kommunbench.__file__)"], text=True)
    assert Path(where.strip()).is_relative_to(packages), "the checkout is seen in place of the wheel"
    return home / "bin"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def run(installed: Path, folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KOMMUNBENCH_HOME")}
    done = subprocess.run(
        [installed / "kommunbench", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_tasks_are_listed_anywhere(installed: Path, empty: Path) -> None:
    listed = json.loads(run(installed, empty, "tasks", "list", "--json"))
    assert {task["name"] for task in listed} == {path.stem for path in TASKS.glob("*.yaml")}
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [("models=[lead,copy,retrieval]",), ("models=[nano,copy]", "tasks=[lattlast]", "tasks.lattlast.max_new_tokens=8")],
    ids=("baselines", "nano"),
)
def test_it_runs_in_an_empty_directory(installed: Path, empty: Path, words: tuple[str, ...]) -> None:
    shown = run(installed, empty, "run", "strategy=none", *words, "max_examples=12", "tracking=off", "name=first")
    assert "results/first/report.html" in shown
    report = json.loads((empty / "results/first/report.json").read_text(encoding="utf-8"))
    pooled = [row for row in report["rows"] if row["site_group"] == "all" and row["primary"]]
    values = {(row["task"], row["model"]): row["value"] for row in pooled}
    assert None not in values.values()
    assert {model for _, model in values} == set(words[0].removeprefix("models=").strip("[]").split(","))
    assert report["git"] == "", "an installed package belongs to no checkout"
