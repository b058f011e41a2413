"""The door's rules on masked sums: what goes in, when a sum may be read, and what nearly the same sites may add up."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import doorway as d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kommunbench.core.answer import Code, Cost
from kommunbench.core.digests import digest
from kommunbench.core.errors import FederationError
from kommunbench.core.metric import INT64_MAX
from kommunbench.core.model import TrainSettings
from kommunbench.core.spec import PromptRef
from kommunbench.release import Identity, Ledger, check_receipt, review
from kommunbench.release.company import FREE, NOBODY, Note, bound, companies, marks, noted, sites_digest
from kommunbench.release.masked import (
    ADAPTER_SCALE,
    Layout,
    WithheldError,
    left_out,
    let_out_step,
    open_sum,
    pack,
    read_numbers,
    read_sum,
    to_words,
)

CLOSED = "00:00-00:01 and 12:00-12:01"
ALLOW = {"training": "allow", "adapters": "allow"}


def masked_training(**changed):
    return d.masked_request(train=True, round=1, **changed)


def packed(request, answer, sent=None, **policy):
    release = review(d.make_policy(**policy), request, answer, sent)
    layout = Layout.of(request, sent)
    return layout, release, pack(layout, release, sent)


def test_a_sum_reads_as_the_sum_of_what_was_reviewed_and_says_how_many_gave_it():
    request = d.masked_request()
    vectors = [packed(request, d.make_answer(request, n))[2] for n in (12, 40, 4)]
    assert all(vector.dtype == np.int64 for vector in vectors)
    found = read_sum(request, None, sum(vectors), 3)
    assert found.trained == 0
    for key, sites, row in found.slots:
        slot = next(slot for slot in request.slots() if slot.key == key)
        assert sites == 2
        assert row == tuple(map(sum, zip(d.row(slot, 12), d.row(slot, 40), strict=True)))


def test_the_mean_adapter_is_weighed_by_examples_and_as_fine_as_float32():
    request, sent = masked_training(), {**d.weights(0.25), "layer.1.lora_A": np.full((5, 1), 0.25, np.float32)}
    rng = np.random.default_rng(3)
    sizes, trained = (30, 50, 10), []
    vectors = []
    for size in sizes:
        own = {name: (array + rng.normal(0, 0.02, array.shape)).astype(np.float32) for name, array in sent.items()}
        trained.append(own)
        _, release, vector = packed(request, d.trained(request, own, size), sent, **ALLOW)
        assert release.adapter_code is Code.OK
        vectors.append(vector)
    found = read_sum(request, sent, sum(vectors), 3)
    assert (found.trained, found.examples) == (3, sum(sizes))
    for name in sent:
        assert found.adapter[name].dtype == np.float32
        mean = np.average([own[name].astype(np.float64) for own in trained], axis=0, weights=sizes)
        np.testing.assert_allclose(found.adapter[name], mean, rtol=0, atol=2 / ADAPTER_SCALE + 3e-8)


def test_an_adapter_that_is_not_there_or_does_not_fit_counts_for_nothing():
    request, sent = masked_training(), d.weights(0.0)
    for own, policy in ((d.weights(1.0), {}), (d.weights(3e38), ALLOW)):
        layout, _, vector = packed(request, d.trained(request, own), sent, **policy)
        assert not vector[layout.flags][-1]
        assert read_sum(request, sent, vector, 1).adapter is None
        assert not vector[sum(layout.widths[:-1]) : layout.flags.start].any()


def test_units_whose_sum_could_wrap_are_found_before_anything_is_masked():
    layout, most = Layout((2, 1, 1, 1)), INT64_MAX // 4
    vector = np.array([1, -most - 1, most, -(2**63), -most, 1, 1, 1, 1])
    assert layout.fitting(vector, 4) == [False, True, False, True]
    kept = layout.only(vector, [False, True, False, False])
    assert kept.tolist() == [0, 0, most, 0, 0, 0, 1, 0, 0]


def test_sums_beyond_what_a_double_can_count_stay_exact():
    request, n = masked_training(), 40_001
    answer = d.make_answer(request, n)
    slot = next(slot for slot in request.slots() if slot.key[1] == "rouge")
    row = (n, 0, n * 10**12 - 1, *(n * 10**12 - 3,) * (slot.width - 3))
    answer.values[slot.key] = row
    _, _, vector = packed(request, answer, d.weights(0.0))
    found = {key: numbers for key, _, numbers in read_sum(request, d.weights(0.0), vector, 1).slots}
    assert found[slot.key] == row


def test_sums_over_single_examples_are_sums_too():
    request = d.masked_request(cells=d.CELLS[:1])
    slot = next(slot for slot in request.slots() if slot.key[1] == "token_f1")
    answer = d.make_answer(request, values={slot.key: (1, 0, 5)})
    vectors = [packed(request, answer, min_examples=1)[2] for _ in range(2)]
    found = {key: (sites, row) for key, sites, row in read_sum(request, None, sum(vectors), 2).slots}
    assert found[slot.key] == (2, (2, 0, 10))


@pytest.mark.parametrize(("moved", "fits"), [(2.0**30, False), (2.0**30 - 64, True)])
def test_weights_fit_in_fixed_point_below_2_to_62(moved, fits):
    """Four examples count as one (in tens they are none), so 2^30 is 2^62 in units of 2^-32."""
    train = TrainSettings(learning_rate=1.0)
    request = d.masked_request(spec=d.make_spec(privacy="secagg", min_sites=3, train=train), train=True, round=1)
    answer = d.trained(request, d.weights(moved), 4)
    answer.cost = replace(answer.cost, train_steps=10**9)
    layout, release, vector = packed(request, answer, d.weights(0.0), min_examples=4, **ALLOW)
    assert release.adapter_code is Code.OK
    assert bool(vector[layout.flags][-1]) is fits


def test_an_adapter_of_hardly_an_example_weighs_as_one_does():
    """Counts of examples leave in tens, so four of them say none."""
    request, sent = masked_training(), d.weights(0.0)
    answer = d.trained(request, d.weights(1.0), 4)
    layout, _, vector = packed(request, answer, sent, min_examples=4, **ALLOW)
    assert vector[sum(layout.widths[:-1])] == 1
    found = read_sum(request, sent, vector, 1)
    assert (found.trained, found.examples) == (1, 1)
    np.testing.assert_allclose(found.adapter["layer.0.lora_A"], 1.0)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6), st.integers(1, 6))
def test_a_unit_is_shown_where_enough_sites_give_it(sites, least):
    notes = {name: Note(least, tuple(own), (FREE,) * 4) for name, own in zip("abcdef", sites, strict=False)}
    givers = [{name for name in notes if notes[name].given[unit]} for unit in range(4)]
    assert companies(notes) == [found if len(found) >= least else NOBODY for found in givers]


@pytest.mark.parametrize(("before", "kept"), [("ab", True), ("abc", False), ("a", False), ("", False)])
def test_a_unit_is_left_out_by_all_where_one_that_gives_it_is_bound_to_others(before, kept):
    notes = {
        "a": Note(2, (True, True), (FREE, sites_digest(frozenset(before)))),
        "b": Note(2, (True, True), (FREE, FREE)),
        "c": Note(2, (True, False), (FREE, sites_digest(frozenset("c")))),
    }
    assert companies(notes) == [frozenset("abc"), frozenset("ab") if kept else NOBODY]


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(st.booleans(), st.none() | st.frozensets(st.sampled_from("åb")))))
def test_what_a_member_tells_reads_as_it_was_told(least, units):
    told = Note(least, tuple(given for given, _ in units), tuple(sites_digest(sites) for _, sites in units))
    assert Note.read(told.pack(), len(units)) == told
    with pytest.raises(WithheldError):
        Note.read(told.pack() + b"0", len(units))


@pytest.mark.parametrize(
    "how", ["length", "count", "bounds", "held back", "few examples", "no examples", "cost of nobody", "cost below 0"]
)
def test_what_is_no_sum_of_doors_is_refused(how):
    request, sent = masked_training(), d.weights(0.0)
    layout, _, vector = packed(request, d.trained(request, d.weights(1.0)), sent, **ALLOW)
    vector, flags = vector.copy(), layout.flags
    if how == "length":
        vector = vector[1:]
    elif how == "count":
        vector[flags.start] = 9
    elif how == "bounds":
        vector[2] = INT64_MAX
    elif how == "held back":
        vector[flags.start] = 0
    elif how == "cost of nobody":
        vector[flags.stop - 2] = 0
    elif how == "cost below 0":
        vector[sum(layout.widths[:-2])] = -1
    elif how == "few examples":
        vector[0 : layout.widths[0]] = 0
    else:
        vector[sum(layout.widths[:-1])] = 0
    with pytest.raises(FederationError, match="a masked sum is malformed"):
        read_sum(request, sent, vector, 3)


def test_what_was_refused_or_awaits_approval_opens_no_sum(tmp_path):
    request = d.masked_request()
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for policy, code in (({"results": "approve"}, Code.PENDING), ({"hours": CLOSED}, Code.OVER_LIMIT)):
        with pytest.raises(WithheldError) as refused:
            open_sum(d.make_policy(**policy), request, d.make_answer(request), None, ledger)
        assert refused.value.code is code
        says = "masked sum: the reply was refused as a whole (nothing more of this site's leaves in it)"
        assert str(refused.value) == says
    assert not ledger.entries()


def test_what_was_reviewed_for_a_sum_is_told_without_what_is_not_known_yet(tmp_path):
    request, sent, ledger = masked_training(), d.weights(0.0), Ledger(tmp_path / "ledger.jsonl")
    answer = replace(d.trained(request), registrations={"guideline_qa": "a" * 64})
    policy = d.make_policy()
    vector, line = open_sum(policy, request, answer, sent, ledger)
    assert len(vector) == Layout.of(request, sent).length, "the weights stay: there are zeros in their place"
    assert not line.keys() & {"time", "payload", "bytes"}
    assert line["reviewed"] == review(policy, request, answer, sent).digest
    assert (line["approved_by"], line["data"], line["policy"]) == ("", answer.registrations, policy.digest)


def test_the_ledger_says_what_stayed_behind_for_want_of_sites(tmp_path):
    request, sent = masked_training(), d.weights(0.0)
    policy, ledger = d.make_policy(**ALLOW), Ledger(tmp_path / "ledger.jsonl")
    vector, line = open_sum(policy, request, d.trained(request, d.weights(1.0)), sent, ledger)
    layout = Layout.of(request, sent)
    given = [bool(flag) for flag in vector[layout.flags]]
    units = len(given)
    assert line["released"] == units - 2
    assert left_out(line, layout, given, given) == line
    assert left_out(line, layout, given, [True, False, *[True] * (units - 2)])["adapter"] == "OK"
    less = left_out(line, layout, given, [False, False, *[True] * (units - 4), False, False])
    assert (less["released"], less["adapter"]) == (units - 4, "TOO_FEW_SITES")
    assert less["withheld"]["TOO_FEW_SITES"] == 2


def test_a_step_leaves_with_its_line_and_only_in_a_masked_sum(tmp_path):
    ledger, policy = Ledger(tmp_path / "ledger.jsonl"), d.make_policy()
    words = to_words(b"x" * 13)
    assert words.tobytes() == b"x" * 13 + bytes(3)
    release = let_out_step(policy, d.masked_request("share"), words, {"extra": 1}, ledger)
    assert release.values.tobytes() == words.tobytes()
    (entry,) = ledger.entries()
    assert (entry["step"], entry["mode"], entry["payload"], entry["extra"]) == ("share", "secagg", release.digest, 1)
    assert (entry["session"], entry["policy"]) == ("5" * 32, policy.digest)
    for request, other, code in (
        (d.make_request(), policy, Code.INTERNAL),
        (d.masked_request(), None, Code.POLICY_MISSING),
        (d.masked_request(spec=d.make_spec()), policy, Code.BAD_REQUEST),
    ):
        refused = let_out_step(other, request, words, {}, ledger)
        assert (refused.code, refused.values.any()) == (code, False)
        assert len(refused.codes) == len(request.slots())
    assert len(ledger.entries()) == 1


def test_masked_numbers_have_a_receipt_about_the_words_that_are_kept(tmp_path):
    """The weights' words are not kept by anyone, so the receipt is about the others."""
    ledger, request, sent = Ledger(tmp_path / "ledger.jsonl", Identity.of(tmp_path)), masked_training(), d.weights(0.0)
    layout = Layout.of(request, sent)
    words = np.arange(layout.length, dtype="<i8")
    line = {"data": {"guideline_qa": "a" * 64}}
    release = let_out_step(d.make_policy(**ALLOW), request, words, line, ledger, layout)
    weights = np.arange(layout.flags.start - layout.widths[-1], layout.flags.start)
    kept = np.delete(words, weights).tobytes()
    vectors = (release.status, release.values, release.codes, release.cost)
    found = check_receipt(request, vectors, None, release.receipt, ledger.identity.public, kept)
    assert found.digests.numbers == sha256(kept).hexdigest()
    assert found.digests.data == digest(line["data"])
    assert found.digests.policy == d.make_policy(**ALLOW).digest
    without = let_out_step(d.make_policy(**ALLOW), request, words, {}, ledger, layout)
    assert check_receipt(request, vectors, None, without.receipt, None, kept).digests.data == digest({})
    assert ledger.entries()[0]["receipt"] == release.receipt.hex()
    for other in (kept[:-8] + bytes(8), words.tobytes(), None):
        with pytest.raises(FederationError, match="numbers"):
            check_receipt(request, vectors, None, release.receipt, ledger.identity.public, other)
    unsigned = Ledger(tmp_path / "unsigned.jsonl")
    assert let_out_step(d.make_policy(**ALLOW), request, words, line, unsigned, layout).receipt == b""


def test_numbers_that_are_too_few_are_no_sum():
    request = d.masked_request()
    length = Layout.of(request, None).length
    assert read_numbers(request, np.zeros(length, np.int64), 3).trained == 0
    with pytest.raises(FederationError, match="not as many"):
        read_numbers(request, np.zeros(length - 1, np.int64), 3)


def entry(request, sites, sent=None):
    units = marks(request, sent)
    return noted(units, [frozenset(sites)] * len(units))


def free(entries, units, sites):
    """Which units may be in a sum over `sites` where all of them give it."""
    return [once in (None, frozenset(sites)) for once in bound(entries, units)]


@settings(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from("abcd"), min_size=2), st.sets(st.sampled_from("abcd"), min_size=2))
def test_the_same_numbers_go_to_sums_over_the_same_sites_alone(before, now):
    units = marks(d.masked_request(), None)
    assert set(free([entry(d.masked_request(), before), {}], units, now)) == {before == now}


def test_a_line_of_an_older_ledger_counts_too():
    """It has one company of all that were in the sum."""
    units = marks(d.masked_request(), None)
    old = {"company": {"sites": ["a", "b"], "marks": sorted(units[0])}}
    assert bound([old], units)[0] == {"a", "b"}


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"run": "another"}, True),
        ({"seed": 7}, True),
        ({"tasks": tuple(d.task_ref(task, max_new_tokens=47) for task in (d.QA, d.SHORT))}, True),
        ({"models": tuple(ref.model_copy(update={"digest": "c" * 64}) for ref in d.make_spec().models)}, False),
    ],
)
def test_a_number_is_known_again_by_what_it_measures(changed, same):
    first = d.masked_request()
    spec = d.make_spec(privacy="secagg", min_sites=3, **changed)
    again = marks(d.masked_request(spec=spec), None)
    assert set(free([entry(first, "abcdef")], again, "abcde")) == {not same}


def test_closing_sums_go_with_the_tallies_of_their_run_and_weights_with_those_they_were_trained_from():
    spec = d.make_spec(privacy="secagg", min_sites=3)
    work = d.masked_request(spec=spec)
    close = d.close_request(spec)
    assert set(free([entry(work, "abcdef")], marks(close, None)[:-1], "abcde")) == {False}
    other = d.close_request(d.make_spec(privacy="secagg", min_sites=3, run="another"))
    assert set(free([entry(work, "abcdef")], marks(other, None), "abcde")) == {True}
    train = d.masked_request(cells=(), train=True)
    assert free([entry(train, "abcdef", d.weights(1.0))], marks(train, d.weights(1.0)), "abcde") == [False, False]
    assert free([entry(train, "abcdef", d.weights(1.0))], marks(train, d.weights(2.0)), "abcde")[-1]


def test_each_number_has_marks_of_its_own():
    """By what it measures in whatever run, and by its place in this one; weights by where they begin and the seed."""
    trained = d.cell(stage="federated", round=1)
    request = masked_training(cells=(*d.CELLS, trained))
    slots = request.slots()
    places, measured = ([unit[at] for unit in marks(request, d.weights(1.0))[:-2]] for at in (0, 1))
    assert len({*places, *measured}) == 2 * len(slots)
    other = [unit[1] for unit in marks(request, d.weights(2.0))[:-2]]
    changed = {slot.key for slot, one, two in zip(slots, measured, other, strict=True) if one != two}
    assert changed == {slot.key for slot in slots if slot.key[0] == trained}, "a base model answers without the weights"
    renamed = {name.replace("layer", "lager"): array for name, array in d.weights(1.0).items()}
    starts = [marks(masked_training(seed=seed), sent)[-1] for seed in (0, 1) for sent in (d.weights(1.0), renamed)]
    assert len(set(starts)) == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"tasks": (d.task_ref(d.QA, digest="d" * 64), d.task_ref(d.SHORT, digest="e" * 64))},
        {"prompts": (PromptRef(name="plain", variant="detailed"),)},
    ],
)
def test_another_task_or_prompt_under_the_same_name_is_another_number(changed):
    first = d.masked_request()
    again = marks(d.masked_request(spec=d.make_spec(privacy="secagg", min_sites=3, **changed)), None)
    assert set(free([entry(first, "abcdef")], again, "abcde")) == {True}


def test_every_sum_before_counts_and_not_the_last_alone():
    one, two = (d.masked_request(cells=(each,)) for each in d.CELLS[:2])
    before = [entry(one, "abcdef"), entry(two, "abcdef")]
    for request in (one, two):
        assert set(free(before, marks(request, None), "abcde")) == {False}


def test_cost_is_summed_like_everything_else():
    request = d.masked_request()
    vectors = [packed(request, d.make_answer(request, cost=Cost(evaluate_ms=100, examples=40)))[2] for _ in range(3)]
    found = read_sum(request, None, sum(vectors), 3)
    assert (found.cost, found.costed) == (replace(Cost(), evaluate_ms=300, examples=120), 3)


def test_what_staff_rated_is_a_set_of_its_own_and_not_bound_to_the_tallies_company():
    work, ratings = d.masked_request(), d.masked_request(action="ratings")
    assert set(free([entry(work, "abc")], marks(ratings, None)[:-1], "ab")) == {True}
    assert set(free([entry(ratings, "abc")], marks(ratings, None)[:-1], "ab")) == {False}
