"""The ledger: a line before the bytes, and a chain that shows whatever was done to it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path

import doorway as d
import pytest

from kommunbench.core.answer import Code, Cost, Memory
from kommunbench.core.errors import PolicyError
from kommunbench.release import Ledger, let_out, refuse, review, verify


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "kept" / "ledger.jsonl")


def fill(ledger: Ledger, count: int = 5) -> list[bytes]:
    for number in range(count):
        ledger.append({"what": number})
    return lines(ledger)


def lines(ledger: Ledger) -> list[bytes]:
    return ledger.path.read_bytes().splitlines(keepends=True)


def found(ledger: Ledger) -> list[tuple[int, str]]:
    return [(finding.line, finding.kind) for finding in verify(ledger.path)]


def put(ledger: Ledger, content: list[bytes]) -> None:
    ledger.path.write_bytes(b"".join(content))


def rehash(line: bytes, **changed: object) -> bytes:
    """What a forger would write: changed content under a hash that fits it, computed here independently."""
    entry = {**json.loads(line), **changed}
    del entry["hash"]
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    entry["hash"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(entry).encode() + b"\n"


def test_each_line_holds_its_own_hash_and_the_one_before(ledger):
    previous = "0" * 64
    for number, line in enumerate(fill(ledger), start=1):
        entry = json.loads(line)
        assert (entry["number"], entry["previous"]) == (number, previous)
        previous = entry.pop("hash")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        assert previous == hashlib.sha256(text.encode()).hexdigest()
    assert ledger.read_head() == (5, previous)
    assert found(ledger) == []


def test_no_ledger_and_an_empty_one_are_whole(ledger):
    assert verify(ledger.path) == []
    assert ledger.entries() == []
    ledger.path.parent.mkdir()
    ledger.path.touch()
    assert verify(ledger.path) == []


def test_only_the_owner_may_read_it(ledger):
    ledger.path.parent.mkdir()
    ledger.path.touch(mode=0o644)
    fill(ledger)
    for path in (ledger.path, ledger.head):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_does_not_write_through_a_link(ledger, tmp_path):
    ledger.path.parent.mkdir()
    (tmp_path / "elsewhere").touch()
    ledger.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"ledger\.jsonl"):
        ledger.append({})
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_it_writes_to_a_plain_file_only(ledger):
    ledger.path.parent.mkdir()
    os.mkfifo(ledger.path)
    with pytest.raises(OSError, match="plain file"):
        ledger.append({})


def test_a_changed_line_is_found(ledger):
    content = fill(ledger)
    put(ledger, [*content[:2], content[2].replace(b'"what":2', b'"what":9'), *content[3:]])
    assert found(ledger) == [(3, "changed")]


def test_a_line_changed_under_a_fitting_hash_is_found(ledger):
    content = fill(ledger)
    for place in (0, 2, 4):
        put(ledger, [*content[:place], rehash(content[place], what=9), *content[place + 1 :]])
        assert found(ledger) == [(place + 1, "changed")]


def test_where_the_last_line_was_changed_nothing_leaves_and_a_line_after_it_does_not_hide_it(ledger):
    content, request, head = fill(ledger), d.make_request(), ledger.head.read_bytes()
    for other in range(9, 17):  # its hash is now above that of the head, now below
        put(ledger, [*content[:4], rehash(content[4], what=other)])
        ledger.head.write_bytes(head)
        with pytest.raises(PolicyError, match="changed, missing or moved"):
            ledger.remembered()
        ledger.append({})
        assert found(ledger) == [(5, "changed")]
    assert let_out(d.make_policy(), request, d.make_answer(request), None, ledger).code is Code.INTERNAL


def test_a_line_that_is_no_line_is_found(ledger):
    content = fill(ledger)
    for place in (0, 2, 4):
        for junk in (b"{}\n", b"[]\n", b"\n", b"\xff\n", b"1\n", b"[" * 5000 + b"\n", b'{"hash":"","number":true}\n'):
            put(ledger, [*content[:place], junk, *content[place + 1 :]])
            assert found(ledger) == [(place + 1, "changed")]


def test_missing_lines_are_found_wherever_they_were(ledger):
    content = fill(ledger)
    for gone, expected in [
        ({1}, [(1, "missing")]),
        ({3}, [(3, "missing")]),
        ({2, 3}, [(2, "missing")]),
        ({5}, [(5, "missing")]),
        ({4, 5}, [(4, "missing")]),
        ({1, 2, 3, 4, 5}, [(1, "missing")]),
    ]:
        put(ledger, [line for place, line in enumerate(content, start=1) if place not in gone])
        assert found(ledger) == expected


def test_a_missing_and_a_changed_line_are_both_found(ledger):
    content = fill(ledger)
    put(ledger, [content[0], b"junk\n", *content[3:]])
    assert found(ledger) == [(2, "changed"), (3, "missing")]


def test_a_missing_file_is_found(ledger):
    fill(ledger)
    ledger.path.unlink()
    assert found(ledger) == [(1, "missing")]


def test_a_missing_or_unreadable_head_is_found(ledger):
    fill(ledger)
    ledger.head.write_text("no head")
    assert found(ledger) == [(6, "missing")]
    ledger.head.unlink()
    assert found(ledger) == [(6, "missing")]
    put(ledger, lines(ledger)[:2])
    assert found(ledger) == [(3, "missing")]


def test_what_is_wrong_is_said_in_words(ledger):
    content = fill(ledger)
    for now, said in (
        ([content[0], content[2], *content[3:]], "1 before it"),
        ([content[1], content[0], *content[2:]], "holds entry 1 and follows entry 2"),
        ([*content[:2], content[1], *content[2:]], "holds entry 2 and follows entry 2"),
        ([*content[:2], b"{}\n", *content[3:]], "is not a whole line"),
        (content[:3], "2 at the end"),
        ([*content[:4], rehash(content[4], what=9)], "its hash is not the one that was noted when it was written"),
        ([rehash(content[0], what=9), *content[1:]], "its hash is not the one that the next line states"),
    ):
        put(ledger, now)
        assert said in {finding.what for finding in verify(ledger.path)}, said


def test_a_line_that_is_there_twice_has_moved(ledger):
    content = fill(ledger)
    put(ledger, [*content[:2], content[1], *content[2:]])
    assert (3, "moved") in found(ledger)


def test_a_ledger_of_one_line_needs_no_head_and_one_that_is_emptied_has_lost_it(ledger):
    content = fill(ledger, 1)
    head = ledger.head.read_bytes()
    ledger.head.unlink()
    assert found(ledger) == []
    ledger.head.write_bytes(head)
    put(ledger, [])
    assert found(ledger) == [(1, "missing")]
    assert content


def test_moved_lines_are_found(ledger):
    content = fill(ledger)
    put(ledger, [content[0], content[2], content[1], *content[3:]])
    assert {kind for _, kind in found(ledger)} == {"moved"}
    assert {2, 3} <= {line for line, _ in found(ledger)}
    put(ledger, [*content, content[1]])
    assert found(ledger) == [(6, "moved")]


def test_lines_cut_off_stay_missed_when_it_goes_on(ledger):
    content = fill(ledger)
    put(ledger, content[:3])
    ledger.append({"what": "later"})
    assert found(ledger) == [(4, "missing")]


def test_a_torn_last_line_is_reported_and_does_not_block(ledger):
    content = fill(ledger)
    torn = content[4][:40]
    put(ledger, [*content[:4], torn])
    ledger.head.write_text(f"4 {json.loads(content[3])['hash']}\n")
    assert found(ledger) == [(5, "torn")]
    ledger.head.write_text(f"5 {json.loads(content[4])['hash']}\n")
    assert found(ledger) == [(5, "changed")]
    ledger.head.write_text(f"4 {json.loads(content[3])['hash']}\n")
    ledger.append({"what": "after the crash"})
    assert lines(ledger)[4] == torn + b"\n"
    assert found(ledger) == [(5, "torn")]
    assert [entry["number"] for entry in ledger.entries()] == [1, 2, 3, 4, 5]


def test_a_whole_line_feed_after_what_is_no_line_is_no_crash(ledger):
    put(ledger, [*fill(ledger), b"junk\n"])
    assert found(ledger) == [(6, "changed")]


def test_words_in_the_last_line_do_not_hide_it_when_the_head_is_lost(ledger):
    ledger.append({"why": "too few of them"})
    ledger.head.unlink()
    ledger.append({})
    assert [entry["number"] for entry in ledger.entries()] == [1, 2]
    assert found(ledger) == []


def test_a_last_line_without_its_line_feed_counts(ledger):
    content = fill(ledger)
    put(ledger, [*content[:4], content[4].rstrip()])
    ledger.append({})
    assert found(ledger) == []
    assert len(ledger.entries()) == 6


def test_a_crash_between_line_and_head_is_no_fault(ledger):
    content = fill(ledger)
    ledger.head.write_text(f"4 {json.loads(content[3])['hash']}\n")
    assert found(ledger) == []
    ledger.append({})
    assert found(ledger) == []


def test_the_line_is_on_disk_before_it_returns(ledger, monkeypatch):
    events = []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda handle, data: events.append("write") or write(handle, data))
    monkeypatch.setattr(os, "fsync", lambda handle: events.append("fsync") or fsync(handle))
    ledger.append({})
    assert events == ["write", "fsync", "write", "fsync"]


def test_a_full_disk_is_an_error(ledger, monkeypatch):
    monkeypatch.setattr(os, "write", lambda handle, data: len(data) - 1)
    with pytest.raises(OSError, match="part of the line"):
        ledger.append({})


def write_ten(path: str) -> None:
    for _ in range(10):
        Ledger(Path(path)).append({})


def test_several_processes_keep_their_lines_apart(ledger):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_ten, args=(str(ledger.path),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(ledger.entries()) == 30
    assert found(ledger) == []


class TestEntry:
    def enter(self, ledger, request, policy=None, **changed):
        policy = policy or d.make_policy()
        release = review(policy, request, d.make_answer(request, **changed), None)
        ledger.enter(release, request, policy)
        return release, ledger.entries()[-1]

    def test_says_what_left_to_which_run_under_which_policy(self, ledger):
        request, policy = d.make_request(), d.make_policy()
        release, entry = self.enter(ledger, request)
        assert entry["run"] == "pilot-1"
        assert entry["spec"] == request.spec.digest
        assert (entry["action"], entry["round"]) == ("work", 0)
        assert entry["tasks"] == ["guideline_qa", "summarization"]
        assert entry["models"] == ["lead", "nano"]
        assert entry["metrics"] == sorted({*d.QA.metrics, *d.SHORT.metrics})
        assert (entry["others"], entry["code"], entry["adapter"]) == (0, "OK", "")
        assert (entry["released"], entry["withheld"]) == (len(request.slots()), {})
        assert entry["payload"] == hashlib.sha256(release.payload()).hexdigest()
        assert entry["policy"] == policy.digest
        assert entry["time"].endswith("+00:00")
        assert entry["sets"]["summarization/test/rouge"] == [d.N]

    def test_counts_what_was_withheld_by_code(self, ledger):
        request = d.make_request()
        answer = d.make_answer(request)
        answer.values = {
            slot.key: d.row(slot, 3 if slot.key[0].task == "guideline_qa" else d.N) for slot in request.slots()
        }
        policy = d.make_policy()
        ledger.enter(review(policy, request, answer, None), request, policy)
        entry = ledger.entries()[-1]
        assert entry["withheld"] == {"TOO_FEW_EXAMPLES": 2 * len(d.QA.metrics)}
        assert entry["released"] == 2 * len(d.SHORT.metrics)
        assert all(name.startswith("summarization/") for name in entry["sets"])

    def test_names_only_what_the_policy_approves(self, ledger):
        policy = d.make_policy(tasks={"summarization": "installed"}, models={}, metrics=("rouge",))
        _, entry = self.enter(ledger, d.make_request(), policy)
        assert (entry["tasks"], entry["models"], entry["metrics"], entry["others"]) == (
            ["summarization"],
            [],
            ["rouge"],
            3,
        )

    @pytest.mark.parametrize("run", ["Anna Svensson 19121212-1212", "../../etc", "", "x" * 101, 'a"b', "a\nb", "å"])
    def test_a_run_whose_name_is_no_plain_name_is_written_as_a_digest(self, ledger, run):
        unchecked = d.make_spec().model_copy(update={"run": run})  # the spec refuses such a name before the ledger can
        _, entry = self.enter(ledger, d.make_request().model_copy(update={"spec": unchecked}))
        assert entry["run"] == hashlib.sha256(json.dumps(run, ensure_ascii=False).encode()).hexdigest()

    def test_of_a_refusal_names_nothing(self, ledger):
        request = d.make_request()
        ledger.enter(refuse(Code.POLICY_MISSING, request), request, None)
        entry = ledger.entries()[-1]
        assert (entry["tasks"], entry["models"], entry["metrics"], entry["others"], entry["policy"]) == (
            [],
            [],
            [],
            4,
            "",
        )
        assert entry["withheld"] == {"POLICY_MISSING": len(request.slots())}

    def test_of_training_says_what_became_of_the_adapter(self, ledger):
        request, policy = d.train_request(), d.make_policy()
        ledger.enter(review(policy, request, d.trained(request), d.weights()), request, policy)
        assert ledger.entries()[-1]["adapter"] == "TRAINING_DENIED"

    def test_of_work_says_how_long_all_of_it_took(self, ledger):
        request, policy = d.train_request(), d.make_policy()
        answer = replace(d.trained(request), cost=Cost(evaluate_ms=1234, train_ms=950))
        let_out(policy, request, answer, d.weights(), ledger)
        assert ledger.entries()[-1]["ms"] == 2184

    def test_of_a_request_without_layout_is_written(self, ledger):
        request = d.make_request(cells=(d.cell("unknown"),))
        ledger.enter(refuse(Code.BAD_REQUEST, request), request, d.make_policy())
        assert ledger.entries()[-1]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("changed", "kept"),
    [({}, True), ({"auc": "Anna Andersson"}, False), ({"tpr": float("nan")}, False), ({"members": [1]}, False)],
)
def test_what_weights_remember_stands_in_the_ledger_as_numbers_or_not_at_all(tmp_path, changed, kept):
    memory = Memory(**{"exposure_bits": 1.5, "auc": 0.5, "tpr": 0.0, "members": 30, "non_members": 30, **changed})
    request, ledger = d.train_request(), Ledger(tmp_path / "ledger.jsonl")
    let_out(d.make_policy(), request, replace(d.trained(request), memory=memory), d.weights(), ledger)
    (entry,) = ledger.entries()
    assert entry["memory"] == (asdict(memory) if kept else {})
    assert "Anna" not in ledger.path.read_text(encoding="utf-8")


def test_its_folder_is_made_for_the_owner_alone_and_what_is_noted_beside_it_has_its_name(tmp_path):
    ledger = Ledger(tmp_path / "site" / "kept" / "ledger.jsonl")
    ledger.append({})
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700
    assert {path.name for path in ledger.path.parent.iterdir()} == {"ledger.jsonl", "ledger.jsonl.head"}


def test_the_first_reply_makes_the_folder_too(tmp_path):
    ledger, request = Ledger(tmp_path / "site" / "kept" / "ledger.jsonl"), d.make_request()
    assert let_out(d.make_policy(), request, d.make_answer(request), None, ledger).code is Code.OK
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700
    assert {path.name for path in ledger.path.parent.iterdir()} == {
        "ledger.jsonl", "ledger.jsonl.head", "ledger.jsonl.lock",
    }  # fmt: skip
