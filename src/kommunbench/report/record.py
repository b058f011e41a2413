"""What a run leaves on disk, and the only way to it: results/<run>/.

    spec.json                      RunInfo: the specification, the roster, the engine
    releases/<moment>/<site>.json  Received: what each site released, or why it did not
    releases/<moment>/masked-sum.json  with secagg: the sum over sites, in place of what each of them released
    masked/<moment>/               with secagg: what it takes to make that sum again (report/transcript.py)
    requests/<digest>.json         what sites were asked: receipts name it by its digest
    receipts/answers.jsonl         what each of these files was when it was written, with the site's receipt
    checkpoints/<moment>/          the adapter after a round, with a manifest
    report.json report.md figures/ made from the files above and nothing else

A moment is `round-000` and so on, or `close`; with several seeds `seed-1-round-000`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.answer import Code, Cost
from kommunbench.core.digests import digest
from kommunbench.core.errors import DataError, Fault
from kommunbench.core.spec import Cell, JudgeRef, Pair, Request, RunSpec
from kommunbench.core.task import Bilingual, Task
from kommunbench.report.journal import Journal
from kommunbench.report.scorecard import Scorecard

ALONE = "alone"
"""How the moment's name ends at which each site that trains does so on its own; the others are not asked."""
Status = Literal["ok", "refused", "missing", "failed"]
Absence = Literal["offline", "lost", "late"]
"""Not online when it was asked; gone offline and not back in time; online and silent until the deadline."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RosterSite(_Frozen):
    """A site that was invited to the run, by name."""

    name: str
    title: str
    kind: Literal["municipality", "region", "other"] = "other"
    trains: bool = True
    key: str = ""
    """The public key that the site is registered with, 64 hexadecimal digits; empty: its first receipt's key counts."""


class EarlierRun(_Frozen):
    """A run that this one is compared with: its name, and the digest of its specification."""

    name: str
    spec: str


class RunInfo(_Frozen):
    """Everything about a run that is known before the first message."""

    schema_version: int = 1
    spec: RunSpec
    federation: str
    synthetic: bool
    """Every site's data is synthetic, and every output says so."""
    note: Bilingual | None = None
    """What every output says of synthetic data, where the federation has words of its own."""
    roster: tuple[RosterSite, ...]
    engine: str
    strategy: str
    pairs: tuple[Pair, ...] = ()
    earlier: tuple[EarlierRun, ...] = ()
    """Runs that some of `pairs` name; what they need of them is carried over to releases/before-<number>/."""
    tasks: tuple[Task, ...] = ()
    """The tasks as they were run, so that a report needs no task's file; empty in a folder that is older than this."""
    about: dict[str, Bilingual] = Field(default_factory=dict)
    """What each model is, in words for readers; nothing where its card says nothing."""
    scorecards: tuple[Scorecard, ...] = ()
    """What 'better' may mean, stated before anything was measured."""
    started_at: str
    """ISO 8601 with time zone."""
    command: str
    git: str = ""


class Received(_Frozen):
    """What one site answered to one message.

    `slots` holds (key, code, values): the key as in `core.spec.Slot`, with the cell as a list; values are zeros where
    the code is not OK.
    """

    site: str
    moment: str
    status: Status
    code: Code = Code.OK
    absence: Absence | None = None
    """Why `missing`, where it is known."""
    slots: tuple[tuple[tuple[Any, ...], Code, tuple[int, ...]], ...] = ()
    adapter_code: Code = Code.OK
    cost: Cost = Cost()
    given_by: tuple[int, ...] = ()
    """Of a masked sum: how many sites gave each slot. Empty where the numbers are one site's own."""
    costed: int = 0
    """Of a masked sum: how many sites' cost is in it."""
    trained: int = 0
    """Of a masked sum: how many sites' training is in its adapter."""
    bytes_out: int = 0
    """Size of the reply as encoded."""
    bytes_in: int = 0
    """Size of the request as encoded."""
    rounding: int = 1
    """What the site rounds its counts to a multiple of; 1: its numbers are as they are."""
    seconds: float = 0.0
    """From sending the request to receiving the reply."""


class RunFolder:
    """Reads and writes one run's folder. Files are written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The run's name, as the folder's."""
        return self.path.name

    def write(self, name: str, text: str) -> Path:
        """Write `text` to `name` below the folder, atomically."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
        return path

    def info(self) -> RunInfo:
        """The run's specification. Raises DataError where the folder is no run."""
        path = self.path / "spec.json"
        if not path.is_file():
            raise DataError(
                Fault("not a run's folder: spec.json is missing", str(self.path), "see `kommunbench runs list`")
            )
        return RunInfo.model_validate_json(path.read_text(encoding="utf-8"))

    def write_info(self, info: RunInfo) -> None:
        """Write spec.json."""
        self.write("spec.json", info.model_dump_json(indent=1))
        self.journal.note("spec.json")

    @property
    def journal(self) -> Journal:
        """What the folder's files were when they were written."""
        return Journal(self.path)

    def keep(self, received: Received, receipt: bytes = b"") -> None:
        """Write what a site answered; a later answer to the same message takes the place of an earlier one."""
        file = f"releases/{received.moment}/{received.site}.json"
        self.write(file, received.model_dump_json())
        self.journal.note(file, receipt)

    def amend(self, received: Received) -> None:
        """Write an answer anew that the coordinator says something of, such as weights that it does not count.

        The site's receipt stays with it: the numbers are the ones that it signed.
        """
        file = f"releases/{received.moment}/{received.site}.json"
        signed = [noted.receipt for noted in self.journal if noted.file == file]
        self.keep(received, signed[-1].pack() if signed and signed[-1] else b"")

    def keep_request(self, request: Request) -> None:
        """Write what sites are asked, once."""
        file = request_file(request.digest)
        if not (self.path / file).is_file():
            self.write(file, request.model_dump_json())
            self.journal.note(file)

    def request(self, known: str) -> Request | None:
        """The request with that digest; None where it is not kept, or is another by now.

        By the file as it is: a later version may know more fields.
        """
        path = self.path / request_file(known)
        try:
            data = path.read_bytes()
            return Request.model_validate_json(data) if digest(json.loads(data)) == known else None
        except (OSError, ValueError):
            return None

    def forget(self, moment: str) -> None:
        """Remove the answers to a message that is asked anew."""
        files = [str(path.relative_to(self.path)) for path in sorted(self.path.glob(f"releases/{moment}/*.json"))]
        shutil.rmtree(self.path / "releases" / moment, ignore_errors=True)
        for file in files:
            self.journal.note(file)

    def judges(self) -> list[JudgeRef]:
        """Whose numbers were asked for, of those requests that are kept."""
        asked = (path.read_bytes() for path in sorted(self.path.glob(request_file("*"))))
        found = (Request.model_validate_json(data).judge for data in asked if b'"judge":{' in data)
        return list(dict.fromkeys(judge for judge in found if judge is not None))

    def received(self, moment: str = "*") -> Iterator[Received]:
        """Everything that was answered, in the order of moments and sites' names."""
        for path in sorted(self.path.glob(f"releases/{moment}/*.json")):
            yield Received.model_validate_json(path.read_text(encoding="utf-8"))


def request_file(known: str) -> str:
    """The path, in a run's folder, of the request with that digest."""
    return f"requests/{known}.json"


def cell_of(key: tuple[Any, ...]) -> Cell:
    """The (first) cell that a slot's key is about."""
    return Cell(*key[0])
