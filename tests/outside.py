"""Packages outside kommunbench, installed without an installer: a dist-info folder made of their pyproject.toml."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE / "outside_package"
TROUBLED = HERE / "troubled_package"
GOLD = HERE / "gold_package"


def install(project: Path, into: Path) -> dict[str, str]:
    """What to set in the environment so that a process, and those that it starts, find `project` as if installed."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = into / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    lines = []
    for group, points in about["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {where}" for name, where in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return {"PYTHONPATH": os.pathsep.join([str(into), str(project)]), "KOMMUNBENCH_HOME": str(project)}


def kommunbench(folder: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """`kommunbench WORDS` in `folder`; output is read whatever it is."""
    return subprocess.run(
        [Path(sys.executable).with_name("kommunbench"), *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
