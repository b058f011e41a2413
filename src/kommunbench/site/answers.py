"""Models' answers that a site keeps, so that its own people can judge them: `answers: keep` in its policy.

One file a cell, `<home>/answers/<run>/<cell>.jsonl`, mode 0600 in folders of 0700: the cell and the digest of its
evaluation, then a line an example with its inputs, its references and the answer. This is the site's own text. Nothing
here is ever sent; nobody but the site reads it, and the site may delete it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kommunbench.core.digests import digest
from kommunbench.core.errors import DataError, Fault
from kommunbench.core.example import Example
from kommunbench.core.spec import Cell
from kommunbench.site.private import write_private

FOLDER = "answers"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One answer with what it answered. `repr` shows nothing of it."""

    example: str = field(repr=False)
    inputs: Mapping[str, str] = field(repr=False)
    references: tuple[str, ...] = field(repr=False)
    answer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """The answers that the site whose folder is `home` has kept."""

    home: Path

    def save(
        self, run: str, cell: Cell, examples: Sequence[Example], answers: Sequence[str], evaluation: str = ""
    ) -> Path:
        """Keep the answers of a cell, in place of earlier ones; `evaluation` is `reuse.evaluation_digest`. The file."""
        lines = [_line({"cell": list(cell), "evaluation": evaluation})]
        for example, answer in zip(examples, answers, strict=True):
            row = {"example": example.id, "inputs": dict(example.inputs), "references": example.references}
            lines.append(_line(row | {"answer": answer}))
        path = self._folder(run) / f"{digest(list(cell))[:32]}.jsonl"
        write_private(path, "".join(lines))
        return path

    def runs(self) -> list[str]:
        """Runs that answers are kept of, the latest last."""
        folders = [path for path in (self.home / FOLDER).glob("*") if path.is_dir()]
        return [path.name for path in sorted(folders, key=lambda path: path.stat().st_mtime)]

    def cells(self, run: str) -> list[Cell]:
        """What was answered in a run, by name; a system that was evaluated after several rounds at its last alone."""
        found: dict[tuple[object, ...], Cell] = {}
        for path in self._folder(run).glob("*.jsonl"):
            with path.open(encoding="utf-8") as lines:
                cell = Cell(*json.loads(next(lines))["cell"])
            system = (cell.task, cell.model, cell.prompt, cell.stage, cell.seed, cell.origin)
            if system not in found or cell.round > found[system].round:
                found[system] = cell
        return sorted(found.values())

    def load(self, run: str, cell: Cell) -> list[KeptAnswer]:
        """The answers of a cell, in the order of its examples; none where none were kept."""
        path = self._folder(run) / f"{digest(list(cell))[:32]}.jsonl"
        return list(_read(path)) if path.is_file() else []

    def _folder(self, run: str) -> Path:
        return self.home / FOLDER / run


def choose_run(kept: KeptAnswers, run: str) -> str:
    """That run, or the latest one where it is empty.

    Raises:
        DataError: no answers were kept here, or none of that run.
    """
    runs = kept.runs()
    if not runs:
        do = "set `answers: keep` in its site.yaml before the next run"
        raise DataError(Fault("this site has kept no answers", str(kept.home), do))
    if run and run not in runs:
        raise DataError(Fault(f"no answers of a run {run!r} were kept", str(kept.home), "there is " + ", ".join(runs)))
    return run or runs[-1]


def answers_of(path: Path, evaluation: str, examples: Sequence[Example]) -> list[str] | None:
    """The answers to `examples` that are kept in the file, or None where they are not there, or not of `evaluation`."""
    if not path.is_file():
        return None
    with path.open(encoding="utf-8") as lines:
        if json.loads(next(lines)).get("evaluation") != evaluation:
            return None
    by_example = {kept.example: kept.answer for kept in _read(path)}
    if any(example.id not in by_example for example in examples):
        return None
    return [by_example[example.id] for example in examples]


def _read(path: Path) -> Iterator[KeptAnswer]:
    with path.open(encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            row = json.loads(line)
            yield KeptAnswer(row["example"], row["inputs"], tuple(row["references"]), row["answer"])


def _line(row: Mapping[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
