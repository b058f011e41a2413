"""Masked sums over real processes and real TLS: exact, survived when a site is killed, and unreadable one by one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy import stats

from deployment.real import SITES, RealFederation
from kommunbench.core.answer import Code
from kommunbench.core.metric import add
from kommunbench.federation.rounds import pooled
from kommunbench.report.record import RunFolder
from kommunbench.report.transcript import MaskedRecord
from kommunbench.report.verify import verify_run

pytestmark = pytest.mark.slow
BASE = ("run", "federation=deployed", "strategy=none", "models=[lead,copy]", "tracking=off", "join_s=5", "quorum=2")
MASKED = ("privacy=secagg", "privacy.min_sites=2", "privacy.threshold=2", "privacy.step_s=25", "grace_s=5")


@pytest.fixture(scope="module")
def federation():
    federation = None
    place = Path(tempfile.mkdtemp(prefix="kb-"))  # short: a socket's path is
    try:
        federation = RealFederation(place)
        know_each_other(federation)
        for site in SITES:
            federation.start_node(site)
        federation.wait_online(*SITES)
        yield federation
    finally:
        if federation is not None:
            federation.end()
        shutil.rmtree(place)


def know_each_other(federation):
    """The coordinator's list, and each site's digits as its own people read them to the others."""
    listed = federation.place / "peers-list.yaml"
    listed.write_text(federation.say("peers"), encoding="utf-8")
    digits = {
        name: json.loads(done.stdout)["read_aloud"]
        for name in SITES
        if (done := federation.kommunbench("site", "identity", federation.home(name), "--json"))
    }
    for name in SITES:
        heard = [word for other in SITES if other != name for word in ("--heard", f"{other}={digits[other]}")]
        federation.site(name, "peers", str(listed), *heard)


def masked_run(federation, name, task, killed, step):
    """A run in which one site's node and worker are killed when everybody is asked for that step of the first sum."""
    words = [*BASE, *MASKED, f"tasks=[{task}]", "deadline_s=90", f"name={name}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kommunbench", *words], cwd=federation.place, env=federation.environment
    )
    end = time.monotonic() + 300
    while not any(event.get("step") == step for event in federation.events(name)):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    node = psutil.Process(json.loads((Path(federation.home(killed)) / "run" / "node.json").read_bytes())["pid"])
    for each in (*node.children(recursive=True), node):
        each.kill()
    assert process.wait(timeout=600) == 0
    return RunFolder(federation.place / "results" / name)


@pytest.fixture(scope="module")
def plain(federation):
    """Every site's own sums on two of the tasks."""
    federation.kommunbench(*BASE, "tasks=[summarization,lattlast]", "name=plain")
    return RunFolder(federation.place / "results" / "plain")


@pytest.fixture(scope="module")
def whole(federation, plain):
    """One site is killed when its numbers are in the sum and the masks are still on."""
    return masked_run(federation, "whole", "summarization", "cedra", "unmask")


@pytest.fixture(scope="module")
def parted(federation, whole):
    """One site is killed when it has dealt shares of its secrets and has given no numbers."""
    federation.start_node("cedra")
    federation.wait_online(*SITES)
    return masked_run(federation, "parted", "lattlast", "cedra", "mask")


def totals(folder, task, *sites):
    """What these sites released on a task in the first round, added up."""
    found = {}
    for received in folder.received("round-000"):
        for (cell, metric), code, values in received.slots if received.site in sites else ():
            if code is Code.OK and cell[0] == task:
                key = (cell[1], metric)
                found[key] = add(found[key], values) if key in found else values
    return found


def test_a_plain_run_s_receipts_are_held_against_the_registered_keys(plain):
    found = verify_run(plain)
    assert (found.faults, set(found.registered)) == ([], set(SITES))
    assert found.receipts == 2 * len(SITES)


def test_totals_are_the_plain_run_s_to_the_last_bit_though_a_site_was_killed_before_unmask(plain, whole):
    status = {received.site: received.status for received in whole.received("round-000")}
    assert {status[site] for site in SITES} == {"ok"}
    masked = {(cell.model, metric): total for (cell, metric), total in pooled(whole).items()}
    assert masked == totals(plain, "summarization", *SITES) != {}
    assert not any(received.slots for received in whole.received() if received.site in SITES)


def test_a_site_that_was_killed_before_its_numbers_were_in_is_left_out_of_the_sum(plain, parted):
    status = {received.site: received.status for received in parted.received("round-000")}
    assert (status["ale"], status["bro"]) == ("ok", "ok")
    assert status["cedra"] in ("missing", "failed")  # silent until the deadline, or Flower answered in its place
    (transcript,) = MaskedRecord(parted, "round-000").transcripts()
    assert (transcript.members, transcript.survivors) == (tuple(SITES), ("ale", "bro"))
    masked = {(cell.model, metric): total for (cell, metric), total in pooled(parted).items()}
    assert masked == totals(plain, "lattlast", "ale", "bro") != {}


def test_both_can_be_verified_from_the_coordinator_s_folder_by_registered_keys(federation, whole, parted):
    ledgers = [Path(federation.home(site)) / "ledger.jsonl" for site in SITES]
    for run in (whole, parted):
        found = verify_run(run, ledgers)
        assert (found.faults, set(found.registered)) == ([], set(SITES))


def test_a_single_site_s_vector_looks_uniform_to_the_coordinator(federation, whole):
    """Half bytes by chi squared, bits by their mean, none of its numbers in it; its plain numbers are far off."""
    for site in SITES:
        paths = sorted(whole.path.glob(f"masked/*/*/{site}.json"))
        data = b"".join(bytes.fromhex(json.loads(path.read_bytes())["words"]) for path in paths)
        assert len(data) >= 240, "half bytes: 30 of each of the 16, or more"
        assert stats.chisquare(half_bytes(data)).pvalue > 1e-6
        ones = int(np.unpackbits(np.frombuffer(data, np.uint8)).sum())
        assert stats.binomtest(ones, 8 * len(data)).pvalue > 1e-6
        own = (Path(federation.home(site)) / "secagg" / "whole" / "numbers").read_bytes()
        assert stats.chisquare(half_bytes(own)).pvalue < 1e-100
        words = set(np.frombuffer(data, "<u8").tolist())
        assert not words & {number for number in np.frombuffer(own, "<u8").tolist() if number > 1000}


def half_bytes(data: bytes) -> np.ndarray:
    """How often each of the 16 values is there."""
    both = np.frombuffer(data, np.uint8)
    return np.bincount(np.concatenate([both >> 4, both & 15]), minlength=16)
