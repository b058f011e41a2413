"""What a site keeps of a run: per-example tallies, integers by an example's digest, to pair systems by later.

One .npz file a cell, mode 0600, in the site's own folder. No text, no ids, no pickle.
What staff said of a cell's answers is kept beside it, and looked up in the same way.
A run's name is the coordinator's to give again. So the files tell which specification they are of, and a closing sum is
never made of another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kommunbench.core.digests import digest
from kommunbench.core.metric import Metric
from kommunbench.core.spec import OPINIONS, Cell
from kommunbench.site.evaluate import Evaluated

_RATED = "-rated"


@dataclass(frozen=True)
class KeptTallies:
    """A folder of tallies of one run at one site.

    Args:
        spec: the digest of the run's specification; empty where the site itself looks, whichever it was.
    """

    folder: Path
    spec: str = ""

    def _path(self, cell: Cell, part: str = "") -> Path:
        return self.folder / f"{digest(list(cell))[:32]}{part}.npz"

    def save(self, cell: Cell, evaluated: Evaluated, rated: bool = False) -> None:
        """Keep the tallies of `cell`, in place of earlier ones; those of ratings apart from the others."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        arrays: dict[str, Any] = {name: np.array(rows, np.int64) for name, rows in evaluated.per_example.items()}
        data = BytesIO()
        np.savez(data, ids=np.array(evaluated.ids, dtype="U32"), spec=np.array(self.spec, dtype="U64"), **arrays)
        path = self._path(cell, _RATED if rated else "")
        path.touch(mode=0o600)
        path.write_bytes(data.getvalue())

    def load(self, cell: Cell, metric: Metric) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]] | None:
        """Digests [examples] and tallies [examples, width] of a cell, or None where nothing of this run was kept."""
        path = self._path(cell, _RATED if metric.name in OPINIONS else "")
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as arrays:
            of = str(arrays["spec"]) if "spec" in arrays else ""
            if metric.name not in arrays or (self.spec and of != self.spec):
                return None
            return arrays["ids"], arrays[metric.name]
