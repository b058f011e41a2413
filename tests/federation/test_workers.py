"""Worker processes: none outlives the coordinator that started it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

START = """
import time
from kommunbench.federation.engines.local import LocalGrid
if __name__ == "__main__":
    grid = LocalGrid([{"name": "ekby"}], workers=1)
    print(*grid.process_ids(), flush=True)
    time.sleep(120)
"""


def test_workers_end_when_the_coordinator_is_killed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    script = tmp_path / "start.py"
    script.write_text(START)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as coordinator:
        assert coordinator.stdout is not None
        worker = psutil.Process(int(coordinator.stdout.readline()))
        time.sleep(1)  # it is importing by now, so it would not see its pipe close
        coordinator.kill()
    worker.wait(timeout=30)
