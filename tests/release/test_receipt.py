"""A receipt: 504 bytes that bind a release to its run, data, code and place in the ledger, and to no other."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
from dataclasses import astuple, replace
from importlib.metadata import version

import doorway as d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.release import Identity, Ledger, Receipt, check_receipt, let_out, payload, refuse, verify
from kommunbench.release.installation import code_digest, environment_digest, library_versions
from kommunbench.release.proof import vectors_of
from kommunbench.release.receipt import DIGESTS, NONE, RECEIPT_BYTES, behind

MARKS = {"guideline_qa": "7" * 64, "summarization": "8" * 64}


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.jsonl", Identity.of(tmp_path))


def sha(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def vectors(release):
    return (release.status, release.values, release.codes, release.cost)


def training(ledger):
    request = d.train_request()
    policy = d.make_policy(training="allow", adapters="allow", rounding=5)
    return request, let_out(policy, request, replace(d.trained(request), registrations=MARKS), d.weights(), ledger)


def test_it_states_what_was_measured_here(ledger):
    """The layout is read with struct, from the documentation alone, and each digest is made again by hand."""
    request, release = training(ledger)
    data = release.receipt
    number, time_s, rounding = struct.unpack(">3q", data[:24])
    found = {name: data[24 + 32 * at : 56 + 32 * at].hex() for at, name in enumerate(DIGESTS)}
    assert (len(data), number, rounding) == (504, 1, 5)
    assert time_s > 1_700_000_000
    assert found["tasks"] == sha({"guideline_qa": d.QA.digest, "summarization": d.SHORT.digest})
    assert found["models"] == sha(d.MODELS)
    assert found["data"] == sha(MARKS)
    assert found["payload"] == hashlib.sha256(release.payload()).hexdigest() != found["numbers"]
    assert found["spec"] == request.spec.digest
    assert found["request"] == request.digest
    assert (found["code"], found["environment"]) == (code_digest(), environment_digest())
    assert found["before"] == found["previous"] == NONE
    assert data[408:440].hex() == ledger.identity.public


def test_openssl_agrees_on_the_signature(ledger, tmp_path):
    _, release = training(ledger)
    (tmp_path / "body").write_bytes(b"kommunbench receipt\n" + release.receipt[:440])
    (tmp_path / "signature").write_bytes(release.receipt[440:])
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", tmp_path / "identity.key"]
    command += ["-in", tmp_path / "body", "-sigfile", tmp_path / "signature"]
    assert b"Verified Successfully" in subprocess.run(command, capture_output=True, check=False).stdout


def test_each_states_the_one_before_in_its_run_and_the_ledger_so_far(ledger):
    first, second = training(ledger)[1], training(ledger)[1]
    other = d.make_request(spec=d.make_spec(run="another"))
    elsewhere = let_out(d.make_policy(), other, d.make_answer(other), None, ledger)
    third = training(ledger)[1]
    lines = ledger.entries()
    digests = [Receipt.read(release.receipt).digests for release in (first, second, elsewhere, third)]
    assert [found.before for found in digests] == [
        NONE,
        hashlib.sha256(first.receipt).hexdigest(),
        NONE,
        hashlib.sha256(second.receipt).hexdigest(),
    ]
    assert [found.previous for found in digests] == [NONE, *(line["hash"] for line in lines[:3])]


def test_a_refusal_is_signed_too_where_it_has_a_line(ledger):
    request = d.make_request()
    signed, unsigned = refuse(Code.POLICY_BROKEN, request, ledger), refuse(Code.POLICY_BROKEN, request)
    assert Receipt.read(signed.receipt).genuine
    assert unsigned.receipt == b""
    assert check_receipt(request, vectors(signed), None, signed.receipt, None) == Receipt.read(signed.receipt)
    assert check_receipt(request, vectors(unsigned), None, b"", None) is None


def test_a_reply_with_its_receipt_is_taken(ledger):
    request, release = training(ledger)
    found = check_receipt(request, vectors(release), release.adapter, release.receipt, ledger.identity.public)
    assert found is not None
    assert found.rounding == 5


def test_weights_stand_on_every_task_of_the_run_and_numbers_on_their_own(ledger):
    """So the same numbers with and without weights have other digests behind them."""
    request = d.train_request(cells=d.CELLS[:1])
    policy = d.make_policy(training="allow", adapters="allow")
    release = let_out(policy, request, d.trained(request), d.weights(), ledger)
    assert release.adapter
    key = ledger.identity.public
    assert check_receipt(request, vectors(release), release.adapter, release.receipt, key) is not None
    doubles = {name: array.astype(np.float64) for name, array in release.adapter.items()}
    assert check_receipt(request, vectors(release), doubles, release.receipt, key) is not None
    alone = let_out(d.make_policy(), d.make_request(cells=d.CELLS[:1]), d.make_answer(request), None, ledger)
    tasks = [Receipt.read(each.receipt).digests.tasks for each in (release, alone)]
    assert tasks[0] != tasks[1]


@pytest.mark.parametrize(("weights", "tasks", "models"), [(False, ["guideline_qa"], ["lead"]), (True, None, None)])
def test_what_stands_behind_a_reply_by_hand(weights, tasks, models):
    """Numbers of `lead` on one task; with weights also all that the run trains on, and the model that is trained."""
    spec = d.make_spec(tasks=(d.task_ref(d.QA), d.task_ref(d.SHORT, name="other", digest="0" * 64)))
    found = behind(spec, [d.cell(model="lead")], weights)
    names = {task.name: task.digest for task in spec.tasks if tasks is None or task.name in tasks}
    digests = {name: value for name, value in d.MODELS.items() if models is None or name in models}
    assert found == {"tasks": sha(names), "models": sha(digests)}


def test_a_refusal_without_a_policy_states_none_and_that_nothing_was_rounded(ledger):
    found = Receipt.read(refuse(Code.POLICY_BROKEN, d.make_request(), ledger).receipt)
    assert (found.number, found.rounding, found.digests.policy) == (1, 1, NONE)
    assert found.digests.tasks == found.digests.models == sha({})


def test_what_is_wrong_with_a_receipt_in_the_ledger_is_named(ledger):
    """Each line is changed under a hash that fits it, so that the receipt alone tells."""
    training(ledger)
    line = json.loads(ledger.path.read_bytes())
    del line["hash"]
    other = "0" if line["receipt"][-1] != "0" else "1"  # a signature may end in any digit
    for change, says in (
        ({"payload": "0" * 64, "spec": "1" * 64}, "its receipt states another spec, payload"),
        ({"number": 2}, "its receipt states another number"),
        ({"receipt": "00"}, "its receipt is not one"),
        ({"receipt": line["receipt"][:-1] + other}, "its receipt is not signed by this site"),
    ):
        changed = {**line, **change}
        ledger.path.write_bytes(json.dumps({**changed, "hash": sha(changed)}).encode() + b"\n")
        found = {(each.line, each.kind, each.what) for each in verify(ledger.path)}
        assert (1, "changed", says) in found


def test_a_refusal_of_weights_alone_still_needs_its_receipt(ledger):
    request = d.train_request()
    release = let_out(d.make_policy(), request, d.trained(request), d.weights(), ledger)
    assert (release.code, release.adapter_code) == (Code.OK, Code.TRAINING_DENIED)
    with pytest.raises(FederationError, match=r"there is none \(its numbers are left out\)"):
        check_receipt(request, vectors(release), None, b"", ledger.identity.public)


def test_numbers_need_the_receipt_of_their_own_reply_and_site(ledger, tmp_path):
    request, release = training(ledger)
    stranger = Ledger(tmp_path / "other" / "ledger.jsonl", Identity.of(tmp_path / "other"))
    other = training(stranger)[1]
    key = ledger.identity.public
    changed = release.values.copy()
    changed[0] += 5
    weights = {name: array + np.float32(1) for name, array in release.adapter.items()}
    asked = request.model_copy(update={"seed": 9})
    good = vectors(release)
    for wrong in (
        (request, good, release.adapter, b"", key),
        (request, good, release.adapter, release.receipt[:-1], key),
        (request, good, release.adapter, other.receipt, key),
        (request, (good[0], changed, *good[2:]), release.adapter, release.receipt, key),
        (request, good, weights, release.receipt, key),
        (request, good, None, release.receipt, key),
        (asked, good, release.adapter, release.receipt, key),
    ):
        with pytest.raises(FederationError, match="receipt does not fit"):
            check_receipt(*wrong)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    home = tmp_path_factory.mktemp("signer")
    request = d.make_request()
    ledger = Ledger(home / "ledger.jsonl", Identity.of(home))
    return request, let_out(d.make_policy(), request, d.make_answer(request), None, ledger)


@settings(deadline=None)
@given(place=st.integers(0, RECEIPT_BYTES - 1), change=st.integers(1, 255))
def test_any_changed_byte_shows(evaluated, place, change):
    request, release = evaluated
    data = bytearray(release.receipt)
    data[place] ^= change
    with pytest.raises(FederationError):
        check_receipt(request, vectors(release), None, bytes(data), None)


def test_it_is_read_back_as_it_was_written(ledger):
    receipt = Receipt.read(training(ledger)[1].receipt)
    assert Receipt.read(receipt.pack()) == receipt
    assert all(len(bytes.fromhex(found)) == 32 for found in astuple(receipt.digests))
    with pytest.raises(ValueError, match="504"):
        Receipt.read(receipt.pack() + b"x")


def test_only_504_bytes_or_none_travel_with_a_release(ledger):
    _, release = training(ledger)
    for wrong in (b"Anna", bytearray(504), b"x" * 505, "x" * 504, None):
        with pytest.raises(ValueError, match="not a receipt"):
            release.receipted(wrong)


def test_a_receipt_of_the_ledger_that_does_not_fit_its_line_is_found(ledger):
    """The chain is made anew around one line, as whoever can write the file can; the signature is not his to make."""
    for _ in range(3):
        training(ledger)
    entries = ledger.entries()
    assert verify(ledger.path) == []
    ledger.path.unlink()
    ledger.head.unlink()
    forged = Ledger(ledger.path)
    for at, entry in enumerate(entries):
        plain = {name: value for name, value in entry.items() if name not in ("hash", "number", "previous")}
        forged.append({**plain, "policy": "0" * 64} if at == 1 else plain)
    assert [(finding.line, finding.kind) for finding in verify(ledger.path)] == [(2, "changed"), (3, "changed")]


@pytest.mark.parametrize(
    ("receipt", "says"), [("no hexadecimal", "is not one"), ("00", "is not one"), (7, "is not one"), ("", "is not one")]
)
def test_what_is_no_receipt_in_a_line_is_found(ledger, receipt, says):
    Ledger(ledger.path).append({"what": "work", "receipt": receipt})
    (found,) = verify(ledger.path)
    assert (found.line, found.kind) == (1, "changed")
    assert says in found.what


def test_a_receipt_of_another_key_or_with_a_broken_signature_is_found(ledger, tmp_path):
    training(ledger)
    mine, other = ledger.identity.public, Identity.of(tmp_path / "other").public
    assert verify(ledger.path, mine) == []
    (found,) = verify(ledger.path, other)
    assert (found.kind, found.what) == ("changed", "its receipt is not signed by this site")
    (entry,) = ledger.entries()
    plain = {name: value for name, value in entry.items() if name not in ("hash", "number", "previous")}
    last = plain["receipt"][-1]
    forged = Ledger(tmp_path / "forged.jsonl")
    forged.append({**plain, "receipt": plain["receipt"][:-1] + ("0" if last != "0" else "1")})
    (found,) = verify(forged.path)
    assert found.what == "its receipt is not signed by this site"


def test_its_digest_is_of_the_bytes_that_travel(ledger):
    _, release = training(ledger)
    assert Receipt.read(release.receipt).digest == hashlib.sha256(release.receipt).hexdigest()


def test_the_vectors_kept_as_plain_numbers_are_those_that_were_signed(ledger):
    _, release = training(ledger)
    again = vectors_of(*(vector.tolist() for vector in vectors(release)))
    assert hashlib.sha256(payload(again, {})).hexdigest() == Receipt.read(release.receipt).digests.numbers
    assert [vector.dtype.str for vector in again] == ["<i8"] * 4


def test_the_libraries_named_are_those_that_are_installed():
    found = library_versions()
    assert found == {name: version(name) for name in found}
    assert {"torch", "flwr", "numpy"} <= set(found)


def test_a_line_about_no_release_has_no_receipt(ledger):
    """A person's decision, say."""
    ledger.append({"decision": "approved"})
    (entry,) = ledger.entries()
    assert "receipt" not in entry
    assert verify(ledger.path) == []


def test_a_receipt_states_the_one_before_whatever_the_words_in_its_line(ledger):
    request = d.make_request()
    first, second = (ledger.enter(refuse(Code.PENDING, request), request, None, "Ann of the office") for _ in range(2))
    assert Receipt.read(second.receipt).digests.before == hashlib.sha256(first.receipt).hexdigest()
