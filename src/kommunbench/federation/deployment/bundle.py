"""The Flower app bundle (FAB) of a run: a name and two references, no code at all.

Flower sends a bundle with every run and means it to be unpacked and imported at the site, before the site's own copy
of anything. Ours has nothing to unpack: it says which installed apps are meant. Each side works its bytes out for
itself, and a site refuses every other; what a bundle holds is never unpacked or imported there (see executor.py).
"""

from __future__ import annotations

import zipfile
from functools import cache
from io import BytesIO

from kommunbench.core.digests import digest_bytes

_DATE = (1980, 1, 1, 0, 0, 0)
_PROJECT = b"""\
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
"""
"""Its version is the bundle's, not kommunbench's: those are compared in the request, and told as such."""


@cache
def bundle() -> bytes:
    """The bundle: stored and not compressed, so that no library's version changes a byte."""
    manifest = f"pyproject.toml,{digest_bytes(_PROJECT)},{len(_PROJECT) * 8}"
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (("pyproject.toml", _PROJECT), (".info/CONTENT", manifest.encode())):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3  # as on Unix, wherever it is made
            archive.writestr(entry, content)
    return buffer.getvalue()


@cache
def bundle_digest() -> str:
    """SHA-256 of the bundle, 64 hexadecimal digits: what Flower calls its hash."""
    return digest_bytes(bundle())
