"""A synthetic federation on disk: `FOLDER/<site>/<task>.jsonl`, read by `federation=folder` as real text would be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from kommunbench.core.example import SPLITS
from kommunbench.core.registry import find
from kommunbench.synthetic.organisation import Organisation, Recipe

NOTICE = """Syntetiska data. Organisationer, personer, platser, regler och nummer är påhittade.

Synthetic data. Organisations, people, places, rules and numbers are invented.
"""


class Written(NamedTuple):
    """A file that was written, and its number of rows."""

    path: Path
    rows: int


def write_federation(
    organisations: Iterable[Organisation], folder: Path, seed: int, recipe: Recipe
) -> Iterator[Written]:
    """Write every task of every organisation, row by row, and yield each file when it is complete.

    A file that exists is written anew. `README.txt` in `folder` says that all of it is synthetic.

    Raises:
        ConfigError: an organisation has a size for a task that has no generator.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.txt").write_text(NOTICE, encoding="utf-8")
    for organisation in organisations:
        for task in organisation.sizes:
            generate = find("synthetic", task)
            path = folder / organisation.name / f"{task}.jsonl"
            path.parent.mkdir(exist_ok=True)
            rows = 0
            with path.open("w", encoding="utf-8") as file:
                for split in SPLITS:
                    for row in generate(organisation, split, seed, recipe):
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")
                        rows += 1
            yield Written(path, rows)
