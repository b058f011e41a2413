import random
import re

import pytest

from kommunbench.synthetic.fillers import Fillers, check_digit, pool_of

POOLS = ("pretraining", "local", "test")


def draw(pool: str, count: int = 300) -> dict[str, set[str]]:
    fillers = Fillers(random.Random(7), pool)
    kinds = ("place", "surname", "given_name", "street", "kronor", "phone", "personal_number", "date", "serial")
    return {kind: {str(getattr(fillers, kind)()) for _ in range(count)} for kind in kinds}


def test_pools_never_share_a_filler():
    drawn = [draw(pool) for pool in POOLS]
    for kind in drawn[0]:
        for left, right in ((0, 1), (0, 2), (1, 2)):
            assert not drawn[left][kind] & drawn[right][kind], kind


def test_fillers_are_broad_enough_that_they_cannot_be_memorised():
    fillers = Fillers(random.Random(1), "pretraining")
    assert len({fillers.place() for _ in range(5000)}) > 4500
    assert len({fillers.surname() for _ in range(5000)}) > 3500


def test_personal_numbers_look_right_and_fail_luhns_check():
    """Luhn worked out by the textbook: double every other digit from the right, add digits, divisible by ten."""
    fillers = Fillers(random.Random(3), "test")
    for _ in range(500):
        number = fillers.personal_number()
        assert re.fullmatch(r"(19|20)\d{6}-\d{4}", number)
        digits = [int(digit) for digit in number[2:].replace("-", "")][::-1]
        total = sum(digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(digits))
        assert total % 10 != 0


def test_the_check_digit_is_luhns():
    """The tax authority's own worked example: 811218-987 has the check digit 6."""
    assert check_digit("811218987") == 6


def test_no_subscribers_number_begins_with_a_zero_so_phones_reach_nobody():
    fillers = Fillers(random.Random(3), "local")
    for _ in range(200):
        assert re.fullmatch(r"0\d{2,3}-0\d \d\d \d\d", fillers.phone())


def test_streets_have_numbers_that_no_register_has():
    fillers = Fillers(random.Random(3), "local")
    assert all(int(fillers.address().split()[-1]) >= 900 for _ in range(50))


def test_no_word_has_three_of_a_letter_in_a_row():
    for pool in POOLS:
        for kind in ("place", "surname", "street"):
            assert not [word for word in draw(pool)[kind] if re.search(r"(.)\1\1", word.lower())]


@pytest.mark.parametrize("pool", POOLS)
def test_amounts_stay_within_their_bounds(pool):
    fillers = Fillers(random.Random(5), pool)
    for _ in range(500):
        number = fillers.number(100, 3_000)
        assert 100 <= number <= 3_000
        assert pool_of(number) == pool
