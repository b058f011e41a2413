import re

import pytest
from houses import SEED, all_rows, houses, rows

from kommunbench.core.swedish import citations, is_abstention
from kommunbench.synthetic.guideline_qa import GENERATOR
from kommunbench.synthetic.organisation import Recipe, Sizes
from kommunbench.synthetic.style import style_of


def test_an_answer_cites_one_paragraph_that_the_context_has():
    for row in all_rows("guideline_qa"):
        cited = citations(row["references"][0])
        if is_abstention(row["references"][0]):
            assert not cited
        else:
            assert len(cited) == 1
            assert cited <= citations(row["context"])


def test_the_cited_paragraph_holds_the_answers_numbers_and_people():
    for row in all_rows("guideline_qa"):
        answer = row["references"][0]
        for number in citations(answer):
            paragraph = next(line for line in row["context"].split("\n") if citations(line[:6]) == {number})
            for filler in re.findall(r"0\d{2,3}-0\d \d\d \d\d|\d\d\.\d\d|\d+ minuter|\d+ timmar", answer):
                assert filler in paragraph


def test_the_share_of_unanswerable_questions_is_the_houses_own():
    """Binomial: with 1,000 questions the share is within .05 (three standard errors) of the house's rate."""
    shares = []
    for house in houses()[:4]:
        large = house.model_copy(update={"sizes": {"guideline_qa": Sizes(train=1000, validation=0, test=0)}})
        made = list(GENERATOR(large, "train", SEED, Recipe()))
        share = sum(is_abstention(row["references"][0]) for row in made) / len(made)
        assert share == pytest.approx(style_of(house, SEED, Recipe()).unanswerable, abs=0.05)
        shares.append(share)
    assert max(shares) - min(shares) > 0.05


def test_an_unanswerable_question_is_about_nothing_in_the_context():
    for row in all_rows("guideline_qa"):
        asked = re.search(r" om (.*)\?", row["question"])
        if asked and is_abstention(row["references"][0]):
            assert f"m {asked[1]} " not in row["context"]


def test_where_paragraphs_disagree_the_newer_one_is_cited():
    found = 0
    for row in all_rows("guideline_qa"):
        changed = [line for line in row["context"].split("\n") if "Ändrat" in line]
        for line in changed:
            condition = re.search(r": om (.*?) (?:\w+er|\w+ar) ", line)
            if condition and row["question"].endswith(f"om {condition[1]}?"):
                found += 1
                assert citations(row["references"][0]) == citations(line[:6])
    assert found > 10


def test_rules_with_exceptions_are_asked_about_both_ways():
    asked = [row["question"] for row in all_rows("guideline_qa")]
    assert sum(bool(re.search(r"på natten|på en helg|under semestern", question)) for question in asked) > 20
    contexts = [row for row in all_rows("guideline_qa") if "Undantag:" in row["context"]]
    assert len(contexts) > 100


def test_questions_about_one_guideline_share_a_group():
    for house in houses()[:2]:
        made = rows("guideline_qa", house.name, "train")
        assert {row["context"] for row in made[:2]} == {made[0]["context"]}
        assert made[0]["group"] == made[1]["group"] != made[2]["group"]
