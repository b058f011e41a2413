"""Worked examples: from the site's train split alone, the same for every question or those most like it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import log

import pytest

from kommunbench.cli.compose import make_plan
from kommunbench.config.hydra import compose_settings
from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.model import Completion, Decoding, Query
from kommunbench.core.spec import PromptRef, RunSpec
from kommunbench.core.task import load_task
from kommunbench.site.evaluate import Way, choose_shots, evaluate
from kommunbench.site.readings import Readers

TASK = load_task("lattlast")
TEXTS = (
    "Avgiften för bad höjs den 1 maj",
    "Simhallen i Lövvik håller stängt under renoveringen",
    "Bygglov krävs för altan och för carport",
    "Färdtjänst söks hos nämnden",
    "Avgiften för sophämtning höjs",
    "Snöröjning utförs av entreprenör",
)
TRAIN = [Example(f"t{at}", {"input": text}, (f"Lätt {at}.",), "train") for at, text in enumerate(TEXTS)]
SAME = PromptRef(name="few_shot", variant="plain", shots=2)
NEAREST = PromptRef(name="good_examples", variant="plain", shots=2, choose="nearest")


def question(text: str) -> Example:
    return Example("q", {"input": text}, ("Svar.",))


def bm25(wanted: str, text: str) -> float:
    """Lucene's BM25 by its formula: idf log(1 + (N - df + .5) / (df + .5)), k1 1.5, b .75."""
    pool = [swedish.tokens(each) for each in TEXTS]
    mean, words = sum(map(len, pool)) / len(pool), Counter(swedish.tokens(text))
    score = 0.0
    for word in swedish.tokens(wanted):
        df = sum(word in each for each in pool)
        idf = log(1 + (len(pool) - df + 0.5) / (df + 0.5))
        length = 0.25 + 0.75 * words.total() / mean
        score += idf * words[word] / (words[word] + 1.5 * length)
    return score


def test_the_same_examples_stand_before_every_question() -> None:
    shots = choose_shots(TRAIN, SAME, 1)
    assert shots(question("bad")) == shots(question("altan"))
    assert len(shots(question("bad"))) == 2
    assert len({tuple(one.id for one in choose_shots(TRAIN, SAME, seed)(question("x"))) for seed in range(8)}) > 1


@pytest.mark.parametrize(
    "wanted", ["Avgiften för bad ändras", "Altan utan bygglov i Lövvik", "När håller simhallen stängt? Färdtjänst"]
)
def test_good_examples_are_those_with_the_highest_bm25_the_best_last(wanted: str) -> None:
    order = sorted(TRAIN, key=lambda one: -bm25(wanted, one.inputs["input"]))
    assert bm25(wanted, order[1].inputs["input"]) > bm25(wanted, order[2].inputs["input"])  # no tie decides
    assert list(choose_shots(TRAIN, NEAREST, 1)(question(wanted))) == [order[1], order[0]]


def test_where_nothing_is_alike_they_are_those_that_anyone_would_get() -> None:
    near, same = (choose_shots(TRAIN, prompt, 3)(question("xyz")) for prompt in (NEAREST, SAME))
    assert list(reversed(near)) == list(same)


@pytest.mark.parametrize("prompt", [SAME, NEAREST])
def test_an_example_without_a_reference_is_never_shown_and_few_are_enough(prompt: PromptRef) -> None:
    bare = [Example("b", {"input": "bad"}, (), "train")]
    assert list(choose_shots(bare, prompt, 1)(question("bad"))) == []
    assert [one.id for one in choose_shots([*bare, TRAIN[0]], prompt, 1)(question("bad"))] == ["t0"]


def test_a_model_is_asked_with_the_examples_before_the_question_and_their_answers() -> None:
    seen: list[str] = []

    class Listening:
        digest = ""

        def generate(self, queries: list[Query], decoding: Decoding) -> list[Completion]:
            seen.extend(query.prompt for query in queries)
            return [Completion("") for _ in queries]

    asked = question("Avgiften för bad ändras")
    way = Way(NEAREST, choose_shots(TRAIN, NEAREST, 1))
    evaluate(TASK, way, [asked], Listening(), Decoding(max_new_tokens=1), Readers())
    places = [seen[0].index(text) for text in (TEXTS[4], "Lätt 4.", TEXTS[0], "Lätt 0.", asked.inputs["input"])]
    assert places == sorted(places)
    assert "Svar." not in seen[0]


def test_ways_of_asking_are_compared_like_models() -> None:
    words = ["strategy=none", "models=[nano]", "prompt=[plain,detailed,few_shot,good_examples]", "tasks=[lattlast]"]
    plan = make_plan(compose_settings([*words, "tracking=off"]))
    compared = {frozenset((pair.left.prompt, pair.right.prompt)) for pair in plan.info.pairs}
    names = ("plain", "detailed", "few_shot", "good_examples")
    assert {frozenset(pair) for pair in combinations(names, 2)} <= compared
    assert [prompt.choose for prompt in plan.info.spec.prompts] == ["same", "same", "same", "nearest"]


def test_a_run_that_does_not_use_it_has_the_digest_that_it_had(spec_before: RunSpec) -> None:
    assert "choose" not in spec_before.model_dump_json()
    near = spec_before.model_copy(update={"prompts": (NEAREST,)})
    assert RunSpec.model_validate_json(near.model_dump_json()) == near
    assert near.digest != spec_before.digest


@pytest.fixture
def spec_before() -> RunSpec:
    return RunSpec(run="r", kommunbench="0", seed=1, tasks=(), models=(), prompts=(SAME,))
