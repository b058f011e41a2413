"""Break the door on purpose, and see whether its tests notice: mutmut's mutants, tried in forks of one pytest.

    mutmut run "kommunbench.release.peers.*"       # mutmut 3 makes all mutants and learns which test calls what
    python benchmarks/mutants.py                   # tries every mutant that has no verdict yet
    python benchmarks/mutants.py cells policy      # of these files alone
    python benchmarks/mutants.py --again           # and those once more that survived

They come in an order drawn by --seed, so that what has been tried when it is stopped is a random sample.

mutmut starts pytest anew for each mutant and has it find up to 370 tests again, one by one: seconds, where the first
of them notices in a millisecond. Here tests are found once. Each mutant is a fork that runs the tests which call the
changed function until one fails: those in the file's own test module first, quick ones before slow ones, searches last.
Verdicts go where mutmut keeps them (`mutmut results`).
At the end stands the table of docs/mutants.md, and --survivors writes the list of those that nobody noticed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import is_hypothesis_test
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

ROOT = Path.cwd()
NO_TESTS, TIMEOUT, SURVIVED = 33, 36, 0
LIMIT_S, LIMIT_CPU_S = 300, 60
ARGS = ("-q", "-x", "-s", "--rootdir=.", "--disable-plugin-autoload", "-p", "_hypothesis_pytestplugin",
        "--hypothesis-profile=mutants", "-p", "no:cacheprovider", "tests/release")  # fmt: skip


def verdicts() -> list[SourceFileMutationData]:
    """What mutmut knows of each file of the door."""
    found = [SourceFileMutationData(path=path) for path in sorted(walk_mutatable_files())]
    for each in found:
        each.load()
    return found


class Forks:
    """In place of pytest's own loop over the tests that it found: a fork for each mutant."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.children = asked.children
        stats = json.loads((ROOT / "mutants" / "mutmut-stats.json").read_text(encoding="utf-8"))
        self.seconds, self.callers = stats["duration_by_test"], stats["tests_by_mangled_function_name"]
        self.running: dict[int, tuple[SourceFileMutationData, str, float, str]] = {}
        self.done = 0
        wanted = (None, SURVIVED) if asked.again else (None,)
        self.todo = [
            (data, name)
            for data in verdicts()
            if not asked.files or Path(data.path).stem in asked.files
            for name, code in data.exit_code_by_key.items()
            if code in wanted
        ]
        random.Random(asked.seed).shuffle(self.todo)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        gc.freeze()
        if self.fork(session, list(items.values()), "") != SURVIVED:
            raise SystemExit("the tests fail without a mutant")
        for data, mutant in self.todo:
            tests = self.callers.get(mangled_name_from_mutant_name(mutant), ())
            own = sorted((items[test] for test in tests if test in items), key=self.order(f"/test_{data.path.stem}.py"))
            if not own:
                self.note(data, mutant, NO_TESTS, 0.0)
                continue
            while len(self.running) >= self.children:
                self.reap()
            folder = tempfile.mkdtemp(prefix="kb-mutant-")
            pid = os.fork()
            if not pid:
                self.child(session, own, mutant, folder)
            self.running[pid] = (data, mutant, time.monotonic(), folder)
        while self.running:
            self.reap()
        return True

    def order(self, file: str) -> Callable[[pytest.Item], tuple[bool, bool, float]]:
        """Searches last; before them, the tests in `file` first, and quick ones first."""
        return lambda item: (
            is_hypothesis_test(getattr(item, "obj", None)),
            file not in item.nodeid,
            self.seconds.get(item.nodeid, 0),
        )

    def fork(self, session: pytest.Session, items: list[pytest.Item], mutant: str) -> int:
        folder = tempfile.mkdtemp(prefix="kb-mutant-")
        pid = os.fork()
        if not pid:
            self.child(session, items, mutant, folder)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        shutil.rmtree(folder, ignore_errors=True)
        return code

    def child(self, session: pytest.Session, items: list[pytest.Item], mutant: str, folder: str) -> None:
        """Run the tests until one fails; never returns."""
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_CPU_S, LIMIT_CPU_S + 1))
        os.environ["MUTANT_UNDER_TEST"] = mutant
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        session.config._tmp_path_factory._basetemp = Path(folder)  # type: ignore[attr-defined]
        try:
            for item, following in zip(items, [*items[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    break
        except BaseException:
            os._exit(1)
        os._exit(1 if session.testsfailed else SURVIVED)

    def reap(self) -> None:
        """Wait for one to end, or for its time to be up."""
        while True:
            pid, state = os.waitpid(-1, os.WNOHANG)
            if pid in self.running:
                break
            for late, (_, _, began, _) in self.running.items():
                if time.monotonic() - began > LIMIT_S:
                    os.kill(late, 9)
            time.sleep(0.002)
        data, mutant, began, folder = self.running.pop(pid)
        code = os.waitstatus_to_exitcode(state)
        self.note(data, mutant, code if code in (SURVIVED, 1) else TIMEOUT, time.monotonic() - began)
        shutil.rmtree(folder, ignore_errors=True)
        self.done += 1
        if not self.done % 50:
            print(f"{self.done} of {len(self.todo)}", file=sys.__stderr__, flush=True)

    def note(self, data: SourceFileMutationData, mutant: str, code: int, seconds: float) -> None:
        data.exit_code_by_key[mutant], data.durations_by_key[mutant] = code, seconds
        here = Path.cwd()
        os.chdir(ROOT)
        data.save()
        os.chdir(here)


def table() -> Iterator[str]:
    """By file: how many mutants, and what became of them."""
    kinds = ("killed", "survived", "timeout", "no tests", "not checked")
    yield "| file | mutants | " + " | ".join(kinds) + " |\n|---|" + "---:|" * (len(kinds) + 1)
    total: Counter[str] = Counter()
    for data in verdicts():
        found = Counter(status_by_exit_code[code] for code in data.exit_code_by_key.values())
        total += found
        if found:
            cells = " | ".join(str(found[kind]) for kind in kinds)
            yield f"| `{Path(data.path).name}` | {found.total()} | {cells} |"
    yield f"| all | {total.total()} | " + " | ".join(str(total[kind]) for kind in kinds) + " |"


def survivors() -> Iterator[dict[str, Any]]:
    """Those that no test noticed: their name, and the line as it is and as it was changed to."""
    for data in verdicts():
        for mutant, code in data.exit_code_by_key.items():
            if status_by_exit_code[code] in ("survived", "timeout", "no tests"):
                lines = get_diff_for_mutant(mutant, path=Path(data.path)).splitlines()[2:]
                before, after = ([line[1:].strip() for line in lines if line[:1] == sign] for sign in "-+")
                yield {"mutant": mutant, "is": status_by_exit_code[code], "before": before, "after": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--again", action="store_true", help="also those that survived, under the tests as they are now"
    )
    parser.add_argument("files", nargs="*", help="of the door, without .py; none: all of them")
    parser.add_argument("--children", type=int, default=2, help="so many at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    parser.add_argument("--survivors", type=Path, help="write them to this file, as JSON lines")
    parser.add_argument("--only-table", action="store_true", help="try nothing")
    asked = parser.parse_args()
    if not asked.only_table:
        for place in (ROOT, ROOT / "src"):  # else the tests would import what is not broken
            sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != place]
        sys.path[:0] = [str(ROOT / "mutants" / name) for name in ("src", "tests", "benchmarks")]
        forks = Forks(asked)
        os.chdir(ROOT / "mutants")
        os.environ["MUTANT_UNDER_TEST"] = ""
        pytest.main(list(ARGS), plugins=[forks])
        os.chdir(ROOT)
    print("\n".join(table()))
    if asked.survivors:
        asked.survivors.write_text(
            "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in survivors()), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
