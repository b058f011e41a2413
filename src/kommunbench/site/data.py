"""A site's own text: `<task>.jsonl`, `.csv` or `.parquet` in its folder -> examples by split.

    data = SiteData(FolderSource(Path("data/lovvik"), site="lovvik"))
    data.split(task, "train")          # training reads train only, choices validation only, reports test only

Rows are checked and held in memory as one Hugging Face `datasets.Dataset` a task. They are never handed to
`load_dataset`, which copies them into the user's cache, where they would outlive the run. A bad line is reported by
number and counted, and the good ones are used; a file that is empty or not UTF-8 is refused as a whole.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kommunbench.core.digests import canonical, digest
from kommunbench.core.errors import DataError, Fault
from kommunbench.core.example import SPLITS, Example, Split
from kommunbench.core.task import Task
from kommunbench.site.files import RawFile, read_file
from kommunbench.site.rows import Row, check_rows
from kommunbench.site.splits import default_key, group_of, settle

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger("kommunbench.site")


@dataclass(frozen=True, slots=True)
class TaskData:
    """The examples of one task at one site, and what was wrong with the others.

    Args:
        task: its name.
        dataset: columns id, inputs (a struct of texts), references (a list), split, group, facts (JSON). In memory.
        faults: every fault, those of the whole file first.
        skipped: how many lines are not among the examples.
        refused: the file as a whole cannot be used; the dataset is empty.
    """

    task: str
    dataset: Dataset
    faults: tuple[Fault, ...] = ()
    skipped: int = 0
    refused: bool = False

    def __repr__(self) -> str:
        return f"TaskData({self.task}, {len(self)} examples, {len(self.faults)} faults)"

    def __len__(self) -> int:
        return len(self.dataset)

    def __iter__(self) -> Iterator[Example]:
        return iter(_examples(self.dataset[:]))

    def split(self, split: Split) -> tuple[Example, ...]:
        """The examples of one split, in the file's order.

        Raises:
            DataError: with every fault, where the file was refused.
        """
        if self.refused:
            raise DataError(*self.faults)
        return tuple(_examples(self.dataset[[at for at, name in enumerate(self.dataset["split"]) if name == split]]))

    @property
    def counts(self) -> dict[Split, int]:
        """How many examples each split has."""
        names = list(self.dataset["split"])
        return {split: names.count(split) for split in SPLITS}

    def registration(self) -> dict[str, Any]:
        """What a site may say of a data set without its text.

        Returns:
            digest: SHA-256 over the task's name and every example (id, inputs, references, split, group, facts), in the
                order of their ids: the same for the same rows in any order and any file format.
            task, rows, splits (count by name), references (how many examples have one).
        """
        rows = sorted(self.dataset, key=lambda row: str(row["id"]))
        return {
            "digest": digest([self.task, rows]),
            "task": self.task,
            "rows": len(self),
            "splits": self.counts,
            "references": sum(bool(references) for references in self.dataset["references"]),
        }


class Source(Protocol):
    """Where a site's examples come from: a folder, or a generator of synthetic text."""

    @property
    def site(self) -> str:
        """The site's name."""

    def read(self, task: Task) -> TaskData | None:
        """The task's examples, or None where the site has none."""


class SiteData:
    """Everything that a site has, read once a task."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._tasks: dict[str, TaskData | None] = {}
        self._once: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"SiteData({self.source.site})"

    def read(self, task: Task) -> TaskData | None:
        """The task's data with its faults, or None where the site has none. Faults are logged once."""
        if task.digest not in self._tasks:
            data = self._tasks[task.digest] = self.source.read(task)
            if data is not None and not data.refused:
                for fault in data.faults:
                    log.warning("%s", fault)
                if data.skipped:
                    log.warning("%s: %d lines left out, %d examples used", task.name, data.skipped, len(data))
        return self._tasks[task.digest]

    def digest(self, task: Task) -> str:
        """The digest of the task's data as it is; empty where the site has none. It stays at the site."""
        if task.digest not in self._digests:
            data = self.read(task)
            self._digests[task.digest] = "" if data is None else str(data.registration()["digest"])
        return self._digests[task.digest]

    def once(self, task: Task, work: Callable[[TaskData], str]) -> str:
        """What `work` makes of the task's data, worked out the first time; the task must have data."""
        if task.digest not in self._once:
            data = self.read(task)
            if data is None:
                raise DataError(f"{task.name}: no data")
            self._once[task.digest] = work(data)
        return self._once[task.digest]

    def split(self, task: Task, split: Split) -> tuple[Example, ...]:
        """The examples of one split; empty where the site has no data for the task.

        Raises:
            DataError: with every fault, where the task's file as a whole cannot be used.
        """
        data = self.read(task)
        return () if data is None else data.split(split)


def read_examples(path: Path, task: Task, site: str, key: bytes = b"") -> TaskData:
    """Read and check one file. Never raises for what is in it: the faults come along.

    Args:
        path: ends in .jsonl, .csv or .parquet.
        task: what its rows have to fit.
        site: whose it is.
        key: of the hash that splits; by default made of the site's name.
    """
    return _check(read_file(path, task.facts), task, key or default_key(site))


def from_rows(rows: Iterable[dict[str, Any]], task: Task, site: str, key: bytes = b"") -> TaskData:
    """The same for rows that are not in a file; faults count them from 1 and call them after the task."""
    raw = RawFile(Path(task.name), rows=list(enumerate(rows, start=1)))
    return _check(raw, task, key or default_key(site))


def _check(raw: RawFile, task: Task, key: bytes) -> TaskData:
    rows, faults = check_rows(raw, task)
    groups = [row.group or group_of(row.inputs.values()) for row in rows]
    settled, torn = settle(rows, groups, key, str(raw.path))
    found = (*raw.broken, *sorted([*raw.faults, *faults, *torn], key=_line))
    if raw.broken:
        return TaskData(
            task.name, _dataset(task, [], [], []), found, skipped=len(raw.rows) + raw.bad_lines, refused=True
        )
    kept = _dataset(task, [rows[at] for at, _ in settled], [groups[at] for at, _ in settled], [s for _, s in settled])
    return TaskData(task.name, kept, found, skipped=len(raw.rows) - len(kept) + raw.bad_lines)


def _line(fault: Fault) -> int:
    return int(fault.where.rpartition(":")[2])


def _dataset(task: Task, rows: Sequence[Row], groups: Sequence[str], splits: Sequence[Split]) -> Dataset:
    from datasets import Dataset, Features, List, Value

    text = Value("large_string")
    features = Features(
        id=text,
        inputs=dict.fromkeys(task.inputs, text),
        references=List(text),
        split=Value("string"),
        group=text,
        facts=text,
    )
    columns = {
        "id": [row.id for row in rows],
        "inputs": [dict(row.inputs) for row in rows],
        "references": [list(row.references) for row in rows],
        "split": list(splits),
        "group": list(groups),
        "facts": [canonical(dict(row.facts)).decode() for row in rows],
    }
    return Dataset.from_dict(columns, features=features)


def _examples(columns: dict[str, list[Any]]) -> Iterator[Example]:
    """Examples of a slice of the dataset."""
    for values in zip(
        *(columns[name] for name in ("id", "inputs", "references", "split", "group", "facts")), strict=True
    ):
        label, inputs, references, split, group, facts = values
        yield Example(label, inputs, tuple(references), split, group, json.loads(facts))
