"""Each framework enters by its one door, and the command line is quick because it opens none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    *("torch", "flwr", "mlflow", "transformers", "peft", "datasets", "evaluate", "hydra", "ray"),
    *("pyarrow", "pandas", "scipy", "statsmodels", "matplotlib"),
)


def test_imports_run_only_to_the_right() -> None:
    """The contracts in pyproject.toml, by import-linter."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def imported_by(words: list[str]) -> set[str]:
    """The heavy packages that `kommunbench <words>` has imported when it is done; it has to end well."""
    code = f"""
import sys
from kommunbench.cli import main
sys.argv = ["kommunbench", *{words!r}]
code = 0
try:
    code = main()
except SystemExit as end:
    code = end.code
print("imported:", *(set(sys.modules) & set({HEAVY!r})))
sys.exit(code or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].removeprefix("imported:").split())


@pytest.mark.parametrize(
    "words", ["--help", "--version", "tasks --help", "tasks list", "site --help", "site check --help"]
)
def test_quick_commands_import_no_framework(words: str) -> None:
    assert imported_by(words.split()) == set()


def test_help_answers_fast() -> None:
    """0.3 s on a quiet machine: the smallest of three in CPU seconds, so that neighbours do not count."""
    code = (
        "import resource, subprocess, sys;"
        "subprocess.run([sys.executable, '-m', 'kommunbench', '--help'], check=True, stdout=subprocess.DEVNULL);"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)"
    )
    seconds = [float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)) for _ in range(3)]
    assert min(seconds) < 0.45
