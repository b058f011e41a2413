"""What can go wrong, with a stable exit code each.

    KommunbenchError            1
    ├── ConfigError             2   a setting is wrong or unknown
    ├── DataError               3   a site's file cannot be read as examples
    ├── TaskError               4   a task is unknown, malformed or not the one approved
    ├── ModelError              5   a model is unknown, incomplete or cannot do what is asked
    ├── PolicyError             6   a site's policy is absent, broken, or says no
    ├── FederationError         7   the roster, the quorum or the engine failed
    └── TrackingError           8   MLflow cannot be reached or refuses; the run's own files are untouched

An interrupted run exits with 130. No message ever quotes the text of an example: a fault says what is wrong, where
(file and line) and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

INTERRUPTED_EXIT_CODE = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: what, where (`file` or `file:line`, or a setting's dotted name), and what to do now."""

    what: str
    where: str = ""
    do: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f" ({self.do})" if self.do else "")


def plainly(fault: Mapping[str, Any]) -> str:
    """What one of pydantic's `ValidationError.errors()` says, to a person who writes a file of settings."""
    words = {"extra_forbidden": "unknown setting", "missing": "is missing"}
    return words.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")


class KommunbenchError(Exception):
    """Something the user can mend; it is shown as a sentence and never as a traceback.

    Args:
        *faults: every fault found, shown together. A plain string counts as a fault with no place.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, *faults: Fault | str) -> None:
        self.faults = tuple(Fault(fault) if isinstance(fault, str) else fault for fault in faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def raise_if(cls, faults: Iterable[Fault]) -> None:
        """Raise with all of `faults` at once; do nothing when there are none."""
        found = tuple(faults)
        if found:
            raise cls(*found)


class ConfigError(KommunbenchError):
    """A setting is wrong or unknown."""

    exit_code = 2


class DataError(KommunbenchError):
    """A site's file cannot be read as examples."""

    exit_code = 3


class TaskError(KommunbenchError):
    """A task is unknown, malformed, or not the one that was approved."""

    exit_code = 4


class ModelError(KommunbenchError):
    """A model is unknown, incomplete, or cannot do what is asked."""

    exit_code = 5


class PolicyError(KommunbenchError):
    """A site's policy is absent, broken, or says no."""

    exit_code = 6


class FederationError(KommunbenchError):
    """The roster, the quorum or the engine failed."""

    exit_code = 7


class TrackingError(KommunbenchError):
    """MLflow cannot be reached or refuses; the run's own files are untouched, so logging can be tried again."""

    exit_code = 8
