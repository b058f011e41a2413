"""A Release is made by the door, and cannot be made, changed or copied anywhere else."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import pickle
import re
import struct
from pathlib import Path

import doorway as d
import numpy as np
import pytest

import kommunbench
from kommunbench.core.answer import Code, Cost
from kommunbench.release import Release, payload, refuse, review, sealed


@pytest.fixture
def release():
    request = d.train_request()
    policy = d.make_policy(training="allow", adapters="allow")
    return review(policy, request, d.trained(request), d.weights())


@pytest.mark.parametrize(
    "way",
    [
        lambda release: Release(object(), None),
        lambda release: Release(None, sealed.Contents((), (), None, Code.OK, Code.OK)),
        lambda release: type(release)(),
        copy.copy,
        copy.deepcopy,
        lambda release: copy.replace(release) if hasattr(copy, "replace") else dataclasses.replace(release),
        lambda release: dataclasses.replace(release, values=()),
        lambda release: pickle.loads(pickle.dumps(release)),
        lambda release: pickle.dumps(release, protocol=0),
        json.dumps,
        lambda release: release.__reduce__(),
        lambda release: type("Loose", (Release,), {}),
        lambda release: setattr(release, "values", ()),
        lambda release: setattr(release, "_values", b"text"),
        lambda release: setattr(release, "note", "text"),
        lambda release: delattr(release, "_values"),
        vars,
    ],
)
def test_no_other_way_makes_or_changes_one(release, way):
    before = release.payload()
    with pytest.raises(TypeError):
        way(release)
    assert release.payload() == before


def test_an_empty_shell_has_nothing_to_send():
    shell = object.__new__(Release)
    for name in ("values", "codes", "cost", "status", "adapter"):
        with pytest.raises(AttributeError):
            getattr(shell, name)


def test_its_numbers_cannot_be_made_writable(release):
    for vector in (release.values, release.codes, release.cost, release.status, *release.adapter.values()):
        with pytest.raises(ValueError, match="read-only"):
            vector[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            vector.flags.writeable = True


def test_what_is_handed_out_is_not_what_is_kept(release):
    before = release.payload()
    release.adapter["note"] = np.zeros(1, dtype=np.float32)
    release.adapter.clear()
    assert release.payload() == before


def test_changing_the_answer_afterwards_changes_nothing():
    request, policy = d.train_request(), d.make_policy(training="allow", adapters="allow")
    answer = d.trained(request)
    release = review(policy, request, answer, d.weights())
    before = release.payload()
    answer.adapter["layer.0.lora_A"][:] = 7
    answer.values.clear()
    assert release.payload() == before


def test_only_the_review_holds_the_seal():
    root = Path(kommunbench.__file__).parent
    holders = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if re.search(r"\b_DOOR\b|\bContents\(", path.read_text(encoding="utf-8"))
    }
    assert holders == {"release/sealed.py", "release/review.py"}


def test_the_payload_is_as_documented(release):
    """Built here with struct, from the documentation alone."""
    expected = b"kommunbench release 1\n"
    for vector in (release.status, release.values, release.codes, release.cost):
        expected += struct.pack(f"<q{len(vector)}q", len(vector), *vector.tolist())
    expected += struct.pack("<q", 2)
    for key, shape in (("layer.0.lora_A", (2, 3)), ("layer.0.lora_B", (3, 2))):
        expected += struct.pack("<q", len(key)) + key.encode() + struct.pack("<3q", 2, *shape)
        expected += struct.pack("<6f", *[1.0] * 6)
    assert release.payload() == expected
    assert release.digest == hashlib.sha256(expected).hexdigest()


def test_the_coordinator_computes_the_same_payload_in_any_order_of_names(release):
    vectors = [np.array(v.tolist()) for v in (release.status, release.values, release.codes, release.cost)]
    adapter = {key: release.adapter[key].copy() for key in reversed(release.adapter)}
    assert payload(vectors, adapter) == release.payload()


def test_its_words_say_sizes_only(release):
    assert repr(release) == f"Release({len(release.codes)} slots, code=0)"
    assert str(release) == repr(release)


def test_a_payload_is_read_back(release):
    vectors, adapter = sealed.read_payload(release.payload())
    for read, vector in zip(vectors, (release.status, release.values, release.codes, release.cost), strict=True):
        assert read.tolist() == vector.tolist()
    assert {key: array.tolist() for key, array in adapter.items()} == {
        key: array.tolist() for key, array in release.adapter.items()
    }


def test_a_refusal_without_numbers_is_read_back():
    (status, values, codes, _), adapter = sealed.read_payload(refuse(Code.INTERNAL).payload())
    assert (status.tolist(), values.tolist(), codes.tolist(), adapter) == ([Code.INTERNAL] * 2, [], [], {})


def test_bytes_that_are_no_payload_are_refused(release):
    data = release.payload()
    first, second = data.index(b"layer.0.lora_A"), data.index(b"layer.0.lora_B")
    swapped = bytearray(data)
    swapped[first + 13], swapped[second + 13] = swapped[second + 13], swapped[first + 13]
    for other in (b"", data[:-1], data + b"Anna", b"x" + data, data[:40], bytes(swapped), data[:22] + b"\xff" * 8):
        with pytest.raises(ValueError, match="payload"):
            sealed.read_payload(other)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1])
def test_a_number_of_more_than_64_bits_makes_no_release(number):
    with pytest.raises(OverflowError):
        Release(sealed._DOOR, sealed.Contents((number,), (Code.OK,), Cost(), Code.OK, Code.OK))
