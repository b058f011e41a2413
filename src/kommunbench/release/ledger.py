"""The ledger: what left this site, one line each, on disk before the bytes leave.

JSON lines, 0600, append-only. Each line holds the hash of the line before it and its own, so that a changed, missing or
moved line shows. A second small file, `<ledger>.head`, holds the number and hash of the last line, so that lines cut
off the end show as well. Where a line is changed, missing or moved, nothing more leaves: what the door does not know
of, it cannot take into account. Neither file holds text of any example: names are those of tasks, models and metrics
that this site has approved.

A crash while writing leaves a torn last line. Its release never left, since bytes leave after the line is on disk. The
next line is chained to the last whole one, the torn one stays where it is, and `verify` reports it; nothing is blocked.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from kommunbench.core.answer import Answer, Code, Memory
from kommunbench.core.digests import canonical, digest, digest_bytes
from kommunbench.core.errors import Fault, PolicyError
from kommunbench.core.spec import Request
from kommunbench.release.identity import Identity
from kommunbench.release.installation import code_digest, environment_digest
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.receipt import NONE, Digests, Receipt, behind
from kommunbench.release.sealed import Release

FIRST = "0" * 64
"""What stands for the hash before the first line."""
_RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Ledger:
    """One site's ledger. Several processes may write to it; a lock keeps their lines apart.

    Args:
        identity: signs a receipt for each release; without it there are none.
    """

    def __init__(self, path: Path, identity: Identity | None = None) -> None:
        self.path = path
        self.head = path.with_name(path.name + ".head")
        self.identity = identity

    def enter(
        self,
        release: Release,
        request: Request,
        policy: ReleasePolicy | None,
        approved_by: str = "",
        answer: Answer | None = None,
        dp: Mapping[str, Any] | None = None,
    ) -> Release:
        """Write and fsync one line about `release`, and give the release with the receipt that the line holds.

        `dp` is what its differential privacy has cost, as `budget.Spent.line` gives it.

        Raises:
            OSError: the line cannot be written. Nothing may leave then.
        """
        answer = answer or Answer()
        about = {**describe(release, request, policy, answer), "dp": dp or {}, "approved_by": approved_by}
        receipt = _unsigned(release, request, policy, answer) if self.identity else None
        line = self._append(about, receipt)
        return release.receipted(bytes.fromhex(line.get("receipt", "")))

    def enter_masked(self, release: Release, request: Request, policy: ReleasePolicy, line: Mapping[str, Any],
                     numbers: bytes) -> Release:  # fmt: skip
        """Write and fsync the `line` about masked numbers, and give the release with the receipt that the line holds.

        Args:
            line: as `describe` gives it, with what was reviewed; its `data` goes into the receipt.
            numbers: the masked words that a coordinator keeps; those of weights are not among them.

        Raises:
            OSError: the line cannot be written. Nothing may leave then.
        """
        receipt = _unsigned(release, request, policy, Answer(registrations=line.get("data", {})))
        bound = replace(receipt.digests, numbers=digest_bytes(numbers))
        entered = self._append(line, replace(receipt, digests=bound) if self.identity else None)
        return release.receipted(bytes.fromhex(entered.get("receipt", "")))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else is inside at the same time: what is read and then written stays true. Raises OSError."""
        with _locked(self.path.with_name(self.path.name + ".lock")):
            yield

    def append(self, entry: Mapping[str, Any]) -> str:
        """Write and fsync one line with `entry` and the chain's own fields, and return its hash. Raises OSError."""
        return str(self._append(entry, None)["hash"])

    def _append(self, entry: Mapping[str, Any], receipt: Receipt | None) -> dict[str, Any]:
        with _locked(self.path) as handle:
            data = _read(handle)
            number, previous = max(self.read_head(), _last(data), key=lambda end: end[0])
            # A receipt shows the hash of the line before it: without salt, what that line holds could be guessed at.
            line = {**entry, "salt": secrets.token_hex(16), "number": number + 1, "previous": previous}
            if receipt and self.identity:
                bound = replace(receipt.digests, previous=previous, before=_before(data, receipt.digests.spec))
                line["receipt"] = replace(receipt, number=number + 1, digests=bound).signed(self.identity).pack().hex()
            line["hash"] = digest(line)
            torn = b"\n" if data and not data.endswith(b"\n") else b""
            _write(handle, torn + canonical(line) + b"\n")
            self._write_head(line["number"], line["hash"])
        return line

    def entries(self) -> list[dict[str, Any]]:
        """Every line that is whole, in the file's order; none where there is no ledger yet."""
        lines = self.path.read_bytes().split(b"\n") if self.path.is_file() else []
        return [entry for entry in map(_parse, lines) if entry is not None]

    def remembered(self) -> list[dict[str, Any]]:
        """Every line, where all that were written are there and in order: what the door goes by.

        Raises:
            PolicyError: a line is changed, missing or moved. What has left would be forgotten with it, and so would
                its epsilon, so nothing more leaves.
        """
        written, last = self.read_head()  # before the lines: one that is written meanwhile is no fault
        entries, previous = self.entries(), FIRST
        for number, entry in enumerate(entries, start=1):
            if (entry["number"], entry["previous"]) != (number, previous):
                raise self._broken()
            previous = entry["hash"]
        if written > len(entries) or (written == len(entries) and last != previous):
            raise self._broken()
        return entries

    def _broken(self) -> PolicyError:
        do = "`kommunbench site ledger --verify` says where; bring it back from its copy, until then nothing leaves"
        return PolicyError(Fault("a line of the ledger is changed, missing or moved", str(self.path), do))

    def read_head(self) -> tuple[int, str]:
        """Number and hash of the last line that was written; (0, FIRST) where no head is kept or it is unreadable."""
        try:
            number, last = self.head.read_text(encoding="ascii").split()
            return int(number), last
        except (OSError, ValueError):
            return 0, FIRST

    def _write_head(self, number: int, last: str) -> None:
        draft = self.head.with_name(self.head.name + ".new")
        with _opened(draft, os.O_WRONLY | os.O_TRUNC) as handle:
            _write(handle, f"{number} {last}\n".encode())
        draft.replace(self.head)


def describe(
    release: Release, request: Request, policy: ReleasePolicy | None, answer: Answer | None = None
) -> dict[str, Any]:
    """The ledger's account of a release: which run asked, what left, under which policy, made of which data.

    Only names that the policy approves are written as they are; `others` counts the rest. A run's name that is no plain
    name is written as its digest. `data` has each approved task's registration, keyed by the site; `ms` is the time
    that the work took, also where nothing of it left; `memory` what was measured of trained weights (privacy/).
    """
    answer = answer or Answer()
    spec = request.spec
    codes = Counter(Code(int(code)).name for code in release.codes)
    approved = {name: sorted(names) for name, names in _approved(request, policy).items()}
    asked = len(spec.tasks) + len(spec.models)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": spec.run if _RUN_NAME.fullmatch(spec.run) else digest(spec.run),
        "spec": spec.digest,
        "mode": spec.privacy,
        "action": request.action,
        "round": request.round,
        **approved,
        "others": asked - len(approved["tasks"]) - len(approved["models"]),
        "code": release.code.name,
        "released": codes.pop(Code.OK.name, 0),
        "sets": release.sets,
        "withheld": dict(codes),
        "adapter": release.adapter_code.name if request.train else "",
        "payload": release.digest,
        "bytes": len(release.payload()),
        "policy": policy.digest if policy else "",
        "data": {name: mark for name, mark in answer.registrations.items() if name in approved["tasks"]},
        "ms": answer.cost.evaluate_ms + answer.cost.train_ms,
        "memory": _measured(answer.memory),
    }


def _measured(memory: object) -> dict[str, float]:
    """Finite numbers, and nothing else that could have come here in their place."""
    found = asdict(memory) if type(memory) is Memory else {}
    return found if all(type(part) in (int, float) and isfinite(part) for part in found.values()) else {}


def _unsigned(release: Release, request: Request, policy: ReleasePolicy | None, answer: Answer) -> Receipt:
    """What the site will sign about `release`; its place in the ledger is filled in when the line is written."""
    slots = request.slots() if (release.codes == Code.OK).any() else ()
    cells = {cell for slot, code in zip(slots, release.codes, strict=False) if code == Code.OK for cell in slot.cells}
    bound = Digests(
        spec=request.spec.digest,
        request=request.signed,
        **behind(request.spec, cells, bool(release.adapter)),
        data=digest(dict(answer.registrations)),
        code=code_digest(),
        environment=environment_digest(),
        policy=policy.digest if policy else NONE,
        numbers=release.numbers_digest,
        payload=release.digest,
        before=NONE,
        previous=NONE,
    )
    return Receipt(0, int(datetime.now(UTC).timestamp()), policy.rounding if policy else 1, bound)


def _before(data: bytes, spec: str) -> str:
    """The digest of the last receipt in the ledger's bytes that is about the run with digest `spec`."""
    for raw in reversed(data.split(b"\n")):
        entry = _parse(raw) if spec.encode() in raw else None
        if entry is not None and entry.get("spec") == spec and "receipt" in entry:
            return digest_bytes(bytes.fromhex(entry["receipt"]))
    return NONE


def _approved(request: Request, policy: ReleasePolicy | None) -> dict[str, set[str]]:
    if policy is None:
        return {"tasks": set(), "models": set(), "metrics": set()}
    tasks = [task for task in request.spec.tasks if policy.task_code(task) is Code.OK]
    return {
        "tasks": {task.name for task in tasks},
        "models": {model.name for model in request.spec.models if policy.model_code(model) is Code.OK},
        "metrics": {name for task in tasks for name in task.metrics if policy.metric_code(task, name) is Code.OK},
    }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a ledger.

    Args:
        line: counted from 1 in the file; one past the end for lines that are cut off.
        kind: `changed`, `missing` (before this line), `moved`, or `torn` (a crash while writing; its release never
            left).
    """

    line: int
    kind: Literal["changed", "missing", "moved", "torn"]
    what: str


def verify(path: Path, public: str = "") -> list[Finding]:
    """Everything that is wrong with the ledger at `path`, in the file's order; empty when it is whole.

    Receipts in it are held against their lines, and against the site's `public` key where that is given. Whoever can
    write the files and use the site's key can still make a new chain from the start: the receipts that others hold
    contradict it then. Make the file append-only too (`chattr +a`).
    """
    ledger = Ledger(path)
    data = path.read_bytes() if path.is_file() else b""
    lines = data.removesuffix(b"\n").split(b"\n") if data else []
    entries = [_parse(line) for line in lines]
    there = {entry["number"] for entry in entries if entry}
    findings: list[Finding] = []
    number, last = 0, FIRST
    unread: list[int] = []
    for place, entry in enumerate(entries, start=1):
        if entry is None:
            unread.append(place)
            continue
        findings += [*_compare(place, entry, (number, last), unread, there), *_receipt_findings(place, entry, public)]
        number, last = entry["number"], entry["hash"]
        unread = []
    return [*findings, *_compare_end(ledger, entries, unread, torn=not data.endswith(b"\n"))]


def _receipt_findings(place: int, entry: dict[str, Any], public: str) -> Iterator[Finding]:
    """A receipt in a line is genuine, the site's own, and about what its line says."""
    if "receipt" not in entry:
        return
    try:
        receipt = Receipt.read(bytes.fromhex(entry["receipt"]))
    except (ValueError, TypeError):
        yield Finding(place, "changed", "its receipt is not one")
        return
    stated = {"previous": entry["previous"], "spec": entry.get("spec"), "payload": entry.get("payload"),
              "policy": entry.get("policy") or NONE}  # fmt: skip
    if not receipt.genuine or (public and receipt.public != public):
        yield Finding(place, "changed", "its receipt is not signed by this site")
    elif (wrong := receipt.disagreements(stated)) or receipt.number != entry["number"]:
        yield Finding(place, "changed", f"its receipt states another {', '.join(wrong) if wrong else 'number'}")


def _compare(
    place: int, entry: dict[str, Any], before: tuple[int, str], unread: list[int], there: set[int]
) -> Iterator[Finding]:
    """What the step from the last readable line to this one shows; `unread` lines lie between them."""
    number, last = before
    chained = entry["previous"] == last and entry["number"] == number + 1
    for bad in unread:
        yield Finding(bad, "torn" if chained else "changed", "is not a whole line")
    if chained:
        return
    lost = set(range(number + 1, entry["number"])) - there
    if entry["number"] <= number or set(range(number + 1, entry["number"])) & there:
        yield Finding(place, "moved", f"holds entry {entry['number']} and follows entry {number}")
    elif len(lost) > len(unread):
        yield Finding(place, "missing", f"{len(lost) - len(unread)} before it")
    elif not unread:
        yield Finding(place - 1, "changed", "its hash is not the one that the next line states")


def _compare_end(
    ledger: Ledger, entries: list[dict[str, Any] | None], unread: list[int], torn: bool
) -> Iterator[Finding]:
    """What the noted head shows about the end of the file; `unread` lines come after the last readable one."""
    number, last = ledger.read_head()
    hashes = {entry["number"]: entry["hash"] for entry in entries if entry}
    highest = max(hashes, default=0)
    for bad in unread:
        crashed = torn and bad == len(entries) and number <= highest
        yield Finding(bad, "torn" if crashed else "changed", "is not a whole line")
    if number > highest + len(unread):
        yield Finding(len(entries) + 1, "missing", f"{number - highest - len(unread)} at the end")
    elif number == highest and hashes.get(number, last) != last:
        yield Finding(len(entries), "changed", "its hash is not the one that was noted when it was written")
    elif number == 0 and highest > 1:
        yield Finding(len(entries) + 1, "missing", f"perhaps: {ledger.head.name} is not there to tell")


def _parse(raw: bytes) -> dict[str, Any] | None:
    """A line whose own hash is right, else None."""
    try:
        entry = json.loads(raw)
        stated = entry.pop("hash")
        whole = isinstance(entry["previous"], str) and type(entry["number"]) is int and digest(entry) == stated
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return {**entry, "hash": stated} if whole else None


def _last(data: bytes) -> tuple[int, str]:
    """Number and hash of the last whole line."""
    for raw in reversed(data.split(b"\n")):
        if (entry := _parse(raw)) is not None:
            return entry["number"], entry["hash"]
    return 0, FIRST


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    """Open a plain file for the owner alone, never through a symbolic link, made if need be."""
    handle = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("the ledger is no plain file")
        os.fchmod(handle, 0o600)
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Nobody else is inside at the same time. Its folder is made for the owner alone where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _opened(path, os.O_RDWR | os.O_APPEND) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def _read(handle: int) -> bytes:
    return os.pread(handle, os.fstat(handle).st_size, 0)


def _write(handle: int, data: bytes) -> None:
    """Write all of `data` and wait until the disk has it. Raises OSError."""
    written = os.write(handle, data)
    if written != len(data):
        raise OSError(errno.ENOSPC, "the disk is full: it took a part of the line only")
    os.fsync(handle)
