"""Releases that wait for a person at the site to say yes: the exact bytes, kept until someone has looked at them.

One folder beside the ledger, 0700, with two files a release: `<key>.release`, the bytes, and `<key>.json`, what asked
for them and what was decided; the key is of both, since two runs may be answered with the very same bytes. Approval is
of the bytes' digest, for one request at a time. When the coordinator asks the very same again, those bytes leave, not
new ones, unless the policy has changed in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from kommunbench.core.digests import digest, digest_bytes
from kommunbench.core.errors import Fault, PolicyError
from kommunbench.core.spec import Request
from kommunbench.release.ledger import Ledger
from kommunbench.release.policy import ReleasePolicy
from kommunbench.release.sealed import Release

Decision = Literal["waiting", "approved", "denied"]


class Waiting(BaseModel):
    """A release that was held for approval.

    Args:
        payload: SHA-256 of its bytes.
        policy: digest of the policy that it was reviewed under.
        made: UTC, ISO 8601; as is `decided`.
        by: who decided.
        data: the registrations of the data that the bytes were made of, by task.
        sets: how many examples are behind them (past.py).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    payload: str
    request: Request
    policy: str
    made: str
    decision: Decision = "waiting"
    by: str = ""
    why: str = ""
    decided: str = ""
    data: dict[str, str] = {}
    sets: dict[str, list[int]]

    @property
    def key(self) -> str:
        """What its two files are called."""
        return digest([self.payload, self.request.digest])


class Approvals:
    """What waits at one site, and what was decided about it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.folder = ledger.path.with_name("approvals")

    def hold(
        self, release: Release, request: Request, policy: ReleasePolicy, data: Mapping[str, str] | None = None
    ) -> Waiting:
        """Keep the bytes of `release` until someone decides; asked again, the latest bytes wait. Raises OSError."""
        for earlier in self.all():
            if earlier.request.digest == request.digest and earlier.decision == "waiting":
                self._bytes(earlier).unlink(missing_ok=True)
                self._record(earlier).unlink()
        waiting = Waiting(
            payload=release.digest,
            request=request,
            policy=policy.digest,
            made=_now(),
            data=dict(data or {}),
            sets=release.sets,
        )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(self._bytes(waiting), release.payload())
        self._keep(waiting)
        return waiting

    def decide(self, payload: str, decision: Literal["approved", "denied"], by: str, why: str = "") -> Waiting:
        """Say yes or no to the bytes with that digest, once, with a line in the ledger before it holds.

        Where several requests wait with the very same bytes, it is about the one that has waited longest.

        Raises:
            PolicyError: nothing with that digest waits, or its bytes are not what they were.
            OSError: the ledger's line or the decision cannot be written.
        """
        waiting = (each for each in self.all() if each.decision == "waiting")
        found = next((each for each in waiting if each.payload == payload), None)
        if found is None:
            raise PolicyError(Fault("nothing with that digest waits", payload, "see `kommunbench site preview`"))
        self.bytes_of(found)
        decided = found.model_copy(update={"decision": decision, "by": by, "why": why, "decided": _now()})
        self.ledger.append({"time": decided.decided, "decision": decision, "payload": payload, "by": by, "why": why})
        self._keep(decided)
        return decided

    def decided(self, request: Request, policy: ReleasePolicy) -> Waiting | None:
        """What was last decided about the very same request under the very same policy, if anything."""
        for each in reversed(self.all()):
            if (each.request.digest, each.policy) == (request.digest, policy.digest) and each.decision != "waiting":
                return each
        return None

    def bytes_of(self, waiting: Waiting) -> bytes:
        """The bytes that wait or were approved. Raises PolicyError where they are not what they were."""
        path = self._bytes(waiting)
        data = path.read_bytes() if path.is_file() else b""
        if digest_bytes(data) != waiting.payload:
            raise PolicyError(Fault("the bytes are not those that were reviewed", str(path), "let the run ask again"))
        return data

    def all(self) -> list[Waiting]:
        """Every release that was held, oldest first. Files that are not ours are passed over."""
        records = []
        for path in self.folder.glob("*.json"):
            try:
                record = Waiting.model_validate_json(path.read_bytes())
            except ValidationError:
                continue
            if path == self._record(record):
                records.append(record)
        return sorted(records, key=lambda record: (record.made, record.payload))

    def _keep(self, waiting: Waiting) -> None:
        draft = self._record(waiting).with_suffix(".new")
        _write(draft, waiting.model_dump_json(indent=1).encode())
        draft.replace(self._record(waiting))

    def _bytes(self, waiting: Waiting) -> Path:
        return self.folder / f"{waiting.key}.release"

    def _record(self, waiting: Waiting) -> Path:
        return self.folder / f"{waiting.key}.json"


def _write(path: Path, data: bytes) -> None:
    """For the owner alone."""
    path.touch(mode=0o600)
    path.write_bytes(data)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
