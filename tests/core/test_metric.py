"""The monoid of tallies, on a metric small enough to follow by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, INT64_MAX, Field, Measure, Metric, add


class _Words(Metric):
    """Words and commas of an answer; an example without references is unscored."""

    name = "words"
    source = "this test"
    fields = (Field("words", high=10), Field("commas", high=10), Field("half", high=FIXED, scale=FIXED))
    measures = (Measure("commas_a_word", ("commas",), ("words",)), Measure("half", ("half",)))

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        if not example.references:
            return None
        return len(prediction.split()), prediction.count(","), FIXED // 2


WORDS = _Words()
SCORED, BARE = Example("a", {}, ("svar",)), Example("b", {})


def test_a_score_begins_with_how_many_were_scored_and_not() -> None:
    assert WORDS.score("a, b", SCORED) == (1, 0, 2, 1, FIXED // 2)
    assert WORDS.score("a, b", BARE) == WORDS.unscored == (0, 1, 0, 0, 0)
    assert WORDS.names == ("n", "unscored", "words", "commas", "half")


def test_an_empty_answer_is_scored() -> None:
    assert WORDS.score("", SCORED)[:2] == (1, 0)


def test_the_value_divides_once() -> None:
    pooled = add(WORDS.score("a, b", SCORED), WORDS.score("a b c d e f", SCORED))
    assert WORDS.value(pooled, WORDS.measure("commas_a_word")) == 1 / 8
    assert WORDS.value(pooled, WORDS.measure("half")) == 0.5
    assert WORDS.value(WORDS.zero, WORDS.measure("half")) is None


def test_the_gradient_is_that_of_calculus() -> None:
    pooled = (4, 0, 50, 10, 2 * FIXED)
    gradient = WORDS.gradient(pooled, WORDS.measure("commas_a_word"))
    assert gradient == pytest.approx((0, 0, -10 / 50**2, 1 / 50, 0), rel=1e-6, abs=1e-15)
    assert WORDS.gradient(WORDS.zero, WORDS.measure("commas_a_word"))[0] == 0


def test_the_value_is_recovered_by_linearisation() -> None:
    pooled = (4, 0, 50, 10, 2 * FIXED)
    gradient = WORDS.gradient(pooled, WORDS.measure("commas_a_word"))
    moved = (4, 0, 50, 11, 2 * FIXED)
    before, after = (WORDS.value(total, WORDS.measure("commas_a_word")) or 0 for total in (pooled, moved))
    assert after - before == pytest.approx(gradient[3], rel=1e-6)


def test_a_contribution_beyond_its_bound_is_refused_without_its_text() -> None:
    with pytest.raises(OverflowError, match=r"words\.words") as caught:
        WORDS.score("hemlig " * 11, SCORED)
    assert "hemlig" not in str(caught.value)


def test_a_sum_beyond_64_bits_is_refused() -> None:
    assert add((INT64_MAX - 1,), (1,)) == (INT64_MAX,)
    for sign in (1, -1):
        with pytest.raises(OverflowError):
            add((sign * INT64_MAX,), (sign,))


def test_tallies_of_different_length_do_not_add() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        add((1, 2), (1,))


def test_an_unknown_measure_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        WORDS.measure("nothing")
