"""The page says all that the bytes say."""

from __future__ import annotations

import re
from dataclasses import asdict

import doorway as d
import pytest

from kommunbench.core.answer import Cost
from kommunbench.core.errors import FederationError
from kommunbench.release import preview_page, refuse, review
from kommunbench.release.past import Past
from kommunbench.release.preview import WORDS


def page(request, answer=None, policy=None, language="en", **kwargs):
    answer = answer or d.make_answer(request)
    release = review(policy or d.make_policy(), request, answer, d.weights() if request.train else None, **kwargs)
    return preview_page(request, release.payload(), language), release


@pytest.mark.parametrize("language", ["sv", "en"])
def test_every_number_is_on_the_page(language):
    """Each slot has a number of its own, found again by name."""
    request = d.make_request(cells=d.CELLS[:1])
    answer = d.make_answer(request)
    answer.values = {slot.key: d.row(slot, n) for n, slot in enumerate(request.slots(), start=41)}
    text, release = page(request, answer, language=language)
    for slot in request.slots():
        (line,) = (line for line in text.splitlines() if f"base, round 0, test, seed 0 | {slot.key[1]}: " in line)
        for name, number in zip(slot.metric.names, answer.values[slot.key], strict=True):
            assert re.search(rf"\b{name}={number}( \([0-9.]+\))?(, |$)", line)
    for number in (*release.values.tolist(), *release.cost.tolist()):
        assert re.search(rf"={number}\b", text)
    assert release.digest in text
    assert str(len(release.payload())) in text


@pytest.mark.parametrize("language", ["sv", "en"])
def test_a_page_is_headings_rows_and_the_words_that_are_in_the_code(language):
    """Nothing else can be on it: each line is blank, a heading, a row, or a sentence of `WORDS`."""
    said = {words[language == "en"] for words in WORDS.values()}
    request = d.train_request()
    for policy, code in (({}, " (TRAINING_DENIED)"), ({"training": "allow", "adapters": "allow"}, "")):
        text, _ = page(request, d.trained(request), d.make_policy(**policy), language)
        assert text.endswith(".\n")
        lines = text.splitlines()
        assert all(not line or line in said or re.match(r"(#|##|-) [^ ]", line) for line in lines)
        assert f"## {WORDS['weights'][language == 'en']}{code}" in lines
        assert (WORDS["memory"][language == "en"] in lines) is (not code)


def test_what_is_held_back_is_on_the_page():
    request = d.make_request(cells=d.CELLS[:1])
    text, _ = page(request, d.make_answer(request, 3))
    assert text.count("TOO_FEW_EXAMPLES") == len(request.slots())
    assert all(f"{name}=0" in text for name in asdict(Cost()))


def test_a_sum_in_fixed_point_is_also_shown_as_what_it_stands_for():
    request = d.make_request(cells=d.CELLS[:1])
    answer = d.make_answer(request)
    slot = next(slot for slot in request.slots() if slot.key[1] == "token_f1")
    answer.values = {slot.key: (40, 0, 12_345_678_901_234)}
    text, _ = page(request, answer)
    assert "token_f1: n=40, unscored=0, f1=12345678901234 (12.345679)\n" in text
    row = next(slot for slot in request.slots() if slot.key[1] == "abstention")
    answer.values = {row.key: d.row(row)}
    assert "(" not in page(request, answer)[0].split("abstention: ")[1].splitlines()[0], "counts stand for themselves"


def test_systems_of_an_earlier_run_or_of_another_site_are_told_apart():
    left, right = d.CELLS[0]._replace(stage="local", origin="ekby"), d.CELLS[0]._replace(run="f" * 64)
    pair = (left, right, "abstention", "abstention_f1")
    text, _ = page(d.close_request().model_copy(update={"totals": (), "pairs": (pair,)}))
    assert "prompt plain, local, round 0, test, seed 0, ekby | guideline_qa, nano, prompt plain, base" in text
    assert f"seed 0, {'f' * 64} | abstention" in text


def test_weights_are_shown_by_name_size_and_range():
    request = d.train_request()
    text, _ = page(request, d.trained(request), d.make_policy(training="allow", adapters="allow"))
    assert "- layer.0.lora_A: (2, 3), 1 .. 1, 24\n" in text
    assert "Weights can remember text" in text


def test_closing_sums_are_on_the_page():
    request = d.close_request()
    past = Past(here={"guideline_qa/test/abstention": frozenset({d.N})})
    text, _ = page(request, past=past)
    assert text.count(f"n={d.N}, sum u={d.N}, sum u^2={4 * d.N}") == len(request.slots())


def test_names_that_the_coordinator_sent_cannot_dress_the_page_up():
    unchecked = d.make_spec().model_copy(update={"run": "a\n# Godkänd\n<b>|\x1b[31m[x](y)"})
    request = d.make_request().model_copy(update={"spec": unchecked})
    text, _ = page(request)
    assert "\n# Godkänd" not in text
    assert not set("<>\x1b") & set(text)
    assert "- Run: a?? Godkänd??b?|??31m?x??y?\n" in text


def test_bytes_of_another_request_have_no_page():
    other = refuse(d.Code.PENDING, d.close_request()).payload()
    with pytest.raises(FederationError):
        preview_page(d.make_request(), other, "sv")
    with pytest.raises(ValueError, match="payload"):
        preview_page(d.make_request(), other + b"Anna", "sv")
