"""A site's own data -> its statistics through the door -> a stand-in for others, and two tables that stay at the site.

FOLDER/share/<task>.jsonl, statistics.json, README.txt     may be handed on
FOLDER/keep/likeness.*                                     compares with the real text; for the site alone
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kommunbench.core.answer import Code
from kommunbench.core.errors import ConfigError, DataError, Fault, PolicyError
from kommunbench.core.example import Example
from kommunbench.core.registry import did_you_mean, names
from kommunbench.core.task import Task, load_task, task_names
from kommunbench.privacy.memorisation import Canaries
from kommunbench.release.ledger import Ledger
from kommunbench.release.past import Past
from kommunbench.release.site_yaml import read_policy
from kommunbench.release.statistics import Statistics, let_out_statistics, review_statistics
from kommunbench.site.data import from_rows
from kommunbench.site.home import SiteHome
from kommunbench.site.likeness import Both, Leakage, Overlap, canaries_in, fidelity, leakage, overlaps, planted
from kommunbench.site.private import write_private
from kommunbench.site.sources import open_source
from kommunbench.synthetic.profile import count
from kommunbench.synthetic.stand_in import stand_in

NAME = "stand-in"
"""What the made site is called."""
README = """Ersättningsdata. Texterna är påhittade av kommunbench ur statistics.json och inget annat: antal, längder och
fördelning över slag, som platsens policy har släppt ut. Organisationer, personer, platser och nummer finns inte.
    kommunbench run federation=folder federation.path=data quorum=1

Stand-in data. The texts were invented by kommunbench out of statistics.json and nothing else: counts, lengths and mix
of kinds, as the site's policy let them out. Organisations, people, places and numbers do not exist.
    kommunbench run federation=folder federation.path=data quorum=1
"""


@dataclass(frozen=True, slots=True)
class Likeness:
    """One task's tables."""

    task: Task
    fidelity: tuple[Both, ...]
    overlaps: tuple[Overlap, ...]
    leakage: Leakage


@dataclass(frozen=True, slots=True)
class StandIn:
    """What was made, and how it compares.

    Args:
        rows: by task.
        uninvented: tasks with data here that have no generator.
    """

    statistics: Statistics
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    likeness: tuple[Likeness, ...]
    uninvented: tuple[str, ...]


def make_stand_in(
    home: SiteHome,
    tasks: Collection[str] = (),
    about: Mapping[str, object] | None = None,
    by: str = "",
    step: Callable[[int, int], object] = max,
) -> StandIn:
    """Count the site's data, let the statistics out, and make a stand-in of them. The ledger has its line then.

    Args:
        tasks: of which; by default all that the site has data for.
        about: `kind` and `seed` of the statistics.
        by: who does it, for the ledger.
        step: is called with how many steps are done, and of how many.

    Raises:
        ConfigError: no site's folder, or no such task.
        DataError: no data, or a file that cannot be read; or a planted canary came through, and nothing is to be used.
        PolicyError: the site's policy is absent, broken or says no, or there is too little of everything.
    """
    about = about or {"kind": "municipality", "seed": 1}
    policy = read_policy(home.policy)
    real = _examples(home, tasks)
    uninvented = tuple(name for name in real if name not in names("synthetic"))
    known = {name: load_task(name) for name in real if name not in uninvented}
    canaries, steps = Canaries.drawn(int(str(about["seed"]))), 2 * len(known)
    counted, with_canaries = [], []
    for done, (name, task) in enumerate(known.items(), start=1):
        counted.append(count(task, real[name]))
        with_canaries.append(count(task, planted(task, real[name], canaries)))
        step(done, steps)
    statistics = let_out_statistics(policy, counted, about, Ledger(home.ledger), by)
    PolicyError.raise_if(_nothing(statistics))
    rows = stand_in(statistics)
    trial = stand_in(review_statistics(policy, with_canaries, about, Past()))
    likeness = []
    for done, (name, made) in enumerate(rows.items(), start=len(known) + 1):
        task, own = known[name], from_rows(made, known[name], NAME)
        found = canaries_in(canaries, [*made, *trial.get(name, ())])
        leaked = leakage(task, real[name], list(own), (len(canaries.planted), found))
        likeness.append(
            Likeness(task, tuple(fidelity(task, real[name], list(own))), overlaps(task, real[name], list(own)), leaked)
        )
        step(done, steps)
    leaks = [Fault("a planted canary came through", each.task.name) for each in likeness if each.leakage.found]
    DataError.raise_if(leaks)
    return StandIn(statistics, rows, tuple(likeness), uninvented)


def write_stand_in(made: StandIn, folder: Path, pages: Mapping[str, str]) -> None:
    """Write both folders; `pages` are what stays, by file name.

    Raises:
        ConfigError: the folder is there and not empty.
        OSError: it cannot be written.
    """
    share, keep = free_folder(folder) / "share", folder / "keep"
    data = share / "data" / NAME
    data.mkdir(parents=True)
    keep.mkdir(mode=0o700)
    (share / "README.txt").write_text(README, encoding="utf-8")
    (share / "statistics.json").write_text(made.statistics.model_dump_json(indent=1) + "\n", encoding="utf-8")
    for name, rows in made.rows.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (data / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    for name, page in pages.items():
        write_private(keep / name, page.encode(), durable=True)


def free_folder(folder: Path) -> Path:
    """The folder, if it is not there yet or empty. Raises ConfigError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(Fault("there is something here already", str(folder), "name a new folder"))
    return folder


def _nothing(statistics: Statistics) -> Iterator[Fault]:
    """Why, where no task's statistics may leave."""
    for place, code in statistics.withheld.items() if not statistics.tasks else ():
        yield Fault(f"nothing of it may leave: {Code(code).name}", place, "site.yaml says what may")


def _examples(home: SiteHome, tasks: Collection[str]) -> dict[str, list[Example]]:
    """The site's examples by task, of those tasks that it has data for."""
    settings = home.site_settings(home.path.name)
    source = open_source(settings)
    unknown = [name for name in tasks if name not in task_names(settings.tasks)]
    ConfigError.raise_if(
        Fault(f"no task {name!r}", "--task", did_you_mean(name, task_names(settings.tasks))) for name in unknown
    )
    found, faults = {}, []
    for name in tasks or task_names(settings.tasks):
        data = source.read(load_task(name, settings.tasks))
        faults += [] if data is None or not data.refused else list(data.faults)
        if data is not None and len(data):
            found[name] = list(data)
        elif name in tasks and data is None:
            faults.append(Fault(f"no data for {name}", str(settings.data), "kommunbench site import FILES --task TASK"))
    DataError.raise_if(faults)
    if not found:
        raise DataError(Fault("no data for any task", str(settings.data), "kommunbench site import FILES --task TASK"))
    return found
