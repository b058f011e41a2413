"""Worker processes: forked where that loses nothing, and none outlives the coordinator that started it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

FORKED = """
import sys, threading
from kommunbench.federation.engines.local import LocalGrid
grid = LocalGrid([{"name": "ekby"}, {"name": "tolby"}], workers=2)
print([type(worker.process).__name__ for worker in grid._workers], sorted({"torch", "datasets"} & set(sys.modules)))
grid.close()
print([worker.process.exitcode for worker in grid._workers])
threading.Thread(target=threading.Event().wait, daemon=True).start()
grid = LocalGrid([{"name": "ekby"}], workers=1)
print([type(worker.process).__name__ for worker in grid._workers])
"""
START = """
import time
from kommunbench.federation.engines.local import LocalGrid
if __name__ == "__main__":
    grid = LocalGrid([{"name": "ekby"}], workers=1)
    print(*grid.process_ids(), flush=True)
    time.sleep(120)
"""


def test_workers_are_forked_before_any_thread_or_torch_is_there_and_end_when_told() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['ForkProcess', 'ForkProcess'] []", "[0, 0]", "['SpawnProcess']"]


def test_workers_end_when_the_coordinator_is_killed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "start.py"
    script.write_text(START)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as coordinator:
        assert coordinator.stdout is not None
        worker = psutil.Process(int(coordinator.stdout.readline()))
        time.sleep(1)  # it is importing by now, so it would not see its pipe close
        coordinator.kill()
    worker.wait(timeout=30)
