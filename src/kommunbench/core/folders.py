"""Where conf/ and tasks/ are.

A checkout uses its own folders; an installed wheel carries them inside the package. A user's folder overlays both:
`tasks/` and `conf/` in the working directory, or those named by KOMMUNBENCH_HOME.
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parents[1]


def _builtin(name: str) -> Path:
    inside = PACKAGE / name
    return inside if inside.is_dir() else CHECKOUT / name


CONF = _builtin("conf")
TASKS = _builtin("tasks")


def overlay(name: str) -> tuple[Path, ...]:
    """Folders to look for `name` (`conf` or `tasks`) in, first found wins: the user's, then the built-in one."""
    home = Path(os.environ.get("KOMMUNBENCH_HOME", Path.cwd())) / name
    builtin = _builtin(name)
    return (home, builtin) if home.is_dir() and home.resolve() != builtin.resolve() else (builtin,)
