"""An update must have the layout of what was sent and be finite, at the site and at the coordinator alike."""

from __future__ import annotations

import doorway as d
import numpy as np
import pytest

from kommunbench.core.answer import Code, Memory
from kommunbench.core.model import TrainSettings
from kommunbench.release import reach, update_code, update_norm
from kommunbench.release.adapter import longest_update, memory_code

A, B = d.weights()


def changed(key: str, array: object) -> dict[str, object]:
    return {**d.weights(), key: array}


class Masked(np.ndarray):
    pass


@pytest.mark.parametrize("sent", [d.weights(), {key: np.asfortranarray(array) for key, array in d.weights().items()}])
def test_an_update_with_the_layout_of_what_was_sent_is_fit(sent):
    assert update_code(sent, d.weights(9.0)) is Code.OK
    assert update_code(sent, dict(reversed(d.weights().items()))) is Code.OK


@pytest.mark.parametrize(
    "update",
    [
        None,
        {},
        [],
        {A: d.weights()[A]},
        {**d.weights(), "Anna Svensson": np.zeros(1, dtype=np.float32)},
        changed(A, np.full((2, 3), np.nan, dtype=np.float32)),
        changed(A, np.full((2, 3), np.inf, dtype=np.float32)),
        changed(A, np.full((2, 3), -np.inf, dtype=np.float32)),
        changed(A, np.zeros((3, 2), dtype=np.float32)),
        changed(A, np.zeros((2, 3, 1), dtype=np.float32)),
        changed(A, np.zeros((0, 3), dtype=np.float32)),
        changed(A, np.zeros((2, 3), dtype=np.float64)),
        changed(A, np.zeros((2, 3), dtype=np.float16)),
        changed(A, np.zeros((2, 3), dtype=np.int32)),
        changed(A, np.zeros((2, 3), dtype=">f4")),
        changed(A, np.zeros((2, 3), dtype="U4")),
        changed(A, np.zeros((2, 3), dtype=object)),
        changed(A, np.zeros((2, 3), dtype=[("text", np.float32)])),
        changed(A, np.ma.zeros((2, 3), dtype=np.float32)),
        changed(A, np.zeros((2, 3), dtype=np.float32).view(Masked)),
        changed(A, [[0.0] * 3] * 2),
        changed(A, "text"),
        changed(A, None),
    ],
)
def test_anything_else_is_a_bad_update(update):
    assert update_code(d.weights(), update) is Code.BAD_UPDATE


@pytest.mark.parametrize("sent", [None, {}, {A: d.weights()[A]}, {A: None, B: None}])
def test_without_what_was_sent_nothing_is_fit(sent):
    assert update_code(sent, d.weights()) is Code.BAD_UPDATE


def test_names_are_plain_strings_and_not_something_equal_to_one():
    class Name(str):
        __slots__ = ("note",)

    update = {Name(key): array for key, array in d.weights().items()}
    assert update_code(d.weights(), update) is Code.BAD_UPDATE


def test_a_mapping_that_is_no_dict_is_a_bad_update():
    class Adapter(dict):
        pass

    assert update_code(d.weights(), Adapter(d.weights())) is Code.BAD_UPDATE


def test_a_policy_that_does_not_stop_weights_that_remember_does_not_ask():
    memory = d.trained(d.train_request()).memory
    assert memory_code(d.make_policy(memorisation="stop"), None) is Code.MEMORISED
    assert memory_code(d.make_policy(memorisation="stop"), memory) is Code.OK
    for lax in ("measure", "skip"):
        assert memory_code(d.make_policy(memorisation=lax), None) is Code.OK


@pytest.mark.parametrize(
    ("bits", "auc", "code"),
    [(4, 0.75, Code.OK), (4.1, 0.5, Code.MEMORISED), (1.4, 0.76, Code.MEMORISED), (True, 0.5, Code.MEMORISED)],
)
def test_weights_may_remember_as_much_as_the_policy_says_and_no_more(bits, auc, code):
    memory = Memory(exposure_bits=bits, auc=auc, tpr=0.0, members=30, non_members=30)
    assert memory_code(d.make_policy(max_exposure_bits=4, max_membership_auc=0.75), memory) is code


def arrays(**rows: list[float]) -> dict[str, np.ndarray]:
    return {name: np.array(row, dtype=np.float32) for name, row in rows.items()}


def test_how_far_weights_moved_is_one_length_over_all_of_them():
    """2, 3 and 6 in two arrays are 7."""
    sent, update = arrays(a=[1, 1], b=[2]), arrays(a=[3, 4], b=[8])
    assert update_norm(sent, update) == 7
    assert update_code(sent, update, 7.0) is Code.OK
    assert update_code(sent, update, 6.99) is Code.UPDATE_TOO_LARGE


def test_what_steps_can_do_and_what_the_policy_allows_both_bound_an_update():
    """Four steps at 0.1 move four weights by sqrt(10) * 0.4 * 2 at most; 0.2 of that and of the 5 they were decays."""
    sent, settings = arrays(a=[3, 4], b=[0, 0]), TrainSettings(learning_rate=0.1, weight_decay=0.5)
    moved = 10**0.5 * 0.8
    farthest = pytest.approx(moved + 0.2 * (5 + moved))
    assert reach(settings, 4, sent) == farthest
    assert longest_update(d.make_policy(), settings, 4, sent) == farthest, "0 is no limit"
    assert longest_update(d.make_policy(max_update_norm=100), settings, 4, sent) == farthest
    assert longest_update(d.make_policy(max_update_norm=2), settings, 4, sent) == 2
