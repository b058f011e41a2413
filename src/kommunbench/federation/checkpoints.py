"""What the coordinator needs to go on after it was stopped: one folder a moment, safetensors and a manifest.

checkpoints/<moment>/adapter.safetensors   the adapter that the moment starts from
checkpoints/<moment>/strategy.safetensors  what the strategy remembers at that point
checkpoints/<moment>/updates/<site>.safetensors  adapters received so far; removed when the round closes
checkpoints/<moment>/manifest.json         digests of the two files above, written last: without it there is nothing
checkpoints/close                          digest of the closing request: new totals ask every site anew
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load, save

from kommunbench.core.digests import digest_bytes
from kommunbench.core.errors import Fault, FederationError
from kommunbench.core.model import Adapter
from kommunbench.federation.strategies import State, Update

FILES = ("adapter.safetensors", "strategy.safetensors")


class Checkpoints:
    """Adapters and strategy states below one run's folder."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "checkpoints"

    def save(self, moment: str, adapter: Adapter, state: State) -> None:
        """Keep what `moment` starts from."""
        folder = self._folder / moment
        folder.mkdir(parents=True, exist_ok=True)
        contents = [save(dict(adapter)), save(state)]
        for name, content in zip(FILES, contents, strict=True):
            _write(folder / name, content)
        manifest = {name: digest_bytes(content) for name, content in zip(FILES, contents, strict=True)}
        _write(folder / "manifest.json", json.dumps(manifest, indent=1).encode())

    def load(self, moment: str) -> tuple[Adapter, State] | None:
        """What `moment` starts from, or None where that was never reached.

        Raises:
            FederationError: a file is not the one that was written.
        """
        folder = self._folder / moment
        if not (folder / "manifest.json").is_file():
            return None
        manifest = json.loads((folder / "manifest.json").read_text())
        contents = [(folder / name).read_bytes() for name in FILES]
        for name, content in zip(FILES, contents, strict=True):
            if manifest.get(name) != digest_bytes(content):
                do = "remove the moment's folder and those after it, and resume"
                raise FederationError(Fault("the checkpoint was changed or is torn", str(folder / name), do))
        adapter, state = (load(content) for content in contents)
        return adapter, state

    def save_update(self, moment: str, site: str, update: Update) -> None:
        """Keep one site's validated adapter until the round closes."""
        folder = self._folder / moment / "updates"
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{site}.safetensors", save(dict(update.adapter), {"examples": str(update.examples)}))

    def load_updates(self, moment: str, sites: Sequence[str]) -> dict[str, Update]:
        """Adapters received in `moment` by site, in the order of `sites`."""
        updates = {}
        for site in sites:
            path = self._folder / moment / "updates" / f"{site}.safetensors"
            if path.is_file():
                content = path.read_bytes()
                length = int.from_bytes(content[:8], "little")
                header = json.loads(content[8 : 8 + length])
                updates[site] = Update(load(content), int(header["__metadata__"]["examples"]))
        return updates

    def drop_updates(self, moment: str) -> None:
        """Forget the single adapters of a closed round: only their sum is wanted."""
        shutil.rmtree(self._folder / moment / "updates", ignore_errors=True)

    def closed_with(self) -> str:
        """Digest of the closing request that was last sent, or an empty string."""
        path = self._folder / "close"
        return path.read_text() if path.is_file() else ""

    def close_with(self, digest: str) -> None:
        """Remember the closing request."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(self._folder / "close", digest.encode())


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    draft.replace(path)
