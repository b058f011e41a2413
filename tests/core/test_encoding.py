from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from kommunbench.core.encoding import UNITS, from_wire, rounded, to_wire

ENCODINGS = ("float32", "bfloat16", "int8")
SENT = {"b": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), "a": np.zeros(5, np.float32)}
DRAW = np.random.default_rng(3)
TRAINED = {name: (array + DRAW.normal(0, 0.01, array.shape)).astype(np.float32) for name, array in SENT.items()}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_was_rounded_crosses_unchanged(encoding: str) -> None:
    weights = rounded(TRAINED, SENT, encoding)
    back = from_wire(to_wire(weights, SENT, encoding), SENT, encoding)
    assert back.keys() == weights.keys()
    assert all(np.array_equal(back[name], weights[name]) and back[name].dtype == np.float32 for name in weights)


@settings(max_examples=300, deadline=None)
@given(
    drawn(np.float32, 7, elements=st.floats(-4, 4, width=32)),
    drawn(np.float32, 7, elements=st.floats(-4, 4, width=32)),
    st.floats(-12, 0),
    st.sampled_from(ENCODINGS),
)
def test_whatever_the_weights_are_what_was_rounded_crosses_unchanged(
    sent: np.ndarray, step: np.ndarray, size: float, encoding: str
) -> None:
    start = {"w": sent}
    weights = rounded({"w": (sent + step * np.float32(10.0**size)).astype(np.float32)}, start, encoding)
    assert np.array_equal(from_wire(to_wire(weights, start, encoding), start, encoding)["w"], weights["w"])


def test_bfloat16_is_torchs() -> None:
    values = DRAW.normal(0, 1, 10_000).astype(np.float32)
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    assert np.array_equal(rounded({"w": values}, {"w": values}, "bfloat16")["w"], expected)


def test_int8_is_off_by_at_most_half_a_unit_of_the_longest_step() -> None:
    weights = rounded(TRAINED, SENT, "int8")
    for name, array in weights.items():
        longest = np.abs(TRAINED[name].astype(np.float64) - SENT[name]).max()
        assert np.abs(array - TRAINED[name]).max() <= longest / 127 + 1e-7  # a unit is up to twice a 127th


def test_bytes_that_cross() -> None:
    size = {
        encoding: sum(array.nbytes for array in to_wire(rounded(TRAINED, SENT, encoding), SENT, encoding).values())
        for encoding in ENCODINGS
    }
    count = sum(array.size for array in SENT.values())
    assert size == {"float32": 4 * count, "bfloat16": 2 * count, "int8": count + 2 * len(SENT)}


def test_weights_that_were_not_rounded_do_not_cross() -> None:
    for encoding in ("bfloat16", "int8"):
        with pytest.raises(ValueError, match="not rounded"):
            to_wire(TRAINED, SENT, encoding)


def test_numbers_that_are_not_finite_stay_for_the_door_to_refuse() -> None:
    broken = {name: np.full_like(array, np.nan) for name, array in SENT.items()}
    assert all(np.isnan(array).all() for array in rounded(broken, SENT, "int8").values())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("a"),
        lambda arrays: arrays.pop(UNITS),
        lambda arrays: arrays.update({"extra": np.zeros(1, np.int8)}),
        lambda arrays: arrays.update({"a": np.zeros(6, np.int8)}),
        lambda arrays: arrays.update({"a": np.zeros(5, np.int16)}),
        lambda arrays: arrays.update({UNITS: np.zeros(3, np.int16)}),
    ],
)
def test_arrays_of_another_form_stand_for_no_weights(spoil: object) -> None:
    wire = to_wire(rounded(TRAINED, SENT, "int8"), SENT, "int8")
    spoil(wire)  # type: ignore[operator]
    assert from_wire(wire, SENT, "int8") == {}


def test_a_unit_that_no_training_gives_is_not_finite() -> None:
    wire = to_wire(rounded(TRAINED, SENT, "int8"), SENT, "int8")
    wire[UNITS] = np.full(2, 2000, np.int16)
    assert not all(np.isfinite(array).all() for array in from_wire(wire, SENT, "int8").values())
