from __future__ import annotations

import re
from itertools import islice

from kommunbench.models.word_drills import word_drills
from kommunbench.synthetic.style import BOARDS, CHIEFS, PERSONS, STAFF


def test_the_seed_decides() -> None:
    one, same, other = (list(islice(word_drills(seed), 50)) for seed in (1, 1, 2))
    assert one == same != other


def test_every_word_of_an_answer_is_in_its_prompt() -> None:
    for drill in islice(word_drills(3), 500):
        text = re.sub(r" \((\d+) §\)$", r" \1 §", drill.answer).casefold()
        for word in text.split():
            assert word.rstrip(".") in drill.prompt.casefold()
        assert drill.answer == drill.answer.strip()
        assert drill.prompt.endswith((":", "Text:"))


def test_no_houses_words_are_drilled() -> None:
    text = " ".join(drill.prompt + drill.answer for drill in islice(word_drills(1), 4000)).casefold()
    terms = {term for kinds in (PERSONS, STAFF, CHIEFS, BOARDS) for words in kinds.values() for term in words}
    assert len(terms) > 15
    assert not {term for term in terms if term in text}
