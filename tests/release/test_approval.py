"""A person's yes: nothing leaves before it, those very bytes after it, and the ledger says who."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import datetime, timedelta

import doorway as d
import pytest

from kommunbench.core.answer import Code
from kommunbench.core.errors import PolicyError
from kommunbench.release import Approvals, Ledger, let_out, refuse, review
from kommunbench.release.past import Past
from kommunbench.release.review import readmit

WORK, TRAIN = d.make_request(), d.train_request()
RESULTS = d.make_policy(results="approve")
WEIGHTS = d.make_policy(training="allow", adapters="approve")


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.jsonl")


def ask(ledger, policy=RESULTS, request=WORK, n=d.N):
    answer = d.trained(request) if request.train else d.make_answer(request, n)
    return let_out(policy, request, answer, d.weights() if request.train else None, ledger)


def only(ledger):
    (waiting,) = Approvals(ledger).all()
    return waiting


def test_results_wait_and_leave_when_approved(ledger):
    first = ask(ledger)
    assert (first.code, first.values.any(), set(first.codes.tolist())) == (Code.PENDING, False, {Code.PENDING})
    held = only(ledger)
    Approvals(ledger).decide(held.payload, "approved", by="Registrator")
    answer = d.make_answer(WORK, 20)
    second = let_out(RESULTS, WORK, answer, None, ledger)
    assert (second.code, second.digest) == (Code.OK, held.payload)
    assert d.rows_of(WORK, second) == {slot.key: (Code.OK, d.row(slot)) for slot in WORK.slots()}
    entries = ledger.entries()
    assert [entry.get("approved_by") for entry in entries] == ["", None, "Registrator"]
    assert (entries[1]["decision"], entries[1]["payload"]) == ("approved", held.payload)
    assert entries[2]["payload"] == held.payload


def test_weights_wait_and_the_results_leave(ledger):
    first = ask(ledger, WEIGHTS, TRAIN)
    assert (first.code, first.adapter_code, first.adapter) == (Code.OK, Code.PENDING, {})
    assert first.values.any()
    Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    second = ask(ledger, WEIGHTS, TRAIN)
    assert second.adapter_code is Code.OK
    assert second.adapter["layer.0.lora_A"].tolist() == [[1.0] * 3] * 2


def test_while_weights_wait_the_results_are_still_held_against_other_runs(ledger):
    other = d.make_request(spec=d.make_spec(run="pilot-2"))
    assert ask(ledger, d.make_policy(), other, n=d.N - 1).values.any()
    release = ask(ledger, WEIGHTS, TRAIN)
    assert release.adapter_code is Code.PENDING
    assert set(release.codes.tolist()) == {Code.SMALL_CELL}
    assert not release.values.any()


def test_where_results_wait_weights_wait_too(ledger):
    policy = d.make_policy(training="allow", adapters="allow", results="approve")
    release = ask(ledger, policy, TRAIN)
    assert (release.code, release.adapter) == (Code.PENDING, {})
    Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    assert ask(ledger, policy, TRAIN).adapter


def test_what_is_denied_stays(ledger):
    ask(ledger)
    Approvals(ledger).decide(only(ledger).payload, "denied", by="Registrator", why="för litet underlag")
    assert set(ask(ledger).codes.tolist()) == {Code.METRIC_NOT_ALLOWED}
    ask(ledger, WEIGHTS, TRAIN)
    waiting = Approvals(ledger).all()[-1]
    Approvals(ledger).decide(waiting.payload, "denied", by="Registrator")
    release = ask(ledger, WEIGHTS, TRAIN)
    assert (release.adapter_code, release.adapter) == (Code.ADAPTER_DENIED, {})
    assert release.values.any()


def test_a_refusal_needs_no_approval(ledger):
    release = ask(ledger, n=3)
    assert set(release.codes.tolist()) == {Code.TOO_FEW_EXAMPLES}
    assert Approvals(ledger).all() == []


def test_approval_holds_for_the_same_request_and_policy_only(ledger):
    ask(ledger)
    Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    other = d.make_request(spec=d.make_spec(run="pilot-2"))
    assert ask(ledger, request=other).code is Code.PENDING
    assert ask(ledger, d.make_policy(results="approve", min_examples=11)).code is Code.PENDING


def test_asked_again_the_latest_bytes_wait(ledger):
    ask(ledger)
    ask(ledger, n=30)
    held = only(ledger)
    assert len(list((ledger.path.parent / "approvals").iterdir())) == 2
    Approvals(ledger).decide(held.payload, "approved", by="Registrator")
    assert ask(ledger).values[0] == 30


def test_what_another_run_has_waiting_stays_where_it_is(ledger):
    ask(ledger)
    ask(ledger, request=d.make_request(spec=d.make_spec(run="pilot-2")))
    approvals = Approvals(ledger)
    first, second = approvals.all()
    assert first.payload == second.payload, "the same numbers, for two requests"
    assert approvals.bytes_of(first) == approvals.bytes_of(second)
    approvals.decide(first.payload, "approved", by="Registrator")
    assert [each.decision for each in approvals.all()] == ["approved", "waiting"], "each request is decided about"
    assert ask(ledger).code is Code.OK
    assert ask(ledger, request=second.request).code is Code.PENDING
    approvals.decide(first.payload, "denied", by="Registrator")
    assert [each.decision for each in approvals.all()] == ["approved", "denied"]


def test_bytes_that_someone_took_away_are_no_hindrance_to_new_ones(ledger):
    ask(ledger)
    (ledger.path.parent / "approvals" / f"{only(ledger).key}.release").unlink()
    ask(ledger, n=30)
    assert Approvals(ledger).bytes_of(only(ledger))


def test_who_decided_when_and_why_is_kept_and_in_the_ledger(ledger):
    ask(ledger)
    Approvals(ledger).decide(only(ledger).payload, "denied", by="Registrator", why="för litet underlag")
    held, line = only(ledger), ledger.entries()[-1]
    assert (held.by, held.why) == (line["by"], line["why"]) == ("Registrator", "för litet underlag")
    assert held.decided == line["time"] >= held.made
    assert datetime.fromisoformat(held.made).utcoffset() == timedelta(0)


def test_what_waits_is_of_the_data_that_was_registered_then(ledger):
    """By the time of the yes the site's data may be others."""
    marks = {"guideline_qa": "7" * 64}
    let_out(RESULTS, WORK, replace(d.make_answer(WORK), registrations=marks), None, ledger)
    assert only(ledger).data == marks
    Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    let_out(RESULTS, WORK, replace(d.make_answer(WORK), registrations={"guideline_qa": "8" * 64}), None, ledger)
    assert ledger.entries()[-1]["data"] == marks


def test_a_yes_needs_no_reason(ledger):
    ask(ledger)
    assert Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator").why == ""


def test_weights_that_wait_are_not_reviewed_as_if_nobody_had_asked_for_them(ledger):
    assert ask(ledger, WEIGHTS, TRAIN).cost[-1] == 0
    assert ledger.entries()[-1]["adapter"] == "PENDING"


def test_approved_bytes_are_held_against_what_has_left_since(ledger):
    ask(ledger)
    Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    other = d.make_request(spec=d.make_spec(run="pilot-2"))
    assert ask(ledger, d.make_policy(), other, n=d.N - 1).values.any()
    release = ask(ledger)
    assert (release.code, release.values.any()) == (Code.SMALL_CELL, False)
    assert set(release.codes.tolist()) == {Code.SMALL_CELL}


def test_approved_weights_must_still_have_the_layout_of_what_was_sent(ledger):
    ask(ledger, WEIGHTS, TRAIN)
    Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    release = let_out(WEIGHTS, TRAIN, d.trained(TRAIN), {}, ledger)
    assert (release.code, release.adapter) == (Code.BAD_UPDATE, {})


def test_bytes_that_were_changed_do_not_leave(ledger):
    ask(ledger)
    held = only(ledger)
    path = ledger.path.parent / "approvals" / f"{held.key}.release"
    before = path.read_bytes()
    path.write_bytes(before + b"Anna")
    with pytest.raises(PolicyError):
        Approvals(ledger).decide(held.payload, "approved", by="Registrator")
    path.write_bytes(before)
    Approvals(ledger).decide(held.payload, "approved", by="Registrator")
    path.unlink()
    with pytest.raises(PolicyError):
        Approvals(ledger).bytes_of(held)
    release = ask(ledger)
    assert (release.code, release.values.any()) == (Code.INTERNAL, False)


@pytest.mark.parametrize("data", [b"", b"Anna", refuse(Code.PENDING, d.close_request()).payload()])
def test_approved_bytes_that_are_no_answer_to_the_request_do_not_leave(data, caplog):
    release = readmit(RESULTS, WORK, (data, {}), None, Past())
    assert (release.code, release.values.any()) == (Code.INTERNAL, False)
    assert release.codes.tolist() == [Code.INTERNAL] * len(WORK.slots())
    assert "an approved release is not readable: " in caplog.text


def test_a_decision_is_made_once_and_of_something_that_waits(ledger):
    ask(ledger)
    approvals, payload = Approvals(ledger), only(ledger).payload
    approvals.decide(payload, "denied", by="Registrator")
    for digest in (payload, "0" * 64):
        with pytest.raises(PolicyError):
            approvals.decide(digest, "approved", by="Registrator")
    assert only(ledger).decision == "denied"


def test_a_decision_without_a_ledger_line_does_not_hold(ledger, monkeypatch):
    ask(ledger)

    def full(*_: object) -> str:
        raise OSError("full")

    monkeypatch.setattr(Ledger, "append", full)
    with pytest.raises(OSError, match="full"):
        Approvals(ledger).decide(only(ledger).payload, "approved", by="Registrator")
    assert only(ledger).decision == "waiting"


def test_files_are_the_owners_alone_and_strange_ones_are_passed_over(ledger):
    ask(ledger)
    folder = ledger.path.parent / "approvals"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    for number in range(30):  # some come before it, in whatever order the folder is read
        (folder / f"note-{number}.json").write_text("Anna")
    (folder / "copy.json").write_bytes((folder / f"{only(ledger).key}.json").read_bytes())
    assert only(ledger).decision == "waiting"


def test_of_two_decisions_about_the_same_request_the_later_one_holds(ledger):
    approvals = Approvals(ledger)
    for decision, n in (("denied", 30), ("approved", d.N)):
        held = approvals.hold(review(RESULTS, WORK, d.make_answer(WORK, n), None), WORK, RESULTS)
        approvals.decide(held.payload, decision, by="Registrator")
    assert approvals.decided(WORK, RESULTS).decision == "approved"
