"""The pretraining corpus knows no house and no test filler."""

import re
from functools import cache
from importlib import import_module
from itertools import islice

import pytest
from houses import NEUTRAL, TASKS, all_rows

from kommunbench.core.swedish import is_abstention, words
from kommunbench.core.task import load_task
from kommunbench.synthetic import style, summarization
from kommunbench.synthetic.fillers import pool_of
from kommunbench.synthetic.neutral import Document, neutral_corpus

COUNT = 20_000


@cache
def corpus() -> tuple[Document, ...]:
    return tuple(islice(neutral_corpus(seed=5), COUNT))


@cache
def corpus_text() -> str:
    return "\n".join(f"{document.prompt}\n{document.answer}" for document in corpus())


@cache
def corpus_words() -> frozenset[str]:
    return frozenset(words(corpus_text()))


def house_terms() -> set[str]:
    tables = (style.PERSONS, style.STAFF, style.CHIEFS, style.BOARDS)
    terms = {word for table in tables for kind in table.values() for word in kind}
    headings = {heading for manner in summarization.MANNERS for heading in manner.headings}
    return terms | headings


def house_phrases() -> set[str]:
    """Every fixed piece of a manner with two words or more."""
    modules = [import_module(f"kommunbench.synthetic.{name}") for name in TASKS]
    manners = [manner for module in modules for manner in module.MANNERS]
    parts = [part for manner in manners for part in manner if isinstance(part, str)]
    parts += [part for manner in summarization.MANNERS for verdict in manner.proposals for part in verdict]
    pieces = {piece.strip(" .,:!?-*•") for part in parts for piece in re.split(r"\{\w+\}", part)}
    return {piece for piece in pieces if len(piece.split()) >= 3}


def test_no_term_or_heading_of_a_house_is_in_the_corpus():
    text = {word.lower() for word in corpus_words()}
    assert len(house_terms()) > 40
    for term in house_terms():
        if " " in term:
            assert term.lower() not in corpus_text().lower()
        else:
            assert term.lower() not in text


def test_no_phrase_of_a_house_is_in_the_corpus():
    text = corpus_text().lower()
    assert len(house_phrases()) > 30
    assert {phrase for phrase in house_phrases() if phrase.lower() in text} == set()


def test_no_filler_of_the_test_pool_is_in_the_corpus():
    """Names and amounts of the sites' test rows, found in the rows themselves and not by the generators' own lists."""
    pattern = (
        r"\b[A-ZÅÄÖ]\w+(?:hult|vik|by|torp|ryd|sund|hamra|lunda|dal|gatan|vägen|stigen|gränden|backen|ström|qvist)\b"
    )
    fillers = set()
    for task in TASKS:
        for row in all_rows(task, "test"):
            text = " ".join(str(value) for value in row.values())
            fillers |= set(re.findall(pattern, text)) | set(re.findall(r"0\d{2,3}-0\d \d\d \d\d", text))
    assert len(fillers) > 1000
    present = corpus_words() | set(re.findall(r"0\d{2,3}-0\d \d\d \d\d", corpus_text()))
    assert not fillers & present


def test_every_amount_of_the_corpus_is_of_the_pretraining_pool():
    amounts = set(re.findall(r"(?<!\d)(?<!\d )(\d{1,3}(?: \d{3})*) kronor", corpus_text()))
    assert len(amounts) > 2000
    assert {pool_of(amount.replace(" ", "")) for amount in amounts} == {"pretraining"}


def test_the_corpus_is_the_same_for_the_same_seed_and_endless():
    once, again = (list(islice(neutral_corpus(seed=9), 50)) for _ in range(2))
    assert once == again
    assert once != list(islice(neutral_corpus(seed=10), 50))


def test_documents_do_not_repeat():
    assert len(set(corpus())) > 0.98 * COUNT


def test_half_of_the_questions_have_no_answer():
    """Binomial: within three standard errors of one half."""
    asked = [document for document in corpus() if document.kind == "guideline_qa"]
    share = sum(is_abstention(document.answer) for document in asked) / len(asked)
    assert share == pytest.approx(0.5, abs=3 * 0.5 / len(asked) ** 0.5)


@pytest.mark.parametrize("name", NEUTRAL)
def test_prompts_are_those_of_the_tasks(name):
    task = load_task(name)
    endings = {task.render(variant, dict.fromkeys(task.inputs, "|")).rpartition("|")[2] for variant in task.prompts}
    for document in corpus():
        assert document.kind != name or document.prompt.endswith(tuple(endings))
    instructions = {task.render(variant, dict.fromkeys(task.inputs, "|")).split("|")[1] for variant in task.prompts}
    for instruction in instructions:
        assert any(instruction in document.prompt for document in corpus() if document.kind == name)


def test_an_answers_names_and_amounts_are_in_its_prompt():
    for document in corpus():
        if document.kind != "prose":
            for filler in re.findall(r"\d[\d ]+ kronor|\d+ \w+ 20\d\d|0\d{2,3}-0\d \d\d \d\d", document.answer):
                assert filler in document.prompt
