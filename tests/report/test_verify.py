"""Whatever is done to a run's folder is found: a byte, a file, a line, an answer, a report."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kommunbench.cli.verify import verify
from kommunbench.core.answer import Code
from kommunbench.core.errors import DataError
from kommunbench.release import Identity
from kommunbench.report.journal import JOURNAL
from kommunbench.report.record import RunFolder
from kommunbench.report.verify import verify_run
from kommunbench.report.write import write_report
from release import doorway as d
from signed_run import SITES, answer_with, home, signed_run


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    return signed_run(tmp_path_factory.mktemp("runs") / "pilot-1")


@pytest.fixture
def run(whole, tmp_path) -> RunFolder:
    shutil.copytree(whole.path, tmp_path / "pilot-1")
    return RunFolder(tmp_path / "pilot-1")


def faults(run: RunFolder, *ledgers: Path) -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify_run(run, ledgers).faults]


def answers(run: RunFolder) -> list[Path]:
    return sorted(run.path.glob("releases/*/*.json"))


def forget_journal(run: RunFolder) -> list[tuple[str, bytes]]:
    """Take the journal away, as one does who will make it anew; give (file, receipt) of each line."""
    lines = [(each.file, each.receipt.pack() if each.receipt else b"") for each in run.journal]
    for path in (run.path / JOURNAL, run.path / f"{JOURNAL}.head"):
        path.unlink()
    return lines


def test_an_untouched_run_is_whole(run):
    found = verify_run(run, [home(run, site) / "ledger.jsonl" for site in SITES])
    assert (found.faults, found.answers, found.receipts) == ([], 6, 6)
    assert found.keys == {site: Identity.of(home(run, site)).public for site in SITES}


def test_any_flipped_byte_is_found(run):
    """100 bytes all over the folder, but for the journal's last line break, which may be any white space."""
    draw = random.Random(5)
    files = [run.path / "spec.json", run.path / JOURNAL, *answers(run), *sorted(run.path.glob("requests/*.json"))]
    missed = []
    for _ in range(100):
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


def test_what_the_coordinator_says_of_an_answer_leaves_its_receipt_standing(run):
    for received in list(run.received("round-000")):
        run.amend(received.model_copy(update={"adapter_code": Code.UPDATE_AGAINST}))
    found = verify_run(run, [home(run, site) / "ledger.jsonl" for site in SITES])
    assert (found.faults, found.remarks, found.receipts) == ([], ["there is no report yet"], 6)
    changed = next(run.received("round-001"))
    run.amend(changed.model_copy(update={"cost": replace(changed.cost, examples=changed.cost.examples + 10)}))
    assert any("not those that the site signed" in fault for fault in faults(run))


@pytest.mark.parametrize("at", range(6))
def test_an_answer_that_is_taken_away_or_added_is_found(run, at):
    path = answers(run)[at]
    kept = path.read_bytes()
    path.unlink()
    assert any("missing" in fault for fault in faults(run))
    path.write_bytes(kept)
    path.with_name("annan.json").write_bytes(kept)
    assert any("added" in fault for fault in faults(run))


def test_answers_that_change_places_are_found(run):
    left, right = answers(run)[0], answers(run)[2]
    first, second = left.read_bytes(), right.read_bytes()
    left.write_bytes(second)
    right.write_bytes(first)
    assert sum("another site's or another moment's" in fault for fault in faults(run)) == 2


@pytest.mark.parametrize("at", range(10))
def test_a_line_of_the_journal_that_is_gone_or_moved_is_found(run, at):
    path = run.path / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
    assert faults(run)
    other = (at + 1) % len(lines)
    lines[at], lines[other] = lines[other], lines[at]
    path.write_bytes(b"".join(lines))
    assert faults(run)


def test_a_number_that_is_changed_under_a_new_journal_is_found_by_its_signature(run):
    path = run.path / "releases" / "round-000" / "ekby.json"
    answer = json.loads(path.read_text())
    answer["slots"][0][2][0] += 1
    path.write_text(json.dumps(answer, separators=(",", ":"), ensure_ascii=False))
    for file, receipt in forget_journal(run):
        run.journal.note(file, receipt)
    assert faults(run) == ["releases/round-000/ekby.json: changed: its numbers are not those that the site signed"]


def remade(run: RunFolder) -> None:
    for file, receipt in forget_journal(run):
        run.journal.note(file, receipt)


def test_numbers_under_each_others_names_are_found_by_what_was_asked(run):
    path = run.path / "releases" / "round-000" / "ekby.json"
    answer = json.loads(path.read_text())
    answer["slots"][0][0], answer["slots"][1][0] = answer["slots"][1][0], answer["slots"][0][0]
    path.write_text(json.dumps(answer, separators=(",", ":"), ensure_ascii=False))
    remade(run)
    assert faults(run) == ["releases/round-000/ekby.json: changed: its numbers are not about what the site was asked"]


def test_a_request_that_is_changed_or_gone_under_a_new_journal_is_found(run):
    (path, *_) = sorted(run.path.glob("requests/*.json"))
    asked = json.loads(path.read_text())
    path.write_text(json.dumps({**asked, "seed": 5}))
    remade(run)
    assert any("missing: what the site was asked" in fault for fault in faults(run))
    path.unlink()
    remade(run)
    assert any("missing: what the site was asked" in fault for fault in faults(run))
    shutil.rmtree(run.path / "requests")
    remade(run)
    assert faults(run) == []  # as in a folder that is older than they are
    assert any("requests were not kept" in remark for remark in verify_run(run).remarks)


def test_an_answer_that_is_left_out_of_a_new_journal_leaves_a_gap(run):
    gone = "releases/round-001/åvik.json"
    (run.path / gone).unlink()
    for file, receipt in forget_journal(run):
        if file != gone:
            run.journal.note(file, receipt)
    assert faults(run) == [
        "releases/close/åvik.json: missing: the site signed an answer before this one that is not here"
    ]


def test_the_last_answer_left_out_is_found_by_the_sites_own_ledger(run):
    gone = "releases/close/åvik.json"
    (run.path / gone).unlink()
    for file, receipt in forget_journal(run):
        if file != gone:
            run.journal.note(file, receipt)
    assert faults(run) == []
    assert "ledger has an answer" in faults(run, home(run, "åvik") / "ledger.jsonl")[0]


def test_receipts_of_a_stranger_are_found(run, tmp_path):
    """The last answer is made anew with another key, its journal line with it."""
    stranger = RunFolder(tmp_path / "stranger")
    answer_with(stranger, "åvik", "close", d.close_request(), 60)
    shutil.copy(stranger.path / "releases/close/åvik.json", run.path / "releases/close/åvik.json")
    receipt = next(each.receipt for each in stranger.journal if each.receipt)
    run.journal.note("releases/close/åvik.json", receipt.pack())
    assert "releases/close/åvik.json: changed: its receipt is not signed by the site" in faults(run)


def test_a_run_without_a_journal_is_not_called_whole(run):
    shutil.rmtree(run.path / "receipts")
    assert any("no journal" in fault for fault in faults(run))


@pytest.mark.slow
def test_a_report_that_the_answers_do_not_give_is_found(run):
    write_report(run)
    assert faults(run) == []
    path = run.path / "report.json"
    text = path.read_text()
    assert '"n": 100' in text  # 40 and 60 examples, added
    path.write_text(text.replace('"n": 100', '"n": 101', 1))
    assert faults(run) == ["report.json: changed: the answers give another"]


def test_the_command_exits_with_3_and_names_the_place(run):
    result = CliRunner().invoke(verify, [str(run.path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["whole"] is True
    answers(run)[0].unlink()
    result = CliRunner().invoke(verify, [str(run.path)])
    assert isinstance(result.exception, DataError)
    assert result.exception.exit_code == 3
    assert "releases/close/ekby.json" in str(result.exception)


def test_a_report_says_whose_numbers_are_rounded(run):
    from kommunbench.report.build import build_report
    from kommunbench.report.notes import notes

    path = run.path / "releases" / "round-000" / "ekby.json"
    path.write_text(path.read_text().replace('"rounding":1', '"rounding":5'))
    report = build_report(run)
    assert {site.name: site.rounding for site in report.roster} == {"ekby": 5, "åvik": 1}
    assert any("Avrundade tal" in note and "Ekby kommun (5)" in note for note in notes(report, "sv"))
    assert any("its numbers are not those that the site signed" in fault for fault in faults(run))
