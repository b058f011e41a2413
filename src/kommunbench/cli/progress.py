"""How a run is going: which moment, which sites, how long still. Read from the run's events, whatever the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from kommunbench.cli.hold import holder
from kommunbench.core.answer import Code
from kommunbench.federation.progress import read_events
from kommunbench.report.codes import remedy, told

CLOSING_SHARE = 0.1
"""The closing message's share of a round's work, for the time left."""


class Progression:
    """What a run's events add up to."""

    def __init__(self) -> None:
        self.moments: list[str] = []
        self.sites: list[str] = []
        self.moment = ""
        self.answered: set[str] = set()
        self.troubles: list[str] = []
        self.started = self.now = 0.0
        self.ended = False

    def take(self, event: dict[str, Any]) -> None:
        """Take one event in."""
        self.now = event["time"]
        match event["kind"]:
            case "start":
                self.moments, self.sites = event["moments"], event["sites"]
                self.started, self.ended = event["time"], False
            case "moment":
                self.moment, self.answered = event["name"], set(event["kept"])
            case "reply":
                self.answered.add(event["site"])
                if event["status"] != "ok":
                    self.troubles.append(f"{event['moment']}: {event['site']} {_why(event)}")
            case "end" | "stopped":
                self.ended = True

    @property
    def share(self) -> float:
        """How much of the run is done, 0..1."""
        if self.moment not in self.moments:
            return 0.0
        weights = [CLOSING_SHARE if moment == "close" else 1.0 for moment in self.moments]
        at = self.moments.index(self.moment)
        done = sum(weights[:at]) + weights[at] * len(self.answered) / max(1, len(self.sites))
        return min(1.0, done / sum(weights))

    def seconds_left(self, at: float) -> float | None:
        """By the pace until `at`, in seconds since the epoch; None until there is one."""
        if self.share < 0.02:
            return None
        return (at - self.started) * (1 - self.share) / self.share

    @property
    def line(self) -> str:
        """One line about now."""
        if not self.moment:
            return "starting"
        return f"{self.moment}: {len(self.answered)} of {len(self.sites)} sites"


def _why(event: dict[str, Any]) -> str:
    """Why a reply does not count: in words, with the code, and what to do now."""
    code, absence = Code[event["code"]], event.get("absence")
    name = code.name if code is not Code.OK else str(absence or event["status"]).upper()
    do = remedy(name)
    return f"{told(event['status'], code, absence).en} ({name})" + (f": {do.en}" if do else "")


def clock(seconds: float | None) -> str:
    """`1:05` for 65 seconds, `-:--` for unknown."""
    return "-:--" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


@contextmanager
def watching(run: Path, console: Console) -> Iterator[None]:
    """Show a run's progress while the body runs: a bar on a terminal, a line a moment elsewhere."""
    over = threading.Event()
    skip = sum(1 for _ in read_events(run))
    thread = threading.Thread(target=watch, args=(run, console, over, skip), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)


def follow(run: Path) -> Iterator[dict[str, Any]]:
    """Each event of `run` as it comes, with `share` (0..1) and `left_s`; until it has ended, or nobody conducts it."""
    progression, skip = Progression(), 0
    while True:
        conducted = holder(run) is not None  # asked first: what a process says before it ends is still read
        for event in read_events(run, skip):
            skip += 1
            progression.take(event)
            left_s = progression.seconds_left(event["time"])
            yield event | {"share": round(progression.share, 3), "left_s": None if left_s is None else round(left_s)}
        if progression.ended or not conducted:
            return
        time.sleep(0.25)


def watch(run: Path, console: Console, over: threading.Event, skip: int = 0, elsewhere: bool = False) -> None:
    """Show the events of `run` from number `skip` on, until `over` is set or the run has ended.

    Args:
        elsewhere: another process conducts it; when none does any longer, that is its end too.
    """
    progression = Progression()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[left]} left"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=1.0, left="-:--")
        while True:
            last_look = over.is_set() or (elsewhere and holder(run) is None)
            skip = _take_new(run, progression, console, skip)
            _draw(bar, task, progression)
            if last_look or progression.ended:
                return
            over.wait(0.25)


def _take_new(run: Path, progression: Progression, console: Console, skip: int) -> int:
    for event in read_events(run, skip):
        skip += 1
        troubles = len(progression.troubles)
        progression.take(event)
        for trouble in progression.troubles[troubles:]:
            console.print(f"  {trouble}", markup=False, highlight=False)
        if event["kind"] == "moment" and not console.is_terminal:
            left = clock(progression.seconds_left(time.time()))
            console.print(f"{event['name']}: asking {len(event['sites'])} sites, {left} left", markup=False)
    return skip


def _draw(bar: Progress, task: TaskID, progression: Progression) -> None:
    left = clock(progression.seconds_left(time.time()))
    bar.update(task, completed=progression.share, description=progression.line, left=left)


class Peak:
    """The peak memory of this process and all below it, in GiB (resident, shared pages counted for each)."""

    def __init__(self) -> None:
        self.gibibytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _sample(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.5):
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.gibibytes = max(self.gibibytes, total / 2**30)
