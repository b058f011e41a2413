"""Whatever is done to a run of masked sums is found: by the chain, and under a new chain by what sites signed."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federated_folder import settings_for
from kommunbench.cli.verify import verify
from kommunbench.core.answer import Code
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.spec import Request
from kommunbench.release import Identity
from kommunbench.report.journal import JOURNAL
from kommunbench.report.record import RunFolder
from kommunbench.report.verify import verify_run
from masked_run import SECAGG, SIZES, five_sites, losing, run_here


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    """One site is lost before its vector is in the first sum: its masks were taken off by the others."""
    five = five_sites(tmp_path_factory.mktemp("masked") / "data")
    return run_here(settings_for(five, *SECAGG, "name=masked"), losing("åvik", "mask"))


@pytest.fixture
def run(whole, tmp_path) -> RunFolder:
    for part in ("releases", "masked", "requests", "receipts"):
        shutil.copytree(whole.path / part, tmp_path / "masked" / part)
    shutil.copy(whole.path / "spec.json", tmp_path / "masked")
    return RunFolder(tmp_path / "masked")


def faults(run: RunFolder, *ledgers: Path) -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify_run(run, ledgers).faults]


def new_journal(run: RunFolder, left_out: str = "") -> None:
    """What somebody does who can write the whole folder: a journal that fits it, with the receipts that there are."""
    lines = [(each.file, each.receipt.pack() if each.receipt else b"") for each in run.journal]
    for path in (run.path / JOURNAL, run.path / f"{JOURNAL}.head"):
        path.unlink()
    for file, receipt in lines:
        if file != left_out:
            run.journal.note(file, receipt)


def change(run: RunFolder, pattern: str, how: Callable[[dict[str, Any]], Any]) -> None:
    (path, *_) = sorted(run.path.glob(pattern))
    content = json.loads(path.read_text())
    how(content)
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False))
    new_journal(run)


def test_an_untouched_run_is_whole_and_each_vector_has_its_receipt(run, whole):
    found = verify_run(run, [whole.path / "ledger" / site / "ledger.jsonl" for site in SIZES])
    assert (found.faults, found.privacy) == ([], "secagg")
    assert found.receipts == len(SIZES) - 1 + len(SIZES)
    assert found.keys == {site: Identity.of(whole.path / "sites" / site).public for site in SIZES}


def test_any_flipped_byte_is_found(run):
    draw = random.Random(7)
    files = [path for path in run.path.rglob("*.json*") if not path.name.endswith(".head")]
    assert len({path.parts[len(run.path.parts)] for path in files}) == 5
    missed = []
    for _ in range(60):
        path = draw.choice(files)
        before = path.read_bytes()
        changed = bytearray(before)
        place = draw.randrange(len(changed) - 1)
        changed[place] ^= draw.randrange(1, 256)
        path.write_bytes(changed)
        if not faults(run):
            missed.append((path.name, place))
        path.write_bytes(before)
    assert missed == []
    assert faults(run) == []


def test_a_line_of_the_journal_that_is_gone_or_moved_is_found(run):
    path = run.path / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    for at in range(len(lines)):
        other = (at + 1) % len(lines)
        swapped = list(lines)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        for changed in (lines[:at] + lines[at + 1 :], swapped):
            path.write_bytes(b"".join(changed))
            assert faults(run)
    path.write_bytes(b"".join(lines))
    assert faults(run) == []


def add_one(received: dict[str, Any]) -> None:
    slot = next(slot for slot in received["slots"] if slot[1] == 0)
    slot[2][-1] += 1


def swap_names(received: dict[str, Any]) -> None:
    first, second = received["slots"][:2]
    first[0], second[0] = second[0], first[0]


SUM = "releases/round-000/masked-sum.json"
TRANSCRIPT = "masked/round-000/*.json"
CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    (SUM, add_one, "the masked numbers give another sum"),
    (SUM, swap_names, "the masked numbers give another sum"),
    (SUM, lambda it: it["cost"].update(evaluate_ms=1), "the masked numbers give another sum"),
    (SUM, lambda it: it["given_by"].__setitem__(0, 5), "the masked numbers give another sum"),
    (SUM, lambda it: it.update(costed=5), "the masked numbers give another sum"),
    (SUM, lambda it: it.update(status="refused"), "masks were taken off and no sum is here"),
    ("masked/round-000/*/ekby.json", lambda it: it.update(words="0" * len(it["words"])), "not those that the site"),
    ("masked/round-000/*/ekby.json", lambda it: it.update(session="5" * 32), "missing: a site's masked numbers"),
    (TRANSCRIPT, lambda it: it["survivors"].remove("ekby"), "too few sites have signed who is in the sum"),
    (TRANSCRIPT, lambda it: it["survivors"].append("åvik"), "too few sites have signed who is in the sum"),
    (TRANSCRIPT, lambda it: it["confirmed"].clear(), "too few sites have signed who is in the sum"),
    (TRANSCRIPT, lambda it: it.update(threshold=2), "its threshold is not most of the sites"),
    (TRANSCRIPT, lambda it: it["cards"].update(ekby=it["cards"]["norr"]), "a key is not signed by its site"),
    (TRANSCRIPT, lambda it: it["secrets"].update(ekby="00" * 32), "no sum can be made"),
    (TRANSCRIPT, lambda it: it["secrets"].update(åvik="00" * 32), "no sum can be made"),
    (TRANSCRIPT, lambda it: it["secrets"].pop("åvik"), "no sum can be made"),
    (TRANSCRIPT, lambda it: it.update(session="5" * 32), "too few sites have signed who is in the sum"),
    (TRANSCRIPT, lambda it: it.update(work="5" * 64), "missing: the request that its sites answered"),
    ("releases/round-000/åvik.json", lambda it: it.update(status="ok"), "åvik.json: changed: it is not in the sum"),
    ("releases/round-000/ekby.json", lambda it: it.update(status="failed"), "ekby.json: changed: it is in the sum"),
    ("releases/round-000/ekby.json", lambda it: it.update(rounding=5), "the site rounds otherwise"),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_what_is_changed_under_a_new_journal_is_found_by_what_sites_signed(run, number):
    pattern, how, said = CHANGES[number]
    change(run, pattern, how)
    found = faults(run)
    assert any(said in fault for fault in found), found


def test_a_vector_that_is_left_out_of_a_new_journal_leaves_a_gap(run):
    (path,) = run.path.glob("masked/round-000/*/ekby.json")
    file = str(path.relative_to(run.path))
    path.unlink()
    new_journal(run, left_out=file)
    assert any("missing: a site's masked numbers" in fault for fault in faults(run))
    assert any("signed an answer before this one" in fault for fault in faults(run))


def test_a_whole_moment_that_is_left_out_is_found_by_a_sites_own_ledger(run, whole):
    files = [path for room in ("releases", "masked") for path in (run.path / room / "close").rglob("*.json")]
    lines = [(each.file, each.receipt.pack() if each.receipt else b"") for each in run.journal]
    for path in (*files, run.path / JOURNAL, run.path / f"{JOURNAL}.head"):
        path.unlink()
    for file, receipt in lines:
        if "/close/" not in file:
            run.journal.note(file, receipt)
    assert faults(run) == []
    assert any("ledger has an answer" in fault for fault in faults(run, whole.path / "ledger/norr/ledger.jsonl"))


def test_a_sum_of_another_moment_is_found(run):
    """Its session, vectors and masks are genuine; the request that they answer is another."""
    shutil.rmtree(run.path / "masked/close")
    shutil.copytree(run.path / "masked/round-000", run.path / "masked/close")
    sums = [run.path / "releases" / moment / f"{MASKED_SUM}.json" for moment in ("round-000", "close")]
    shutil.copy(*sums)
    new_journal(run)
    assert any("another moment's answer" in fault for fault in faults(run))


def test_a_sum_that_nobody_signed_is_not_called_whole(run):
    shutil.rmtree(run.path / "masked")
    new_journal(run)
    assert any("missing: what takes its masks off" in fault for fault in faults(run))


def test_a_session_that_came_to_nothing_leaves_receipts_and_no_fault(tmp_path):
    """Two of five are lost at `confirm`, so the first try ends, and another begins with the same sites."""
    lost = {"ekby", "norr"}
    once: set[str] = set()

    def at_confirm(site: str, request: Request) -> bool:
        gone = site in lost and request.masking is not None and request.masking.step == "confirm" and site not in once
        once.update({site} if gone else ())
        return gone

    words = (*SECAGG, "privacy.threshold=4", "name=again")
    run = run_here(settings_for(five_sites(tmp_path / "data"), *words), at_confirm)
    found = verify_run(run)
    assert found.faults == []
    assert found.receipts > 2 * len(SIZES)
    assert {received.status for received in run.received("round-000")} == {"ok"}


def test_numbers_whose_receipt_does_not_fit_are_in_no_sum(tmp_path, monkeypatch):
    """A stranger's key signs for `norr` once the coordinator knows the site's own from its registration."""
    settings = settings_for(five_sites(tmp_path / "data"), *SECAGG, "name=strange")
    from kommunbench.federation import rounds as module

    begin = module.Rounds.__init__

    def begin_with_a_key(self, grid, plan):
        begin(self, grid, plan)
        self.keys["norr"] = "0" * 64

    monkeypatch.setattr(module.Rounds, "__init__", begin_with_a_key)
    run = run_here(settings)
    by_site = {received.site: received for received in run.received("round-000")}
    assert (by_site["norr"].status, by_site["norr"].code) == ("failed", Code.BAD_RECEIPT)
    assert max(by_site[MASKED_SUM].given_by) == 3
    assert set(by_site[MASKED_SUM].given_by) == {0, 3}, "what no model reads is given by nobody, the rest by three"


def test_the_command_says_what_it_covers_in_this_mode(run):
    result = CliRunner().invoke(verify, [str(run.path)])
    assert result.exit_code == 0, result.output
    assert "each sum is that of the numbers which its sites signed behind masks" in result.output
    change(run, SUM, add_one)
    result = CliRunner().invoke(verify, [str(run.path)])
    assert result.exception.exit_code == 3
