"""One process a run, whoever it is and however it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from kommunbench.cli.hold import holder, holding
from kommunbench.core.errors import FederationError

HOLD = """
import sys, time
from pathlib import Path
from kommunbench.cli.hold import holding
with holding(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_and_told_of_the_first(tmp_path, held):
    assert holder(tmp_path) == held.pid
    with pytest.raises(FederationError, match=f"process {held.pid}"), holding(tmp_path):
        pass


def test_a_killed_process_holds_nothing(tmp_path, held):
    held.kill()
    held.wait()
    assert holder(tmp_path) is None
    with holding(tmp_path):
        assert holder(tmp_path) == os.getpid()
    assert holder(tmp_path) is None


FORK = """
import multiprocessing, os, sys, time
from pathlib import Path
from kommunbench.cli.hold import holding
def work():
    print(os.getpid(), flush=True)
    time.sleep(60)
with holding(Path(sys.argv[1])):
    multiprocessing.get_context("fork").Process(target=work).start()
    time.sleep(60)
"""


def test_a_worker_that_outlives_its_killed_coordinator_holds_nothing(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", FORK, tmp_path], stdout=subprocess.PIPE)
    worker = int(process.stdout.readline())
    assert holder(tmp_path) == process.pid
    process.kill()
    process.wait()
    try:
        assert holder(tmp_path) is None
    finally:
        os.kill(worker, signal.SIGKILL)


def test_sigterm_interrupts_as_ctrl_c_does(tmp_path, held):
    held.terminate()
    assert b"KeyboardInterrupt" in held.communicate(timeout=20)[1]


@pytest.mark.slow
def test_a_dry_run_asks_sites_what_they_hold_and_leaves_nothing(tmp_path):
    words = ["run", "+experiment=quick", f"results={tmp_path}/r", "tasks=[lattlast]"]
    command = [sys.executable, "-m", "kommunbench", *words]
    done = subprocess.run([*command, "dry_run=true"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "nothing was measured" in " ".join(done.stdout.split())
    assert "norrgryta: data for lattlast: too few examples to be released (TOO_FEW_EXAMPLES)" in done.stdout
    assert "at most 2 messages to each of 6 sites" in " ".join(done.stdout.split())
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_detached_run_is_listed_cancelled_and_can_be_gone_on_with(tmp_path):
    from kommunbench.cli.runs import app

    words = ["detach=true", "+experiment=quick", "tasks=[lattlast]", "models=[copy]", "tracking=off",
             "name=bakom", f"results={tmp_path}"]  # fmt: skip
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "kommunbench", "run", *words], check=True, capture_output=True, cwd=tmp_path)
    while holder(tmp_path / "bakom") is None and time.monotonic() - started < 60:
        time.sleep(0.05)
    said = CliRunner().invoke(app, ["cancel", "bakom", "--results", str(tmp_path)])
    assert said.exit_code == 0, said.output
    assert holder(tmp_path / "bakom") is None
    assert "stopped" in said.output or "done" in said.output


@pytest.mark.slow
def test_a_full_disk_stops_a_run_in_a_sentence_and_it_is_gone_on_with(tmp_path):
    """/dev/full answers as a full disk does."""
    words = [
        "+experiment=quick",
        "tracking=off",
        "name=full",
        f"results={tmp_path}",
        "tasks=[lattlast]",
        "models=[copy]",
    ]
    command = [sys.executable, "-m", "kommunbench"]
    (tmp_path / "full").mkdir()
    events = tmp_path / "full" / "events.jsonl"
    events.symlink_to("/dev/full")
    done = subprocess.run([*command, "run", *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == FederationError.exit_code
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    events.unlink()
    subprocess.run([*command, "runs", "resume", "full", "--results", tmp_path], check=True, cwd=tmp_path)
    assert (tmp_path / "full" / "report.json").is_file()
