"""Energy, where the machine tells it: Linux's power capping counters (RAPL), read before and after the work.

They count all that the processor's packages use, whoever uses it, and no graphics card: so the figure is of the machine
while the work was done, an upper bound for the work itself on a machine that does nothing else. Many machines have no
counters or let only root read them; then there is no figure, and none is guessed.
"""

from __future__ import annotations

from pathlib import Path

COUNTERS = Path("/sys/class/powercap")
_UJ_A_J = 10**6


class EnergyMeter:
    """Joules of the machine's processor packages since the meter was made."""

    def __init__(self, counters: Path = COUNTERS) -> None:
        self._packages = [
            folder for folder in sorted(counters.glob("*-rapl:*")) if folder.name.count(":") == 1 and _read(folder)
        ]
        self._before = {folder: _read(folder) for folder in self._packages}

    @property
    def tells(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._packages)

    def joules(self) -> int:
        """Whole joules by now; 0 where nothing can be read."""
        return self.microjoules() // _UJ_A_J

    def microjoules(self) -> int:
        """As `joules`, in parts of a million. A counter that has begun anew since is read on."""
        used = 0
        for folder, before in self._before.items():
            after = _read(folder)
            used += after - before if after >= before else after + _read(folder, "max_energy_range_uj") - before
        return used


def _read(folder: Path, name: str = "energy_uj") -> int:
    """A counter in microjoules; 0 where it is not there, or not for us to read."""
    try:
        return int((folder / name).read_text())
    except (OSError, ValueError):
        return 0
