"""`kommunbench WORDS` with every message that crosses between coordinator and sites written to a file.

python tests/tapped.py FOLDER WORDS...
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import count
from pathlib import Path

from kommunbench import cli
from kommunbench.federation.engines import local


def main(folder: Path, words: list[str]) -> None:
    folder.mkdir(parents=True)
    numbers = count()

    def keep(direction: str, content: bytes) -> None:
        (folder / f"{next(numbers):04}-{direction}").write_bytes(content)

    local.LocalGrid = partial(local.LocalGrid, wiretap=keep)  # type: ignore[misc]
    sys.argv = ["kommunbench", *words]
    cli.main()


if __name__ == "__main__":  # the worker processes import this file too
    main(Path(sys.argv[1]), sys.argv[2:])
