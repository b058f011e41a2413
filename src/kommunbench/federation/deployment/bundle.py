"""The Flower app bundle (FAB) of a run: a name and two references, no code at all.

Flower sends a bundle with every run and means it to be unpacked and imported at the site, before the site's own copy
of anything. Ours has nothing to unpack: it says which installed apps are meant. A site works its SHA-256 out for
itself and refuses every other bundle; what a bundle holds is never unpacked or imported there (see executor.py).
The coordinator writes the very same one (`write_app`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flwr.cli.build import build_fab_from_files

from kommunbench.core.digests import digest_bytes

MANIFEST = "pyproject.toml"
APP = b"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "kommunbench-app"
version = "1.0.0"
description = "Names the apps that each side has installed; holds no code."
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "kommunbench"

[tool.flwr.app.components]
serverapp = "kommunbench.federation.server_app:app"
clientapp = "kommunbench.federation.client_app:app"

[tool.flwr.app.config]
plan = ""
"""
"""Its version is that of the bundle, not of kommunbench: versions are compared in the request, with a clear answer."""


@cache
def bundle() -> bytes:
    """The bundle as Flower sends it: the same bytes wherever the pinned flwr builds it."""
    built, _ = build_fab_from_files({MANIFEST: APP})
    return built


@cache
def bundle_digest() -> str:
    """SHA-256 of the only bundle that a site takes a message with, 64 hexadecimal digits."""
    return digest_bytes(bundle())


def write_app(folder: Path) -> Path:
    """Write the app folder that `flwr run FOLDER` makes the same bundle of, and give it back."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(APP)
    return folder
