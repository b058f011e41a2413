"""The one way in which a site's own files are written: for their owner alone, and whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_private(path: Path, data: bytes | str, durable: bool = False) -> None:
    """Write `data`, mode 0600, in place of what was there; folders that are missing are made with mode 0700.

    Args:
        data: bytes, or text that is written as UTF-8.
        durable: on the disk when this returns, whatever falls then: for keys, and for what cannot be made again.

    Raises:
        OSError: nothing was replaced.
    """
    missing = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(path)
