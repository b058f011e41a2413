"""Everything that can fall while sites train, in one run of real processes: its rows are those of one that had peace.

A round a fault. What was injected and what happened is in docs/threat-model.md.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deployment.namespaces import COORDINATOR, SITES
from deployment.real import RealFederation
from kommunbench.federation.deployment import service
from models.conftest import make

pytestmark = pytest.mark.slow
ROUNDS = 7


@pytest.fixture(scope="module")
def words(federation: RealFederation) -> list[str]:
    """A run that trains a tiny model, which every site has installed, for some seconds a round."""
    folder = federation.place / "tiny"
    folder.mkdir()
    make(folder, "llama")
    for site in ("ale", "bro"):
        federation.site(site, "model", "add", str(folder), "--name", "tiny", "--trainable")
    card = {"name": "tiny", "family": "huggingface", "path": str(folder), "trainable": True}
    cards = federation.place / "extra" / "models"
    cards.mkdir(parents=True)
    package = "# @package models.tiny\n"
    (cards / "tiny.yaml").write_text(package + yaml.safe_dump(card), encoding="utf-8")
    return ["run", "--config-dir", "extra", "models=[tiny]", "costs=false",
            "trained_model=tiny", "tasks=[lattlast]", "strategy=fedavg", f"rounds={ROUNDS}", "evaluate_every=1",
            "train.rank=4", "train.alpha=4", "train.batch_size=1", "train.epochs=2", "train.max_length=96",
            "max_examples=10", "tasks.lattlast.max_new_tokens=8", "tracking=off", "join_s=5",
            "quorum=2", "grace_s=200"]  # fmt: skip


@pytest.fixture(scope="module")
def peaceful(federation: RealFederation, words: list[str]) -> str:
    """A run that nothing happens to, with the same text and policies: in this machine's own processes."""
    for site in ("ale", "bro"):
        own = federation.place / "folder" / site
        own.mkdir(parents=True)
        for name in ("site.yaml", "data/lattlast.jsonl"):
            shutil.copy(Path(federation.home(site), name), own)
    there = ["federation=folder", f"federation.path={federation.place / 'folder'}", "federation.sites=[ale,bro]"]
    assert federation.start_run([*words, *there, "name=peace"]).wait(timeout=600) == 0
    return "peace"


class Hurt:
    """A run to which something happens in each round, and when the site that it happens to is at what."""

    def __init__(self, federation: RealFederation, words: list[str]) -> None:
        self.federation, self.told = federation, dict[str, float]()
        there = ["federation=deployed", "federation.sites=[ale,bro]"]
        self.process = federation.start_run([*words, *there, "name=hurt"])
        self.home = Path(federation.home("ale"))

    def wait(self, what: Callable[[], bool], seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.federation.events("hurt")[-6:]
            time.sleep(0.02)

    def asked(self, round_: int) -> bool:
        return any(each["kind"] == "moment" and each["name"] == f"round-{round_:03}"
                   for each in self.federation.events("hurt"))  # fmt: skip

    def trains(self, round_: int) -> bool:
        """The round's evaluation is kept: what follows it in the same message is training."""
        kept = self.home / "tallies" / "hurt"
        return kept.is_dir() and len(list(kept.iterdir())) > round_

    def released(self) -> int:
        """Lines of the site's ledger: one is written when an answer has been worked out, before it leaves."""
        ledger = self.home / "ledger.jsonl"
        return len(ledger.read_text(encoding="utf-8").splitlines()) if ledger.is_file() else 0

    def again(self) -> None:
        self.federation.kill_node("ale")
        self.federation.start_node("ale")

    def timed(self, fault: Callable[[Hurt, int], None], round_: int) -> None:
        """Injects a fault in a round and waits for the next; the seconds from the one to the other."""
        self.wait(lambda: self.asked(round_))
        began = time.monotonic()
        fault(self, round_)
        self.wait(lambda: self.asked(round_ + 1))
        self.told[fault.__name__] = round(time.monotonic() - began, 1)

    def site_before_training(self, round_: int) -> None:
        self.again()

    def site_during_training(self, round_: int) -> None:
        self.wait(lambda: self.trains(round_))
        self.again()

    def site_after_training(self, round_: int) -> None:
        """Its answer is worked out and in the ledger, and nothing of it has left: its SuperNode stands still."""
        self.wait(lambda: self.trains(round_))
        before = self.released()
        self.federation.node_processes("ale")["supernode"].suspend()
        self.wait(lambda: self.released() > before)
        self.again()

    def site_in_the_reply(self, round_: int) -> None:
        """It is sending its answer to a front that takes it and says nothing."""
        self.wait(lambda: self.trains(round_))
        before = self.released()
        with self.federation.front_stopped():
            self.wait(lambda: self.released() > before)
            time.sleep(3)
            self.federation.kill_node("ale")
        self.federation.start_node("ale")

    def superlink(self, round_: int) -> None:
        self.wait(lambda: self.trains(round_))
        dict(service.alive(self.federation.folder))["superlink"].kill()

    def network_for_a_minute(self, round_: int) -> None:
        self.wait(lambda: self.trains(round_))
        machines = self.federation.machines
        with machines.cut() if machines else self.federation.front_stopped():
            time.sleep(60)

    def server_app(self, round_: int) -> None:
        """`kommunbench run` itself; it is gone on with."""
        self.wait(lambda: self.trains(round_))
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = self.federation.start_run(["runs", "resume", "hurt"])


FAULTS = (Hurt.site_before_training, Hurt.site_during_training, Hurt.site_after_training, Hurt.site_in_the_reply,
          Hurt.superlink, Hurt.network_for_a_minute, Hurt.server_app)  # fmt: skip


@pytest.fixture(scope="module")
def hurt(federation: RealFederation, words: list[str], peaceful: str) -> Hurt:
    run = Hurt(federation, words)
    try:
        for round_, fault in enumerate(FAULTS):
            run.timed(fault, round_)
        run.told["exit code"] = run.process.wait(timeout=300)
    finally:
        run.process.kill()
        print(json.dumps(run.told))
    return run


def test_a_run_in_which_everything_fell_ends_with_the_rows_of_one_that_had_peace(
    federation: RealFederation, peaceful: str, hurt: Hurt
) -> None:
    assert hurt.told["exit code"] == 0
    report, expected = federation.report("hurt"), federation.report(peaceful)
    assert report["complete"]
    assert report["rows"] == expected["rows"]
    assert report["pairs"] == expected["pairs"]
    assert {site["name"]: site["status"] for site in report["roster"]} == {"ale": "ok", "bro": "ok"}


def test_each_site_counts_once_a_round_whatever_fell(federation: RealFederation, hurt: Hurt) -> None:
    counted = [(each["moment"], each["site"]) for each in federation.events("hurt")
               if each["kind"] == "reply" and each["status"] == "ok"]  # fmt: skip
    assert len(counted) == len(set(counted))
    assert {site for _, site in counted} == {"ale", "bro"}
    assert len({moment for moment, _ in counted}) == ROUNDS + 2  # every round, the base models and the closing sums


def test_no_machine_spoke_to_any_other(federation: RealFederation, hurt: Hurt) -> None:
    """Every packet on the cable, over two whole runs: the sites call the coordinator's one port, and nobody else."""
    if federation.machines is None:
        pytest.skip("needs network namespaces: root and iproute2")
    port = federation.address[1]
    assert {address for address, _ in federation.machines.seen} == {COORDINATOR, SITES}
    assert {at for address, at in federation.machines.seen if address == COORDINATOR} <= {port, 0}
