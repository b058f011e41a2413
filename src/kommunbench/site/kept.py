"""Every file that a site keeps, why, whether there is text in it, and until when; and how it goes.

Text of examples is in the site's own data and, where its policy keeps answers to judge, in those and in ratings; the
rest has none. The ledger is never purged: it says what has left, which stays true. Removing is unlinking: what a disk
or a copy of it remembers is for municipal IT to see to.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from kommunbench.release import Approvals, Ledger
from kommunbench.site.carried import FOLDER as CARRIED
from kommunbench.site.errors_page import FOLDER as ERRORS
from kommunbench.site.evaluations import KeptEvaluations
from kommunbench.site.log import LOG
from kommunbench.site.registrations import FOLDER as REGISTRATIONS
from kommunbench.site.settings import EVALUATIONS

OF_RUNS = ("tallies", "answers", "judged", "secagg", CARRIED)
"""Folders with one of each run in them."""
HasText = Literal["yes", "no", "unknown"]


class Kind(NamedTuple):
    """Files of one sort: where in the home folder, what for, with text or not, and whether they go with time."""

    pattern: str
    sv: str
    en: str
    text: HasText = "no"
    expires: bool = False


LOG_KIND = Kind(LOG, "logg: fel och var i koden, rad för rad", "log: faults and where in the code, by line", "no", True)
DATA = Kind("data/**", "platsens egna exempel; rörs aldrig", "the site's own examples; never touched", "yes")
UNKNOWN = Kind("", "okänd; inte skriven av kommunbench", "unknown; not written by kommunbench", "unknown")
KINDS = (
    Kind("site.yaml", "policy: vad som får lämna platsen", "policy: what may leave the site"),
    Kind(
        "identity.key",
        "nyckel som platsen signerar med; lämnar den aldrig",
        "key that the site signs with; never leaves",
    ),
    Kind(
        "node.key", "nyckel som noden känns igen på; lämnar den aldrig", "key that the node is known by; never leaves"
    ),
    Kind("node.yaml", "nodens inställningar", "the node's settings"),
    Kind("invitation.yaml", "samordnarens inbjudan", "the coordinator's invitation"),
    Kind("request.yaml", "platsens ansökan", "the site's request to join"),
    Kind("ca.pem", "samordnarens certifikatutfärdare", "the coordinator's certificate authority"),
    Kind("node.log*", "nodens logg: förbindelse och processer", "the node's log: connection and processes"),
    Kind("run/**", "processer som är i gång", "processes that are running"),
    Kind("peers.yaml", "andra platsers nycklar som ni har jämfört", "other sites' keys that you have compared"),
    Kind("approved/**", "uppgifter i den form som godkändes", "tasks in the form that was approved"),
    Kind("tasks/**", "platsens egna uppgifter", "the site's own tasks"),
    Kind("conf/**", "platsens egna modellkort", "the site's own model cards"),
    Kind("models/**", "platsens egna modellvikter", "the site's own model weights"),
    DATA,
    Kind("ledger.jsonl*", "liggare: vad som har lämnat platsen", "ledger: what has left the site"),
    LOG_KIND,
    Kind("answers/*/*.jsonl", "modellers svar som sparats för bedömning", "models' answers, to be judged", "yes", True),
    Kind("judged/*/*.jsonl", "domarmodellens siffror per svar", "the judge's numbers by answer", "no", True),
    Kind(f"{ERRORS}/*.md", "sidor om fel, med platsens text", "pages of errors, with the site's text", "yes", True),
    Kind("secagg/*/*", "platsens tal i en maskerad summa", "the site's numbers in a masked sum", "no", True),
    Kind("review/**", "den egna granskningen", "the site's own review", "yes", True),
    Kind("ratings/**", "personalens bedömningar och kommentarer", "staff's ratings and comments", "yes", True),
    Kind("evidence/**", "underlag för dataskydd", "evidence for data protection"),
    Kind("tallies/*/*.npz", "resultat per exempel, heltal", "results by example, integers", "no", True),
    Kind(
        f"{EVALUATIONS}/**",
        "resultat per exempel att återanvända, heltal",
        "results by example to be used again, integers",
        "no",
        True,
    ),
    Kind(
        f"{CARRIED}/*/*.safetensors",
        "vad träningen bär med sig till nästa omgång",
        "what training carries to its next round",
        "no",
        True,
    ),
    Kind("approvals/*.release", "svar som väntar eller väntade på beslut", "replies held for a decision", "no", True),
    Kind("approvals/*.json", "vad som frågades och beslutades", "what was asked and decided", "no", True),
    Kind(f"{REGISTRATIONS}/*.json", "registrering av en datamängd", "registration of a data set", "no", True),
)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file.

    Args:
        mode: permissions; `loose` where others than the owner may read a key or what is kept of a run.
        expires: when the policy's retention removes it, ISO date; empty: it stays.
    """

    path: Path
    kind: Kind
    mode: int
    size: int
    changed: datetime
    expires: str = ""

    @property
    def loose(self) -> bool:
        """Whether others than its owner may read what only the owner should."""
        return bool(self.mode & 0o077) and (self.kind.expires or self.kind.pattern.endswith(".key"))

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "path": str(self.path), "sv": self.kind.sv, "en": self.kind.en, "text": self.kind.text, "loose": self.loose,
            "mode": f"{self.mode:04o}", "bytes": self.size, "changed": self.changed.isoformat(timespec="seconds"),
            "expires": self.expires or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where one site keeps things.

    Args:
        home: its own folder; ledger: the ledger's file, beside which approvals lie; data: the folder of its examples.
    """

    home: Path
    ledger: Path
    data: Path | None = None


def inventory(place: Place, retention_days: int = 0) -> list[KeptFile]:
    """Every file in the site's folder, beside its ledger and in its data folder, by path."""
    folders = {place.home.resolve(), place.ledger.parent.resolve()}
    data = place.data.resolve() if place.data is not None else None
    found: dict[Path, KeptFile] = {}
    for folder in sorted(folders):
        for path in (each for each in folder.rglob("*") if each.is_file() or each.is_symlink()):
            if data is None or not path.is_relative_to(data):
                found[path] = _file(path, _kind(path.relative_to(folder)), retention_days)
    if data is not None:
        found |= {path: _file(path, DATA, 0) for path in data.rglob("*") if path.is_file()}
    return [found[path] for path in sorted(found)]


def _kind(path: Path) -> Kind:
    return next((kind for kind in KINDS if _matches(path, kind.pattern)), UNKNOWN)


def _matches(path: Path, pattern: str) -> bool:
    """`folder/**` is all below a folder; else a pattern has as many parts as the path."""
    if pattern.endswith("/**"):
        return path.parts[0] == pattern.removesuffix("/**")
    return path.match(pattern) and len(path.parts) == pattern.count("/") + 1


def _file(path: Path, kind: Kind, retention_days: int) -> KeptFile:
    state = path.lstat()
    changed = datetime.fromtimestamp(state.st_mtime, UTC)
    goes = kind.expires and kind is not LOG_KIND and retention_days
    expires = (changed + timedelta(days=retention_days)).date().isoformat() if goes else ""
    return KeptFile(path, kind, stat.S_IMODE(state.st_mode), state.st_size, changed, expires)


def of_run(place: Place, run: str) -> list[KeptFile]:
    """What is kept of one run: tallies, answers, pages about them, what training carries, replies that were held.

    Tallies that another run has taken over are that run's as well, and are not among them.
    """
    ledger = Ledger(place.ledger)
    tasks = {task for entry in ledger.entries() if entry.get("run") == run for task in entry.get("tasks", ())}
    pages = {f"{run}-{task}" for task in tasks}
    held = {each.key for each in Approvals(ledger).all() if each.request.spec.run == run}
    of_folder = {(folder, run) for folder in OF_RUNS}
    own = {path.resolve() for path in KeptEvaluations(place.home / EVALUATIONS).of_run(run)}
    return [
        each
        for each in inventory(place)
        if each.kind.expires
        and (
            each.path.parts[-3:-1] in of_folder
            or each.path.stem in held
            or each.path.resolve() in own
            or (each.path.parent.name == ERRORS and each.path.name.removesuffix(".md").removesuffix(".en") in pages)
        )
    ]


def of_registration(place: Place, registration: str) -> list[KeptFile]:
    """What is kept of one data set: its record, and the tallies and held replies of the runs that used it."""
    runs = {entry["run"] for entry in Ledger(place.ledger).entries() if registration in entry.get("data", {}).values()}
    own = [
        each for each in inventory(place) if each.path.stem == registration and each.path.parent.name == REGISTRATIONS
    ]
    return [*own, *(each for run in sorted(runs) for each in of_run(place, run))]


def older_than(place: Place, days: int, now: datetime | None = None) -> list[KeptFile]:
    """What was last changed more than `days` days ago and may go; of the log, see `trim_log`."""
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    return [
        each for each in inventory(place) if each.kind.expires and each.kind is not LOG_KIND and each.changed < before
    ]


def purge(place: Place, files: Iterable[KeptFile], why: str, by: str = "") -> list[KeptFile]:
    """Remove `files`, with a line in the ledger before any of them goes.

    Args:
        why: `run`, `registration`, `older-than` or `retention`, with what was named; it goes into the ledger.

    Raises:
        OSError: the line cannot be written, and nothing is removed; or a file cannot be removed.
    """
    going = [each for each in files if each.kind.expires]
    if not going:
        return []
    now = datetime.now(UTC).isoformat(timespec="seconds")
    size = sum(each.size for each in going)
    Ledger(place.ledger).append({"time": now, "purged": len(going), "bytes": size, "why": why, "by": by})
    for each in going:
        each.path.unlink(missing_ok=True)
    for folder in {each.path.parent for each in going if each.path.parts[-3] in OF_RUNS}:
        if not any(folder.iterdir()):
            folder.rmdir()
    return going


def trim_log(home: Path, days: int, now: datetime | None = None) -> int:
    """Drop the log's lines from more than `days` days ago, in place; give how many went.

    A line without a time of its own goes or stays with the one before it.
    """
    path = home / LOG
    if not path.is_file():
        return 0
    before = ((now or datetime.now().astimezone()) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if _dated(line) and line[:19] >= before), None)
    kept = lines[first:] if first is not None else [] if any(map(_dated, lines)) else lines
    if len(kept) < len(lines):
        path.write_text("".join(kept), encoding="utf-8")  # the same file: a handler that is open goes on at its end
    return len(lines) - len(kept)


def keep_no_longer(place: Place, retention_days: int) -> None:
    """What the policy's `retention_days` says, done: called before a site works. Raises OSError."""
    if retention_days:
        trim_log(place.home, retention_days)
        purge(place, older_than(place, retention_days), f"retention {retention_days}")


def _dated(line: str) -> bool:
    return len(line) > 19 and line[4] == line[7] == "-" and line[:4].isdigit()


def trained_on(entries: Iterable[dict[str, Any]], registration: str) -> Iterator[dict[str, Any]]:
    """The trainings that used a data set, as the ledger has them: run, round, task, and whether the weights left."""
    for entry in entries:
        tasks = [task for task, mark in entry.get("data", {}).items() if mark == registration]
        if tasks and entry.get("adapter") in ("OK", "PENDING", "ADAPTER_DENIED"):
            yield {"run": entry["run"], "round": entry["round"], "time": entry["time"], "tasks": tasks,
                   "left": entry["adapter"] == "OK"}  # fmt: skip
