"""No run loosens a policy: for any policy, request and answer, what leaves is within what the policy alone allows.

Three properties, each over generated policies, requests and answers. What leaves breaks no rule of the policy, as this
file reads the rules (it asks nothing of the code under test). Whatever a run wishes, what leaves is some of what leaves
without the wish. And a policy that is stricter in one line lets out some of what it let out before, and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from typing import Any

import doorway as d
import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from kommunbench.core.answer import Answer, Code, Memory
from kommunbench.core.dp import DpSettings
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import RATED, Cell, ModelRef, Request, Slot
from kommunbench.release import Release, ReleasePolicy, review
from kommunbench.release.past import Past

DIGESTS = ("a" * 64, "b" * 64, d.QA.digest, d.SHORT.digest)
METRICS = tuple(dict.fromkeys((*d.QA.metrics, *d.SHORT.metrics)))
INSTALLED = {d.QA.name: d.QA, d.SHORT.name: d.SHORT}
NOON = datetime.fromisoformat("2026-03-01T12:00:00+01:00")


def approved(names: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """`installed`, or some names with `installed` or any digest; often the right one."""
    entry = st.sampled_from(("installed", "installed", *DIGESTS))
    return st.one_of(st.just("installed"), st.dictionaries(st.sampled_from(names), entry, max_size=2))


LINES: dict[str, st.SearchStrategy[Any]] = {
    "min_examples": st.integers(1, 60),
    "min_cell": st.integers(1, 20),
    "min_difference": st.integers(1, 20),
    "min_sites": st.integers(1, 3),
    "tasks": approved(tuple(INSTALLED)),
    "models": approved(tuple(d.MODELS)),
    "metrics": st.one_of(st.just("all"), st.lists(st.sampled_from(METRICS), unique=True).map(tuple)),
    "training": st.sampled_from(["deny", "private", "allow", "allow"]),
    "full_tuning": st.sampled_from(["deny", "allow"]),
    "received_adapters": st.sampled_from(["deny", "allow"]),
    "adapters": st.sampled_from(["deny", "approve", "allow", "allow"]),
    "max_update_norm": st.sampled_from([0.0, 0.5, 1.7, 1.8, 9.0]),
    "memorisation": st.sampled_from(["stop", "measure", "skip"]),
    "max_exposure_bits": st.floats(0, 9),
    "max_membership_auc": st.floats(0.5, 1),
    "results": st.sampled_from(["deny", "allow", "allow", "allow"]),
    "ratings": st.sampled_from(["deny", "allow"]),
    "max_examples": st.sampled_from([0, 20, d.N, 41, 60]),
    "max_new_tokens": st.sampled_from([1, 47, 48, 49, 4096]),
    "hours": st.sampled_from(["always", "08:00-17:00", "18:00-06:00", "12:00-12:01 and 08:00-17:00"]),
    "runs_a_year": st.sampled_from([0, 1, 5]),
    "noise": st.sampled_from(["optional", "optional", "required"]),
    "epsilon_a_run": st.sampled_from([0.0, 0.9, 1.0, 8.0]),
    "epsilon_a_year": st.sampled_from([0.0, 0.9, 1.0, 8.0]),
    "delta_a_year": st.sampled_from([0.0, 1e-6, 1e-4]),
}
"""Every line of a policy that decides what leaves, but for `rounding`, which decides how."""
HOW = {"rounding", "answers", "max_minutes", "retention_days", "endpoints", "max_adapter_mib"}
"""The others: how numbers leave, what is kept at the site, which work is begun, and where models answer."""


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """A policy that lets much out, but for a few lines: if every line were any, nothing would ever leave."""
    changed = draw(st.lists(st.sampled_from(sorted(LINES)), max_size=3, unique=True))
    return {"training": "allow", "adapters": "allow", "min_cell": 1} | {line: draw(LINES[line]) for line in changed}


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """What a coordinator could ask: other digests, metrics that no task has, longer answers, noise, weights."""
    metrics = st.one_of(st.none(), st.lists(st.sampled_from((*METRICS, *RATED)), min_size=1, max_size=4, unique=True))
    odd = draw(st.sampled_from([False, False, True]))
    tasks = tuple(
        d.task_ref(
            task,
            digest=draw(st.sampled_from((task.digest, "0" * 64))) if odd else task.digest,
            metrics=tuple(draw(metrics) or task.metrics),
            max_new_tokens=draw(st.sampled_from([48, 4096])) if odd else 48,
        )
        for task in (d.QA, d.SHORT)
    )
    models = tuple(
        ModelRef(name=name, digest=draw(st.sampled_from((value, "c" * 64))) if odd else value)
        for name, value in d.MODELS.items()
    )
    noise = DpSettings(tallies="gaussian", tally_epsilon=1.0, tally_shares=20, delta=1e-6)
    train = TrainSettings(learning_rate=0.1, method=draw(st.sampled_from(["lora", "lora", "full"])))
    spec = d.make_spec(
        tasks=tasks, models=models, train=train, dp=draw(st.sampled_from([DpSettings(), DpSettings(), noise]))
    )
    federated = [d.cell(stage="federated", round=1), d.cell("summarization", stage="local", origin="ekby")]
    cells = draw(st.lists(st.sampled_from((*d.CELLS, *federated)), min_size=1, max_size=3, unique=True))
    return Request(spec=spec, cells=tuple(cells), train=draw(st.booleans()), round=1)


@st.composite
def answers(draw: st.DrawFn, request: Request) -> Answer:
    """Plausible tallies over few or many examples, and weights that remember more or less."""
    n, unscored = draw(st.sampled_from([d.N, 3, 12, 59])), draw(st.sampled_from([0, 2]))
    support = draw(st.one_of(st.none(), st.integers(0, n)))
    values = {slot.key: d.row(slot, n, unscored, support) for slot in request.slots()}
    memory = Memory(draw(st.sampled_from([1.4, 3.9, 4.1])), draw(st.sampled_from([0.5, 0.74, 0.76])), 0.0, 30, 30)
    answer = d.trained(request, d.weights(draw(st.sampled_from([0.6, 1.0]))), draw(st.sampled_from([30, 30, 5])))
    return replace(answer, values=values, memory=memory, adapter=answer.adapter if request.train else None)


pasts = st.builds(
    Past,
    now=st.just(NOON),
    runs=st.sampled_from([0, 0, 3]),
    elsewhere=st.sampled_from([{}, {}, {f"{d.QA.name}/test/{name}": frozenset({d.N - 7}) for name in METRICS}]),
)


def reviewed(settings_: dict[str, Any], request: Request, answer: Answer, past: Past) -> Release:
    return review(d.make_policy(**settings_), request, answer, d.weights(), past)


def left(request: Request, release: Release) -> set[object]:
    """Keys of the slots that leave, and `adapter` where weights do."""
    rows = d.rows_of(request, release) if len(release.codes) else {}
    return {key for key, (code, _) in rows.items() if code is Code.OK} | ({"adapter"} if release.adapter else set())


def test_every_line_of_a_policy_is_generated():
    assert LINES.keys() | HOW == ReleasePolicy.model_fields.keys()


@pytest.mark.parametrize("what", ["numbers", "adapter"])
def test_much_does_leave_so_there_is_something_to_hold_back(what):
    def leaves(drawn) -> bool:
        own, request, answer, past = drawn
        found = left(request, reviewed(own, request, answer, past))
        return "adapter" in found if what == "adapter" else len(found) > 1

    with_answers = requests().flatmap(lambda asked: st.tuples(policies(), st.just(asked), answers(asked), pasts))
    find(
        with_answers, leaves, settings=settings(max_examples=400, deadline=None, database=None, phases=[Phase.generate])
    )


@settings(deadline=None)
@given(policies(), st.sampled_from([1, 1, 7]), st.data())
def test_what_leaves_breaks_no_rule_of_the_policy_whatever_a_run_asks_for(own, rounding, data):
    request, past = data.draw(requests()), data.draw(pasts)
    answer = data.draw(answers(request))
    release = reviewed({**own, "rounding": rounding}, request, answer, past)
    policy = ReleasePolicy(**own)
    for slot in request.slots():
        code, row = d.rows_of(request, release)[slot.key]
        assert code is Code.OK or not any(row)
        if code is Code.OK:
            assert list(broken_by(policy, request, slot, answer, past)) == []
            assert request.spec.dp.noisy or row[0] % rounding == 0
            assert request.spec.dp.noisy or rounding > 1 or row == answer.values[slot.key]
    if release.adapter:
        assert list(weights_break(policy, request, answer, past)) == []


def run_breaks(policy: ReleasePolicy, request: Request, past: Past):
    """Rules that hold for everything: when, for how many, over how many sites."""
    hour_open = {"always": True, "08:00-17:00": True, "18:00-06:00": False}.get(policy.hours, True)
    if not hour_open:
        yield "hours"
    if policy.runs_a_year and past.runs >= policy.runs_a_year:
        yield "runs_a_year"
    if policy.min_sites > 1:
        yield "min_sites"


def names_break(policy: ReleasePolicy, request: Request, tasks: set[str], models: set[str]):
    """Tasks and models are installed here, under the digest that was asked for, and approved with that very digest."""
    refs = {task.name: task.digest for task in request.spec.tasks}
    for kind, names, asked, here in (
        ("tasks", tasks, refs, {name: task.digest for name, task in INSTALLED.items()}),
        ("models", models, {model.name: model.digest for model in request.spec.models}, d.MODELS),
    ):
        said = getattr(policy, kind)
        for name in names:
            stands = "installed" if said == "installed" else said.get(name)
            if asked[name] != here[name] or stands not in ("installed", here[name]):
                yield f"{kind}: {name}"
    if any(task.max_new_tokens > policy.max_new_tokens for task in request.spec.tasks if task.name in tasks):
        yield "max_new_tokens"


def broken_by(policy: ReleasePolicy, request: Request, slot: Slot, answer: Answer, past: Past):
    """Every rule of `policy` that letting this slot out would break."""
    cell, name = slot.key
    assert isinstance(cell, Cell)
    n, unscored, *entries = answer.values[slot.key]
    yield from run_breaks(policy, request, past)
    yield from names_break(policy, request, {cell.task}, {cell.model})
    if policy.results != "allow":
        yield "results"
    if cell.stage != "base" and (policy.training, policy.received_adapters) == ("deny", "deny"):
        yield "received_adapters"
    own = name in INSTALLED[cell.task].metrics or (name in RATED and policy.ratings == "allow")
    if not own or (policy.metrics != "all" and name not in policy.metrics):
        yield "metrics"
    if policy.noise == "required" and not request.spec.dp.noisy:
        yield "noise"
    if request.spec.dp.noisy and (min(policy.epsilon_a_run, policy.epsilon_a_year) < 0.05 or not policy.delta_a_year):
        yield "epsilon"  # one tally costs at least a twentieth of the run's epsilon of 1
    if n < policy.min_examples:
        yield "min_examples"
    if policy.max_examples and n + unscored > policy.max_examples:
        yield "max_examples"
    counts = [(entry, part.high) for entry, part in zip(entries, slot.metric.fields, strict=True) if part.support]
    few = {count for count, _ in counts} | {n - count for count, high in counts if high == 1}
    if any(0 < count < policy.min_cell for count in few):
        yield "min_cell"
    sizes = [
        size for names in past.elsewhere.items() for size in names[1] if names[0] == f"{cell.task}/{cell.split}/{name}"
    ]
    if any(0 < abs(n - size) < policy.min_difference for size in sizes):
        yield "min_difference"


def weights_break(policy: ReleasePolicy, request: Request, answer: Answer, past: Past):
    """Every rule of `policy` that letting the weights out would break."""
    yield from run_breaks(policy, request, past)
    yield from names_break(policy, request, {task.name for task in request.spec.tasks}, {request.spec.trained_model})
    if policy.training != "allow":  # no request here trains privately
        yield "training"
    if policy.full_tuning == "deny" and request.spec.train.method == "full":
        yield "full_tuning"
    if policy.adapters == "deny":
        yield "adapters"
    if answer.cost.train_examples < policy.min_examples:
        yield "min_examples"
    moved = math.sqrt(12) * abs(float(next(iter(answer.adapter.values())).flat[0]) - 0.5)
    if policy.max_update_norm and moved > policy.max_update_norm + 1e-6:
        yield "max_update_norm"
    memory, stops = answer.memory, policy.memorisation == "stop"
    if stops and (memory.exposure_bits > policy.max_exposure_bits or memory.auc > policy.max_membership_auc):
        yield "memorisation"


WISHES = (
    {"max_examples": 12},
    {"metrics": (d.QA.metrics[0],)},
    {"max_new_tokens": 8},
    {"max_new_tokens": 4096},
    {"digest": "0" * 64},
)


@settings(max_examples=60, deadline=None)
@given(policies(), st.sampled_from(WISHES), st.booleans(), st.data())
def test_what_a_run_wishes_only_takes_away(own, wish, noisy, data):
    """The same answer to the run with and without its wish."""
    past, plain = data.draw(pasts), d.train_request()
    dp = DpSettings(tallies="laplace", tally_epsilon=1.0, tally_shares=50) if noisy else DpSettings()
    wished = d.train_request(spec=d.make_spec(tasks=(d.task_ref(d.QA, **wish), d.task_ref(d.SHORT)), dp=dp))
    answer = data.draw(answers(plain))
    assume(own.get("noise") != "required")  # that is a wish for noise of the policy's own, below
    asked, shorter = d.task_ref(d.QA).max_new_tokens, wish.get("max_new_tokens")
    assume(
        shorter is None or own.get("max_new_tokens", asked) >= asked
    )  # a run that asks for too much may ask for less
    assert left(wished, reviewed(own, wished, answer, past)) <= left(plain, reviewed(own, plain, answer, past))


def stricter(line: str, value: Any, other: Any) -> Any:
    """A setting of `line` that allows what both do: read off the template's words, line by line."""
    if line in ("min_examples", "min_cell", "min_difference", "min_sites"):
        return max(value, other)
    if line in ("max_exposure_bits", "max_membership_auc", "max_new_tokens") or line.endswith(
        ("_a_run", "delta_a_year")
    ):
        return min(value, other)
    if line == "epsilon_a_year":
        return min(value, other)
    if line in ("max_update_norm", "max_examples", "runs_a_year"):
        return min(limit for limit in (value, other, math.inf) if limit) if value or other else 0
    if line == "hours":
        return value if other == "always" else other if value == "always" else f"{value} and {other}"
    if line == "metrics":
        return value if other == "all" else other if value == "all" else tuple(name for name in value if name in other)
    if line in ("tasks", "models"):
        if "installed" in (value, other):
            return other if value == "installed" else value
        return {name: found for name, found in value.items() if other.get(name) == found}
    order = {
        "training": ["deny", "private", "allow"],
        "adapters": ["deny", "approve", "allow"],
        "results": ["deny", "approve", "allow"],
        "ratings": ["deny", "allow"],
        "full_tuning": ["deny", "allow"],
        "received_adapters": ["deny", "allow"],
        "memorisation": ["stop", "measure", "skip"],
        "noise": ["required", "optional"],
    }[line]
    return min(value, other, key=order.index)


@settings(deadline=None)
@given(policies(), st.sampled_from(sorted(LINES)), st.data())
def test_a_policy_that_is_stricter_in_one_line_lets_out_no_more(own, line, data):
    request, past = data.draw(requests()), data.draw(pasts)
    answer = data.draw(answers(request))
    before = own.get(line, ReleasePolicy.model_fields[line].default)
    after = {**own, line: stricter(line, before, data.draw(LINES[line]))}
    assume(not request.spec.dp.noisy or line not in ("min_examples", "metrics", "min_cell", "max_examples"))
    assert left(request, reviewed(after, request, answer, past)) <= left(request, reviewed(own, request, answer, past))
