"""What a site keeps from run to run: per-example tallies, integers by an example's digest. No text, no ids, no pickle.

    <folder>/<digest>.npz        the tallies of one evaluation: the same data, task, model, prompt, decoding, software
    <folder>/<digest>.answers    where the answers themselves were last kept, if they were: a path, no text
    <folder>/systems/<digest>    a system of a run, (run, cell), and which evaluation it was, on which data

Two things need them. What was evaluated before is not evaluated again: who asks for it gets the same integers, by the
same door. And a closing message pairs systems with those of an earlier run, example by example. Both end with the days
of the policy: the files go, a pair is answered by NOT_AVAILABLE, and what is asked for is evaluated anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kommunbench.core.digests import digest
from kommunbench.core.example import Example
from kommunbench.core.metric import Metric
from kommunbench.core.spec import Cell, RunSpec
from kommunbench.site.answers import answers_of
from kommunbench.site.evaluate import Evaluated
from kommunbench.site.private import write_private

_SYSTEMS = "systems"
_DAY_S = 86_400
_SPENT = ("milliseconds", "prompt_tokens", "new_tokens")


class Kept(NamedTuple):
    """Tallies of a system: digests [examples], tallies [examples, width], and the data's digest."""

    ids: npt.NDArray[np.str_]
    tallies: npt.NDArray[np.int64]
    data: str


@dataclass(frozen=True)
class KeptEvaluations:
    """A site's folder of tallies, for `days` days from when they were made; 0: without end."""

    folder: Path
    days: int = 0

    def save(self, evaluation: str, evaluated: Evaluated) -> None:
        """Keep the tallies of an evaluation (`reuse.evaluation_digest`), in place of earlier ones."""
        arrays: dict[str, Any] = {name: np.array(rows, np.int64) for name, rows in evaluated.per_example.items()}
        spent = np.array([getattr(evaluated, name) for name in _SPENT], np.int64)
        data = BytesIO()
        np.savez(data, ids=np.array(evaluated.ids, dtype="U32"), spent=spent, **arrays)
        write_private(self._tallies_path(evaluation), data.getvalue())

    def find(self, evaluation: str, metrics: Collection[str], answers_to: Sequence[Example] = ()) -> Evaluated | None:
        """What was worked out before under every one of `metrics`, or None where it is not kept.

        Args:
            answers_to: where the answers themselves are wanted as well, the examples; it is None without them.
        """
        path = self._tallies_path(evaluation)
        if not self._is_fresh(path):
            return None
        with np.load(path, allow_pickle=False) as arrays:
            if not set(metrics) <= set(arrays.files):
                return None
            found = Evaluated(arrays["ids"].tolist(), **dict(zip(_SPENT, arrays["spent"].tolist(), strict=True)))
            found.per_example = {name: [tuple(row) for row in arrays[name].tolist()] for name in metrics}
        if answers_to:
            where = self._answers_path(evaluation)
            path = Path(where.read_text(encoding="utf-8")) if where.is_file() else where
            answers = answers_of(path, evaluation, answers_to)
            return None if answers is None else replace(found, answers=answers)
        return found

    def note(self, spec: RunSpec, cell: Cell, evaluation: str, data_digest: str) -> None:
        """Remember what `cell` was in the run of `spec`."""
        write_private(self._system_path(spec.digest, cell), json.dumps([evaluation, data_digest, spec.run]))

    def note_answers(self, evaluation: str, path: Path) -> None:
        """Remember that the answers of an evaluation were kept at `path`; they may be purged or others put there."""
        write_private(self._answers_path(evaluation), str(path))

    def of_run(self, run: str) -> list[Path]:
        """The files of the runs of that name: their systems, and every evaluation that no other run has named."""
        notes = {path: json.loads(path.read_bytes()) for path in self.folder.glob(f"{_SYSTEMS}/*") if path.is_file()}
        own = {path for path, note in notes.items() if note[2:] == [run]}
        elsewhere = {note[0] for path, note in notes.items() if path not in own}
        alone = {notes[path][0] for path in own} - elsewhere
        tallies = [path_of(each) for each in alone for path_of in (self._tallies_path, self._answers_path)]
        return sorted([*own, *(path for path in tallies if path.is_file())])

    def load(self, run: str, cell: Cell, metric: Metric) -> Kept | None:
        """The tallies of `cell`, of the run that it names or else of `run`; None where nothing is kept."""
        path = self._system_path(run, cell)
        if not self._is_fresh(path):
            return None
        evaluation, data_digest, *_ = json.loads(path.read_bytes())
        path = self._tallies_path(evaluation)
        if not self._is_fresh(path):
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return Kept(arrays["ids"], arrays[metric.name], data_digest) if metric.name in arrays else None

    def forget_old(self) -> int:
        """Remove what is older than `days`, and say how many files that was."""
        old = [path for path in self.folder.rglob("*") if path.is_file() and not self._is_fresh(path)]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _tallies_path(self, evaluation: str) -> Path:
        return self.folder / f"{evaluation[:32]}.npz"

    def _answers_path(self, evaluation: str) -> Path:
        return self.folder / f"{evaluation[:32]}.answers"

    def _system_path(self, run: str, cell: Cell) -> Path:
        """A digest of what came from outside: none of it is ever a path."""
        return self.folder / _SYSTEMS / digest(list(cell._replace(run=cell.run or run)))[:32]

    def _is_fresh(self, path: Path) -> bool:
        return path.is_file() and (not self.days or time.time() - path.stat().st_mtime < self.days * _DAY_S)
