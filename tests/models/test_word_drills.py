from __future__ import annotations

import re
from itertools import islice

from kommunbench.models.word_drills import SILENT, word_drills
from kommunbench.synthetic.style import BOARDS, CHIEFS, PERSONS, STAFF


def test_the_seed_decides() -> None:
    one, same, other = (list(islice(word_drills(seed), 50)) for seed in (1, 1, 2))
    assert one == same != other


def test_every_word_of_an_answer_is_in_its_prompt() -> None:
    for drill in (drill for drill in islice(word_drills(3), 700) if drill.answer != SILENT):
        text = re.sub(r" \((\d+ §|§ \d+)\)$", r" \1", drill.answer).casefold()
        for word in text.split():
            assert word.rstrip(".") in drill.prompt.casefold()
        assert drill.answer == drill.answer.strip()
        assert drill.prompt.endswith((":", "Text:"))


def test_no_houses_words_are_drilled() -> None:
    text = " ".join(drill.prompt + drill.answer for drill in islice(word_drills(1), 4000)).casefold()
    terms = {term for kinds in (PERSONS, STAFF, CHIEFS, BOARDS) for words in kinds.values() for term in words}
    assert len(terms) > 15
    assert not {term for term in terms if term in text}


def test_about_four_in_ten_questions_about_a_rule_are_left_open_and_none_that_has_its_answer() -> None:
    asked = [
        drill for drill in islice(word_drills(2), 3000) if "§" in drill.prompt and "Vad står i" not in drill.prompt
    ]
    silent = [drill for drill in asked if drill.answer == SILENT]
    assert 0.4 < len(silent) / len(asked) < 0.5
    for drill in silent:
        context, _, question = drill.prompt.rpartition("\n\nFråga: ")
        subject = re.sub(r"^(Vad gäller om|Vad gör jag om|Vad gör jag när|Hur är det med|Vad gäller) ", "", question)
        assert subject.removesuffix("?\nSvar:").casefold() not in context.casefold()
