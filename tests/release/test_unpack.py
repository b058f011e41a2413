"""The coordinator's side: a reply that no door makes is refused."""

from __future__ import annotations

import doorway as d
import numpy as np
import pytest

from kommunbench.core.answer import Code, Cost
from kommunbench.core.errors import FederationError
from kommunbench.release import refuse, review, unpack, unpack_cost, unpack_status
from kommunbench.release.past import Past

REQUEST = d.make_request()
SLOTS = REQUEST.slots()


def reply(request=REQUEST, **kwargs):
    release = review(d.make_policy(), request, d.make_answer(request), None, **kwargs)
    return release.values.copy(), release.codes.copy(), release.cost.copy()


def test_gives_back_what_the_site_let_out():
    assert unpack(REQUEST, *reply()) == [(slot.key, Code.OK, d.row(slot)) for slot in SLOTS]


def test_gives_back_closing_sums():
    request = d.close_request()
    past = Past(here={"guideline_qa/test/abstention": frozenset({d.N})})
    assert unpack(request, *reply(request, past=past)) == [(s.key, Code.OK, d.row(s)) for s in request.slots()]


def test_a_refusal_has_every_slot_with_its_code():
    release = refuse(Code.POLICY_MISSING, REQUEST)
    found = unpack(REQUEST, release.values, release.codes, release.cost)
    assert found == [(slot.key, Code.POLICY_MISSING, (0,) * slot.width) for slot in SLOTS]


def test_a_refusal_without_layout_is_empty():
    release = refuse(Code.BAD_REQUEST)
    assert unpack(REQUEST, release.values, release.codes, release.cost) == []


def changed(index: int, change):
    vectors = list(reply())
    vectors[index] = change(vectors[index])
    return vectors


def put(place: int, number: int):
    def change(vector):
        vector[place] = number
        return vector

    return change


@pytest.mark.parametrize(
    ("index", "change", "says"),
    [
        (0, lambda v: v[:-1], "its vectors are not as long"),
        (0, lambda v: np.append(v, 0), "its vectors are not as long"),
        (0, lambda v: v[:0], "its vectors are not as long"),
        (0, lambda v: v.astype(np.float64), "values is not a vector of int64"),
        (0, lambda v: v.astype(np.int32), "values is not a vector of int64"),
        (0, lambda v: v.astype(np.uint64), "values is not a vector of int64"),
        (0, lambda v: v.astype(object), "values is not a vector of int64"),
        (0, lambda v: v.astype(">i8"), "values is not a vector of int64"),
        (0, lambda v: v.reshape(1, -1), "values is not a vector of int64"),
        (0, lambda v: v.tolist(), "values is not a vector of int64"),
        (0, lambda v: None, "values is not a vector of int64"),
        (0, put(0, -1), "a number is outside"),
        (0, put(0, 0), "a number is outside"),
        (0, put(1, -1), "a number is outside"),
        (0, put(2, d.N + 1), "a number is outside"),
        (0, put(2, -1), "a number is outside"),
        (0, put(2, -(2**63)), "a number is outside"),
        (1, lambda v: v[:-1], "its vectors are not as long"),
        (1, lambda v: v[:0], "its vectors are not as long"),
        (1, lambda v: v.astype(np.float32), "codes is not a vector of int64"),
        (1, put(0, 2), "a code is unknown"),
        (1, put(0, -1), "a code is unknown"),
        (1, put(0, int(Code.NO_DATA)), "a slot that is withheld has numbers"),
        (2, lambda v: v[:-1], "its cost is not a row of counts"),
        (2, lambda v: v[:0], "its cost is not a row of counts"),
        (2, put(0, -1), "its cost is not a row of counts"),
        (2, lambda v: v.astype(np.float64), "cost is not a vector of int64"),
    ],
)
def test_a_malformed_reply_is_refused(index, change, says):
    with pytest.raises(FederationError, match=f"malformed: {says}.*compare versions"):
        unpack(REQUEST, *changed(index, change))


def test_a_slot_with_a_value_has_at_least_one_example():
    slot = SLOTS[0]
    for n, fine in ((0, False), (1, True)):
        values, codes, cost = reply()
        values[: slot.width] = [n, *[0] * (slot.width - 1)]
        if fine:
            assert unpack(REQUEST, values, codes, cost)[0] == (slot.key, Code.OK, (1, *[0] * (slot.width - 1)))
        else:
            with pytest.raises(FederationError, match="a number is outside"):
                unpack(REQUEST, values, codes, cost)


def test_the_cost_is_read_by_name():
    assert unpack_cost(np.arange(11)) == Cost(*range(11))


def test_the_status_is_two_codes():
    assert unpack_status(np.array([0, 24])) == (Code.OK, Code.ADAPTER_DENIED)
    for status, says in [
        ([0], "its status is not two codes"),
        ([0, 0, 0], "its status is not two codes"),
        ([0, 7], "a code is unknown"),
        ([0.0, 0.0], "status is not a vector of int64"),
    ]:
        with pytest.raises(FederationError, match=f"malformed: {says}"):
            unpack_status(np.array(status))


def test_a_refusal_of_the_coordinator_quotes_no_number():
    with pytest.raises(FederationError) as caught:
        unpack(REQUEST, *changed(0, put(2, 191212121212)))
    assert "1912" not in str(caught.value)
