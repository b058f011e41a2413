"""Ways to get text or a small cell out of a site, one function each, with the code that the door answers.

Whoever finds a new way adds it here first. A way is an answer, a request, a policy or a ledger as a careless or hostile
metric, model, run or coordinator would make it. Whatever it tries, neither the canary nor a piece of it may be in the
bytes, the log or the ledger, and the place it aimed at is zeros.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import doorway as d
import numpy as np
import pytest

from kommunbench.core.answer import Answer, Code, Cost, Memory
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import ModelRef, PromptRef
from kommunbench.release import Ledger, ReleasePolicy, let_out

CANARY = "Anna Svensson 19121212-1212"
PIECES = [int.from_bytes(CANARY.encode()[start : start + 6], "little") for start in range(0, 24, 6)]
"""The canary as integers that fit in 64 bits."""
OPEN = {"training": "allow", "adapters": "allow"}


@dataclass
class Way:
    """One attempt: what is sent through the door, and its aim: a slot's key, `adapter`, `cost`, `hidden` (a
    set too small to show), or `all` slots."""

    answer: Any
    request: Any = field(default_factory=d.make_request)
    policy: Any = field(default_factory=d.make_policy)
    received: Any = None
    aim: Any = "all"
    before: tuple[tuple[Any, Any], ...] = ()
    ledger: str = "ledger.jsonl"
    meanwhile: Callable[[Path], object] = lambda _: None
    """What happens to the ledger between `before` and the attempt."""


WAYS: list[Any] = []


def way(code: Code) -> Callable[[Callable[[], Way]], Callable[[], Way]]:
    def add(function: Callable[[], Way]) -> Callable[[], Way]:
        WAYS.append(pytest.param(function, code, id=function.__name__))
        return function

    return add


@pytest.mark.parametrize(("make", "code"), WAYS)
def test_nothing_gets_out(make, code, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    attempt = make()
    ledger = Ledger(tmp_path / attempt.ledger)
    for request, answer in attempt.before:
        assert let_out(attempt.policy, request, answer, None, ledger).values.any()
    attempt.meanwhile(ledger.path)
    release = let_out(attempt.policy, attempt.request, attempt.answer, attempt.received, ledger)

    if attempt.aim == "adapter":
        assert (release.adapter_code, release.adapter) == (code, {})
    elif attempt.aim == "cost":
        assert release.code is code
        assert release.values.any()
        assert not release.cost.any()
    elif attempt.aim == "hidden":
        assert code in release.codes
        assert release.values.any()
        assert not release.cost[2:].any()
    elif attempt.aim == "all":
        assert set(release.codes.tolist()) <= {code}
        assert not release.values.any()
        assert not release.cost.any()
    else:
        assert d.rows_of(attempt.request, release)[attempt.aim] == (code, (0,) * _width(attempt))
    written = ledger.path.read_bytes() if ledger.path.is_file() else b""
    for outlet in (release.payload(), written, caplog.text.encode(), repr(release).encode()):
        assert CANARY.encode() not in outlet
        assert not any(piece.to_bytes(6, "little") in outlet for piece in PIECES)
        assert b"Anna" not in outlet


def _width(attempt: Way) -> int:
    return next(slot.width for slot in attempt.request.slots() if slot.key == attempt.aim)


KEYS = {(slot.key[0].task, slot.key[1]): slot for slot in d.make_request(cells=d.CELLS[::2]).slots()}
EXACT, KINDS = KEYS["guideline_qa", "exact_match"], KEYS["guideline_qa", "abstention"]


def with_value(value: Any, slot=EXACT, **changed: Any) -> Way:
    """A good answer but for one slot."""
    request = d.make_request()
    answer = d.make_answer(request)
    answer.values = {**answer.values, slot.key: value}
    return Way(answer, request, aim=slot.key, **changed)


def with_cost(cost: Any) -> Way:
    """A good answer with a strange cost: the rest leaves, the cost stays."""
    request = d.make_request()
    return Way(d.make_answer(request, cost=cost), request, aim="cost")


def with_weights(adapter: Any, received: Any = None, policy: Any = None) -> Way:
    request = d.train_request()
    policy = OPEN if policy is None else policy
    return Way(d.trained(request, adapter), request, d.make_policy(**policy), received or d.weights(), aim="adapter")


# Text in a tally


@way(Code.INTERNAL)
def text_in_place_of_a_tally():
    return with_value(CANARY)


@way(Code.INTERNAL)
def bytes_in_place_of_a_tally():
    return with_value(CANARY.encode())


@way(Code.INTERNAL)
def a_list_in_place_of_a_tally():
    return with_value([d.N, 0, 20])


@way(Code.INTERNAL)
def text_among_the_integers():
    return with_value((d.N, 0, CANARY))


@way(Code.INTERNAL)
def letters_as_numbers_after_the_tally():
    return with_value((d.N, 0, 20, *map(ord, CANARY)))


@way(Code.INTERNAL)
def a_tally_cut_short():
    return with_value((d.N, 0))


@way(Code.INTERNAL)
def text_packed_in_one_huge_integer():
    return with_value((d.N, 0, int.from_bytes(CANARY.encode(), "little")))


@way(Code.INTERNAL)
def text_packed_in_an_integer_of_the_wire():
    return with_value((d.N, 0, PIECES[0]))


@way(Code.INTERNAL)
def text_packed_in_the_count_of_examples():
    return with_value((PIECES[0], 0, 2 * PIECES[0]))


@way(Code.INTERNAL)
def text_in_a_number_with_a_payload_beside_it():
    class Noted(int):
        note = CANARY

        def __repr__(self) -> str:
            return CANARY

    return with_value((d.N, 0, Noted(20)))


@way(Code.INTERNAL)
def a_tuple_that_changes_when_it_is_read_again():
    class Shifty(tuple):
        def __iter__(self):
            return iter((CANARY,) * 3)

    return with_value(Shifty((d.N, 0, 20)))


@way(Code.INTERNAL)
def text_in_the_payload_of_a_nan():
    nan = np.frombuffer(CANARY.encode()[:6] + b"\xf8\x7f", dtype="<f8")[0]
    return with_value((d.N, 0, float(nan)))


@way(Code.INTERNAL)
def an_infinite_number():
    return with_value((d.N, 0, float("inf")))


@way(Code.INTERNAL)
def a_yes_in_place_of_a_number():
    return with_value((d.N, 0, True))


@way(Code.INTERNAL)
def a_numpy_integer_that_would_wrap_around():
    return with_value((d.N, 0, np.int64(20)))


@way(Code.INTERNAL)
def a_numpy_array_of_text():
    return with_value(np.array([CANARY]))


@way(Code.INTERNAL)
def a_fraction_that_spells_text_in_its_digits():
    return with_value((d.N, 0, 19.121212121212))


@way(Code.INTERNAL)
def text_in_the_sign_and_size_of_closing_sums():
    request = d.close_request()
    answer = d.make_answer(request)
    key = request.slots()[0].key
    answer.values = {**answer.values, key: (d.N, -PIECES[0], PIECES[1])}
    work = d.make_request()
    return Way(answer, request, aim=key, before=((work, d.make_answer(work)),))


# Text elsewhere in the answer


@way(Code.NOT_AVAILABLE)
def text_as_a_key_that_nobody_asked_for():
    return Way(Answer(values={CANARY: (d.N, 0, 20), (d.CELLS[0], CANARY): (d.N, 0, 20)}))


@way(Code.INTERNAL)
def text_as_the_code_of_a_slot():
    request = d.make_request()
    return Way(Answer(codes={slot.key: CANARY for slot in request.slots()}), request)


@way(Code.INTERNAL)
def an_integer_as_the_code_of_a_slot():
    request = d.make_request()
    return Way(Answer(codes={slot.key: PIECES[0] for slot in request.slots()}), request)


@way(Code.INTERNAL)
def text_in_a_code_that_equals_a_real_one():
    class Loud(int):
        name = CANARY

    request = d.make_request()
    return Way(Answer(codes={slot.key: Loud(12) for slot in request.slots()}), request)


@way(Code.INTERNAL)
def text_as_the_code_of_the_adapter():
    request = d.train_request()
    answer = d.make_answer(request, adapter_code=CANARY)
    return Way(answer, request, d.make_policy(**OPEN), d.weights(), aim="adapter")


@way(Code.OK)
def text_in_a_cost():
    return with_cost(Cost(examples=CANARY))  # type: ignore[arg-type]


@way(Code.OK)
def text_packed_in_a_cost():
    return with_cost(Cost(*PIECES[:2], *PIECES[:2], *PIECES[:4]))


@way(Code.INTERNAL)
def text_in_an_attribute_of_a_kind_of_answer():
    class Noted(Answer):
        note = CANARY

    return Way(Noted(values=d.make_answer(d.make_request()).values))


@way(Code.INTERNAL)
def text_in_place_of_the_answer():
    return Way(CANARY)


# Text in exceptions


class Raising(dict):
    def get(self, key, default=None):
        raise ValueError(CANARY)


@way(Code.INTERNAL)
def an_exception_that_quotes_an_example():
    return Way(Answer(values=Raising()))


@way(Code.INTERNAL)
def an_exception_with_the_text_in_its_class():
    class Values(dict):
        def get(self, key, default=None):
            raise type(CANARY, (Exception,), {})

    return Way(Answer(values=Values()))


@way(Code.INTERNAL)
def an_exception_with_the_text_in_its_cause():
    class Values(dict):
        def get(self, key, default=None):
            try:
                raise KeyError(CANARY)
            except KeyError as error:
                raise RuntimeError from error

    return Way(Answer(values=Values()))


@way(Code.INTERNAL)
def an_exception_while_codes_are_read():
    return Way(Answer(codes=Raising()))


@way(Code.INTERNAL)
def an_exception_from_too_deep_a_recursion():
    class Values(dict):
        def get(self, key, default=None):
            raise RecursionError(CANARY)

    return Way(Answer(values=Values()))


# Text in weights


@way(Code.BAD_UPDATE)
def text_as_the_name_of_a_weight():
    return with_weights({**d.weights(), CANARY: np.zeros(1, dtype=np.float32)})


@way(Code.BAD_UPDATE)
def text_in_the_place_of_a_weights_name():
    first, second = d.weights().values()
    return with_weights({"layer.0.lora_A": first, CANARY: second})


@way(Code.BAD_UPDATE)
def text_in_the_nan_payloads_of_weights():
    weights = d.weights()
    weights["layer.0.lora_A"].view("<u4")[:] = 0x7FC00000 | int.from_bytes(b"An", "little")
    return with_weights(weights)


@way(Code.BAD_UPDATE)
def text_in_the_shape_of_a_weight():
    return with_weights({**d.weights(), "layer.0.lora_A": np.zeros(tuple(map(ord, "An")), dtype=np.float32)})


@way(Code.BAD_UPDATE)
def text_in_weights_of_another_type():
    return with_weights({**d.weights(), "layer.0.lora_A": np.full((2, 3), CANARY)})


@way(Code.BAD_UPDATE)
def text_in_the_field_names_of_a_weights_type():
    return with_weights({**d.weights(), "layer.0.lora_A": np.zeros((2, 3), dtype=[(CANARY, np.float32)])})


@way(Code.BAD_UPDATE)
def more_precision_than_was_sent():
    return with_weights({**d.weights(), "layer.0.lora_A": np.zeros((2, 3), dtype=np.float64)})


@way(Code.ADAPTER_DENIED)
def text_spelt_in_weights_where_weights_stay():
    weights = {key: np.full_like(array, ord("A")) for key, array in d.weights().items()}
    return with_weights(weights, policy={"training": "allow"})


@way(Code.TRAINING_DENIED)
def weights_from_a_site_that_does_not_train():
    return with_weights(d.weights(), policy={"adapters": "allow"})


@way(Code.ADAPTER_DENIED)
def weights_that_nobody_asked_for():
    request = d.make_request()
    return Way(d.trained(request), request, d.make_policy(**OPEN), d.weights(), aim="adapter")


@way(Code.BAD_UPDATE)
def weights_where_none_were_sent():
    return Way(d.trained(d.train_request()), d.train_request(), d.make_policy(**OPEN), None, aim="adapter")


@way(Code.TOO_FEW_EXAMPLES)
def weights_that_remember_three_examples():
    request = d.train_request()
    return Way(d.trained(request, examples=3), request, d.make_policy(**OPEN), d.weights(), aim="adapter")


@way(Code.UPDATE_TOO_LARGE)
def weights_larger_than_the_policy_bears():
    return with_weights(d.weights(1.0), policy={**OPEN, "max_update_norm": 1.7})  # they moved sqrt(12) / 2 = 1.73


@way(Code.UPDATE_TOO_LARGE)
def weights_larger_than_training_can_make():
    return with_weights(d.weights(1e6))


@way(Code.INTERNAL)
def weights_after_a_number_of_steps_that_is_none():
    request = d.train_request()
    answer = d.trained(request)
    answer.cost = replace(answer.cost, train_steps=CANARY)  # type: ignore[arg-type]
    return Way(answer, request, d.make_policy(**OPEN), d.weights(), aim="adapter")


def with_memory(memory: Any) -> Way:
    request = d.train_request()
    answer = d.trained(request)
    answer.memory = memory
    return Way(answer, request, d.make_policy(**OPEN), d.weights(), aim="adapter")


@way(Code.TOO_FEW_EXAMPLES)
def weights_after_one_step_over_one_example():
    """A run sets how many steps, of how many examples each; how many there are says nothing of how many were seen."""
    request = d.train_request(spec=d.make_spec(train=TrainSettings(learning_rate=1.0, batch_size=1, max_steps=1)))
    answer = d.trained(request)
    answer.cost = replace(answer.cost, train_steps=1)
    return Way(answer, request, d.make_policy(**OPEN), d.weights(), aim="adapter")


@way(Code.MEMORISED)
def weights_that_learnt_the_canaries():
    return with_memory(Memory(exposure_bits=6.0, auc=0.5, tpr=0.0, members=90, non_members=90))


@way(Code.MEMORISED)
def weights_that_tell_who_was_trained_on():
    return with_memory(Memory(exposure_bits=1.4, auc=0.97, tpr=0.6, members=90, non_members=90))


@way(Code.MEMORISED)
def weights_whose_memory_nobody_measured():
    return with_memory(None)


@way(Code.MEMORISED)
def weights_whose_memory_is_no_number():
    return with_memory(Memory(exposure_bits=float("nan"), auc=0.5, tpr=0.0, members=90, non_members=90))


@way(Code.MEMORISED)
def text_in_place_of_what_weights_remember():
    return with_memory(Memory(exposure_bits=CANARY, auc=0.5, tpr=0.0, members=90, non_members=90))  # type: ignore[arg-type]


@way(Code.TASK_NOT_APPROVED)
def weights_trained_on_a_task_that_is_not_approved():
    return with_weights(d.weights(), policy={**OPEN, "tasks": {"summarization": "installed"}})


# Text or more than was approved, asked for by a run


@way(Code.TASK_NOT_APPROVED)
def a_task_under_an_approved_name():
    spec = d.make_spec(tasks=(d.task_ref(d.QA, digest="0" * 64), d.task_ref(d.SHORT, digest="0" * 64)))
    request = d.make_request(spec=spec)
    return Way(d.make_answer(request), request)


@way(Code.MODEL_NOT_APPROVED)
def a_model_under_an_approved_name():
    models = tuple(ModelRef(name=name, digest="0" * 64) for name in d.MODELS)
    request = d.make_request(spec=d.make_spec(models=models))
    return Way(d.make_answer(request), request)


@way(Code.BAD_REQUEST)
def a_model_named_twice_once_approved():
    models = (*d.make_spec().models, ModelRef(name="nano", digest="0" * 64), ModelRef(name="lead", digest="0" * 64))
    request = d.make_request(spec=d.make_spec(models=models))
    return Way(d.make_answer(request), request)


@way(Code.METRIC_NOT_ALLOWED)
def a_metric_that_the_approved_task_does_not_have():
    spec = d.make_spec(tasks=(d.task_ref(d.QA, metrics=("rouge",)), d.task_ref(d.SHORT, metrics=("citation",))))
    request = d.make_request(spec=spec)
    return Way(d.make_answer(request), request)


@way(Code.MODEL_NOT_APPROVED)
def an_approved_model_with_weights_that_the_run_brings():
    """Weights can be made to answer otherwise where a text says something: a sum of answers then counts such texts."""
    cells = tuple(cell._replace(stage="federated", round=1) for cell in d.CELLS)
    request = d.make_request(cells=cells)
    return Way(d.make_answer(request), request)


@way(Code.BAD_REQUEST)
def a_metric_whose_name_is_text():
    tasks = (d.task_ref(d.QA).model_copy(update={"metrics": (CANARY,)}), d.task_ref(d.SHORT))
    return Way(
        Answer(), d.make_request().model_copy(update={"spec": d.make_spec().model_copy(update={"tasks": tasks})})
    )


@way(Code.BAD_REQUEST)
def a_task_whose_name_is_text():
    return Way(Answer(), d.make_request(cells=(d.cell(CANARY),)))


@way(Code.NOT_AVAILABLE)
def a_run_whose_name_is_text():
    unchecked = d.make_spec().model_copy(
        update={
            "run": CANARY,
            "prompts": (PromptRef.model_construct(name=CANARY, variant=CANARY),),
            "kommunbench": CANARY,
        }
    )
    return Way(Answer(), d.make_request().model_copy(update={"spec": unchecked}))


@way(Code.OVER_LIMIT)
def an_answer_long_enough_to_recite_the_source():
    tasks = (d.task_ref(d.QA, max_new_tokens=4096), d.task_ref(d.SHORT, max_new_tokens=4096))
    request = d.make_request(spec=d.make_spec(tasks=tasks))
    return Way(d.make_answer(request), request)


# Loosening the policy


@way(Code.POLICY_MISSING)
def no_policy_at_all():
    return Way(d.make_answer(d.make_request()), policy=None)


@way(Code.POLICY_MISSING)
def a_policy_of_another_kind():
    class Loose(ReleasePolicy):
        def slot_code(self, spec, slot):
            return Code.OK

    return Way(d.make_answer(d.make_request()), policy=Loose().with_installed((d.QA, d.SHORT), d.MODELS))


@way(Code.INTERNAL)
def a_policy_changed_past_its_checks():
    policy = d.make_policy().model_copy(update={"min_examples": -1})
    return Way(d.make_answer(d.make_request(), 1), policy=policy)


@way(Code.TASK_NOT_APPROVED)
def a_policy_that_has_not_seen_what_is_installed():
    return Way(d.make_answer(d.make_request()), policy=ReleasePolicy())


# A small cell


@way(Code.TOO_FEW_EXAMPLES)
def one_single_example():
    return Way(d.make_answer(d.make_request(), 1))


@way(Code.TOO_FEW_EXAMPLES)
def one_example_short_of_enough():
    return Way(d.make_answer(d.make_request(), 9))


@way(Code.TOO_FEW_EXAMPLES)
def few_scored_examples_among_many_unscored():
    return with_value((3, 997, 3))


@way(Code.INTERNAL)
def fewer_than_none():
    return with_value((-40, 0, -20))


@way(Code.INTERNAL)
def unscored_examples_that_make_up_for_the_rest():
    return with_value((d.N, -39, 20))


@way(Code.SMALL_CELL)
def one_example_of_a_kind():
    return with_value((d.N, 0, 1, 39, 1, 0), KINDS)


@way(Code.SMALL_CELL)
def all_examples_but_one_of_a_kind():
    return with_value((d.N, 0, 39, 1, 30, 0), KINDS)


@way(Code.SMALL_CELL)
def two_kinds_that_leave_one_example_over():
    return with_value((d.N, 0, 20, 19, 10, 0), KINDS)


@way(Code.TOO_FEW_EXAMPLES)
def the_size_of_a_hidden_set_as_the_rest_of_a_cost():
    """Costs of all sets less those of the sets that are shown: the aim is the whole set of one task."""
    request = d.make_request()
    answer = d.make_answer(request, cost=Cost(examples=2 * d.N + 2 * 70, prompt_tokens=50_000, new_tokens=9_000))
    for slot in request.slots():
        answer.values[slot.key] = d.row(slot, 7 if slot.key[0].task == "guideline_qa" else d.N)
    return Way(answer, request, aim="hidden")


@way(Code.BAD_REQUEST)
def the_same_slot_asked_for_twice():
    request = d.make_request(cells=(d.CELLS[0], d.CELLS[0]))
    return Way(d.make_answer(request), request)


def two_runs(n: int, **changed: Any) -> Way:
    first = d.make_request()
    second = d.make_request(spec=d.make_spec(**{"run": "pilot-2", **changed}))
    return Way(d.make_answer(second, n), second, before=((first, d.make_answer(first)),))


@way(Code.SMALL_CELL)
def two_runs_that_differ_by_one_example():
    return two_runs(d.N - 1)


@way(Code.SMALL_CELL)
def two_runs_that_differ_by_one_example_the_other_way():
    return two_runs(d.N + 1)


@way(Code.SMALL_CELL)
def a_run_over_all_examples_but_one():
    tasks = tuple(d.task_ref(task, max_examples=d.N - 1) for task in (d.QA, d.SHORT))
    return two_runs(d.N - 1, tasks=tasks)


@way(Code.SMALL_CELL)
def two_runs_with_two_models_over_nearly_the_same_set():
    return two_runs(d.N - 9, run="pilot-1", seed=2)


@way(Code.BAD_REQUEST)
def two_runs_over_one_set_under_two_names():
    """What is evaluated is the test split, whatever a cell calls it: so a second name would be a second memory."""
    first = d.make_request()
    cells = tuple(cell._replace(split="validation") for cell in d.CELLS)
    second = d.make_request(spec=d.make_spec(run="pilot-2"), cells=cells)
    return Way(d.make_answer(second, d.N - 1), second, before=((first, d.make_answer(first)),))


@way(Code.SMALL_CELL)
def the_same_question_again_when_an_example_has_come():
    request = d.make_request()
    return Way(d.make_answer(request, d.N + 1), request, before=((request, d.make_answer(request)),))


@way(Code.SMALL_CELL)
def the_same_question_again_when_an_example_has_gone():
    request = d.make_request()
    return Way(d.make_answer(request, d.N - 1), request, before=((request, d.make_answer(request)),))


@way(Code.SMALL_CELL)
def the_cost_of_the_example_between_two_sets():
    """One task's set has one example more than in an earlier run; the other task's numbers leave, and the cost is of
    both."""
    first, second = d.make_request(), d.make_request(spec=d.make_spec(run="pilot-2"))
    answer = d.make_answer(second, cost=Cost(examples=162, prompt_tokens=50_499, new_tokens=9_000))
    grown = {slot.key: d.row(slot, d.N + 1) for slot in second.slots() if slot.key[0].task == "summarization"}
    answer.values = {**answer.values, **grown}
    return Way(answer, second, before=((first, d.make_answer(first)),), aim="hidden")


@way(Code.NOT_AVAILABLE)
def closing_sums_of_a_tally_that_was_held_back():
    work, close = d.make_request(), d.close_request()
    held = d.make_answer(work)
    small = {slot.key: (d.N, 0, 1, 39, 1, 0) for slot in work.slots() if slot.key[1] == "abstention"}
    held.values = {**held.values, **small}
    return Way(d.make_answer(close), close, before=((work, held),))


@way(Code.SMALL_CELL)
def closing_sums_over_all_examples_but_one():
    work, close = d.make_request(), d.close_request()
    return Way(d.make_answer(close, d.N - 1), close, before=((work, d.make_answer(work)),))


@way(Code.NOT_AVAILABLE)
def closing_sums_of_another_run():
    work, close = d.make_request(), d.close_request(d.make_spec(run="pilot-2"))
    return Way(d.make_answer(close), close, before=((work, d.make_answer(work)),))


# Leaving no trace


@way(Code.INTERNAL)
def a_ledger_that_cannot_be_written():
    return Way(d.make_answer(d.make_request()), ledger=".")


@way(Code.INTERNAL)
def a_ledger_in_a_place_that_cannot_be():
    return Way(d.make_answer(d.make_request()), ledger="/dev/null/ledger.jsonl")


def forgotten(meanwhile: Callable[[Path], object]) -> Way:
    """Three runs and then something that makes the door forget what it let out."""
    runs = [d.make_request(spec=d.make_spec(run=f"pilot-{number}")) for number in range(4)]
    before = tuple((request, d.make_answer(request)) for request in runs[:3])
    return Way(d.make_answer(runs[3]), runs[3], before=before, meanwhile=meanwhile)


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], object]:
    return lambda path: path.write_text("".join(change(path.read_text().splitlines(keepends=True))))


@way(Code.INTERNAL)
def a_ledger_whose_last_line_is_cut_off():
    return forgotten(_lines(lambda lines: lines[:2]))


@way(Code.INTERNAL)
def a_ledger_whose_first_line_is_cut_off():
    return forgotten(_lines(lambda lines: lines[1:]))


@way(Code.INTERNAL)
def a_ledger_with_a_line_changed():
    return forgotten(_lines(lambda lines: [lines[0], re.sub(r'"released":\d+', '"released":1', lines[1]), lines[2]]))


@way(Code.INTERNAL)
def a_ledger_with_two_lines_exchanged():
    return forgotten(_lines(lambda lines: [lines[1], lines[0], lines[2]]))


@way(Code.INTERNAL)
def a_ledger_emptied():
    return forgotten(_lines(lambda _: []))


@way(Code.INTERNAL)
def a_ledger_that_is_a_link_to_another_file():
    def link(path: Path) -> None:
        path.rename(path.with_name("elsewhere"))
        path.symlink_to(path.with_name("elsewhere"))

    return forgotten(link)


def test_there_are_many_ways():
    assert len(WAYS) >= 60
