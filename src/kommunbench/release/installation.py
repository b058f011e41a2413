"""What runs here, as two digests: kommunbench's own files and what adds to them, and every library's version.

They say which code made a number, to whoever has the same code to compare with. They do not protect against changed
code: code that was changed can state another's digest.
"""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import distributions, entry_points, version

from kommunbench import __version__
from kommunbench.core.digests import digest, digest_bytes
from kommunbench.core.folders import PACKAGE
from kommunbench.core.registry import EXPORT


@cache
def code_digest() -> str:
    """SHA-256 over kommunbench's version, the path and content of each of its Python files, and the name and version of
    every other package that registers metrics, model families or generators."""
    files = {str(path.relative_to(PACKAGE)): digest_bytes(path.read_bytes()) for path in PACKAGE.rglob("*.py")}
    return digest([__version__, files, outside_packages()])


def outside_packages() -> dict[str, str]:
    """Version by name of the other packages that add to kommunbench by entry points."""
    points = [point for room in EXPORT for point in entry_points(group=f"kommunbench.{room}")]
    return {point.dist.name: point.dist.version for point in points if point.dist is not None}


@cache
def environment_digest() -> str:
    """SHA-256 over Python's version, the kind of machine, and the name and version of every installed library."""
    found = {str(each.name): each.version for each in distributions()}
    return digest([platform.python_implementation(), platform.python_version(), platform.machine(), found])


def library_versions() -> dict[str, str]:
    """Versions of the libraries that a number depends on most."""
    return {name: version(name) for name in ("torch", "transformers", "peft", "flwr", "numpy", "sacrebleu")}
