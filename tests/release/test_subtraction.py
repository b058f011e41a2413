"""Two numbers that differ by a few examples are not both let out, however they are asked for."""

from __future__ import annotations

from dataclasses import replace

import doorway as d
import pytest

from kommunbench.core.answer import Answer, Code, Cost
from kommunbench.core.dp import DpSettings
from kommunbench.core.registry import find
from kommunbench.core.spec import COST, PromptRef, Request, Slot
from kommunbench.release import Ledger, let_out
from kommunbench.release.past import Past, sizes_of
from kommunbench.release.review import review, unpack_cost

CELL = d.cell("summarization")


def asking(metric: str, run: str = "pilot-1", **changed: object) -> Request:
    """A run that asks for one metric of one system."""
    spec = d.make_spec(run=run, tasks=(d.task_ref(d.SHORT, metrics=(metric,)),), **changed)
    return Request(spec=spec, cells=(CELL,))


def of(request: Request, n: int, unscored: int = 0, cost: Cost | None = None) -> Answer:
    return Answer(values={slot.key: d.row(slot, n, unscored) for slot in request.slots()}, cost=cost or Cost())


def code(ledger: Ledger, request: Request, answer: Answer, **policy: object) -> Code:
    return Code(int(let_out(d.make_policy(**policy), request, answer, None, ledger).codes[0]))


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl")


@pytest.mark.parametrize(
    ("n", "unscored", "expected"),
    [(51, 0, Code.SMALL_CELL), (41, 10, Code.SMALL_CELL), (50, 0, Code.OK), (40, 10, Code.OK), (60, 0, Code.OK)],
)
def test_what_two_metrics_have_in_common_does_not_give_the_example_between_them(ledger, n, unscored, expected):
    """Many count words: those of 51 examples less those of 50 would be one text's."""
    first, second = asking("rouge", "first"), asking("chrf", "second")
    assert code(ledger, first, of(first, 50)) is Code.OK
    assert code(ledger, second, of(second, n, unscored)) is expected


def test_a_rounded_number_is_held_against_the_exact_ones(ledger):
    """To the nearest two, 51 and 52 are the same; that one of them grew would tell of one example."""
    first = asking("rouge", "first")
    assert code(ledger, first, of(first, 51), rounding=2) is Code.OK
    assert ledger.entries()[-1]["sets"] == {"summarization/test": [51], "summarization/test/rouge": [51]}
    for n, expected in [(52, Code.SMALL_CELL), (51, Code.OK)]:
        again = asking("rouge", f"again-{n}")
        assert code(ledger, again, of(again, n), rounding=2) is expected


def test_closing_sums_are_remembered_and_held_against_each_other(ledger):
    work = d.make_request(cells=d.CELLS[:2])
    assert code(ledger, work, d.make_answer(work, 60)) is Code.OK
    close = d.close_request(work.spec)
    assert code(ledger, close, d.make_answer(close, 50)) is Code.OK
    assert ledger.entries()[-1]["sets"] == {"guideline_qa/test/abstention": [50]}
    assert code(ledger, close, d.make_answer(close, 49)) is Code.SMALL_CELL


def test_a_hash_that_leaves_says_nothing_of_a_line_that_could_be_guessed(ledger):
    lines = [ledger.append({"time": "2026-01-01", "run": "pilot"}) for _ in range(2)]
    first, second = ledger.entries()
    assert lines[0] != lines[1]
    assert first["salt"] != second["salt"]
    assert len(first["salt"]) == 32


def test_no_exact_count_stands_beside_noise():
    """Asked for by many names, coarse steps add up to an exact number."""
    cost = Cost(examples=200, prompt_tokens=9_000, new_tokens=9_000, reused=200, evaluate_ms=1_000)
    plain = asking("chrf")
    noisy = asking("chrf", dp=DpSettings(name="tallies", tallies="laplace", tally_epsilon=1.0))
    policy = d.make_policy(epsilon_a_run=50.0, epsilon_a_year=50.0)
    shown, hidden = (unpack_cost(review(policy, each, of(each, 200, cost=cost), None).cost) for each in (plain, noisy))
    assert shown.examples == 200
    assert hidden == Cost(evaluate_ms=1_000)


def test_what_one_worked_example_takes_in_every_prompt_does_not_leave():
    cost = Cost(examples=50, prompt_tokens=9_000, new_tokens=2_000)
    shown = asking(COST)
    worked = asking(COST, prompts=(PromptRef(name="plain", variant="plain", shots=1),))
    found = [review(d.make_policy(), each, of(each, 50, cost=cost), None) for each in (shown, worked)]
    assert [Code(int(each.codes[0])) for each in found] == [Code.OK, Code.METRIC_NOT_ALLOWED]
    other = asking("rouge", prompts=worked.spec.prompts)
    left = unpack_cost(review(d.make_policy(), other, of(other, 50, cost=cost), None).cost)
    assert (left.examples, left.prompt_tokens, left.new_tokens) == (50, 0, 2_000)


@pytest.mark.parametrize("policy", [{"training": "allow"}, {"training": "allow", "adapters": "allow"}])
@pytest.mark.parametrize(("examples", "tokens"), [(1, 0), (9, 0), (10, 137_000)])
def test_what_training_on_a_few_examples_took_stays(policy, examples, tokens):
    request = d.train_request()
    answer = d.trained(request, examples=examples)
    answer.cost = replace(answer.cost, train_steps=1_000, train_tokens=137_000)
    cost = unpack_cost(review(d.make_policy(**policy), request, answer, d.weights()).cost)
    assert (cost.train_tokens, cost.train_steps > 0, cost.train_examples > 0) == (tokens, tokens > 0, tokens > 0)


def test_a_set_of_answered_examples_is_a_tallys_and_not_that_of_what_staff_rated():
    slot = Slot((CELL, "rouge"), find("metrics", "rouge"))
    assert sizes_of(slot, (40, 3, 0, 0)) == {"summarization/test/rouge": 40, "summarization/test": 43}
    rated = Slot((CELL, "rated_correct"), find("metrics", "rated_correct"))
    assert list(sizes_of(rated, (40, 3, 0)).values()) == [40]
    assert sizes_of(Slot((CELL, "rouge", "rouge_l")), (40, 3, 9)) == {"summarization/test/rouge": 40}


def test_sizes_are_apart_in_this_run_and_in_others():
    policy = d.make_policy()
    assert Past(here={"a": {40}}).apart(policy, {"a": (40, 50), "b": (41,)})
    assert not Past(here={"a": {40}}).apart(policy, {"a": (40, 49)})
    assert not Past(elsewhere={"a": {40}}).apart(policy, {"a": (31,)})
