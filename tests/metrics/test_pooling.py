"""What every registered metric promises: sums are exact in any order, zero is the identity, bounds hold."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scoring import Scored, total

from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, INT64_MAX, Metric, add
from kommunbench.core.registry import find, names
from kommunbench.core.task import load_task, task_names

METRICS: list[Metric] = [find("metrics", name) for name in names("metrics")]
every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)

_WORDS = (
    "Åsa ringde den 3 mars 2026 till Lövviks kommun. Kostnaden är 12 500 kronor och 3,5 § 2 Står inte i riktlinjen. "
    '{ } [1] "a" مرحبا Beslut Vad? får inte göras'
)
_TEXT = st.lists(st.sampled_from(_WORDS.split()), max_size=25).map(" ".join)
_ROWS = st.lists(
    st.builds(
        lambda answer, source, references: (answer, Example("x", {"input": source}, tuple(references))),
        st.one_of(_TEXT, st.text(max_size=20)),
        _TEXT,
        st.lists(_TEXT, max_size=3),
    ),
    max_size=12,
)


def _task_rows() -> Scored:
    """The synthetic examples of every task, each answered right, emptily and by another's answer."""
    rows: Scored = []
    for name in task_names():
        task = load_task(name)
        for raw in task.examples:
            inputs = {field: raw[field] for field in task.inputs}
            facts = {field: raw[field] for field in task.facts if field in raw}
            example = Example(raw["id"], inputs, tuple(raw["references"]), facts=facts)
            rows += [(answer, example) for answer in (*raw["references"], "", next(iter(inputs.values())))]
    return rows


@every_metric
@settings(max_examples=25, deadline=None)
@given(rows=_ROWS, chance=st.randoms(use_true_random=False))
def test_pooled_equals_centralised_under_any_partition_and_order(
    metric: Metric, rows: Scored, chance: random.Random
) -> None:
    central = total(metric, rows)
    mixed = chance.sample(rows, len(rows))
    sites: list[Scored] = [[] for _ in range(4)]
    for one in mixed:
        chance.choice(sites).append(one)
    pooled = metric.zero
    for site in sites:
        pooled = add(pooled, total(metric, site))
    assert pooled == central
    assert add(metric.zero, central) == central == add(central, metric.zero)
    assert central[0] + central[1] == len(rows)
    for measure in metric.measures:
        assert metric.value(pooled, measure) == metric.value(central, measure)


@every_metric
def test_tasks_examples_are_scored_within_bounds_and_slopes_exist(metric: Metric) -> None:
    pooled = total(metric, _task_rows())
    assert len(pooled) == len(metric.names) == len(set(metric.names))
    for measure in metric.measures:
        value = metric.value(pooled, measure)
        assert value is None or measure.unit != "share" or 0 <= value <= 1 or measure.name == "compression"
        assert len(metric.gradient(pooled, measure)) == len(pooled)


@every_metric
def test_nothing_scored_has_no_value(metric: Metric) -> None:
    assert all(metric.value(metric.zero, measure) is None for measure in metric.measures)
    assert all(metric.value(metric.unscored, measure) is None for measure in metric.measures)


@every_metric
def test_a_proportion_counts_a_part_of_its_denominator(metric: Metric) -> None:
    for measure in metric.measures:
        assert not measure.proportion or (measure.numerator and measure.unit == "share")
        for field in (*measure.numerator, *measure.denominator):
            assert field in metric.names


@every_metric
def test_too_large_a_contribution_is_refused(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    beyond = [field.high + 1 for field in metric.fields]
    monkeypatch.setattr(type(metric), "tally", lambda *_: beyond)
    with pytest.raises(OverflowError):
        metric.score("svar", Example("x", {"input": "text"}, ("svar",)))


def test_too_large_a_sum_is_refused() -> None:
    with pytest.raises(OverflowError):
        add((INT64_MAX,), (1,))


@every_metric
def test_a_federation_of_a_million_answers_fits(metric: Metric) -> None:
    for field in metric.fields:
        ordinary = field.high if field.scale in (1, FIXED) else 500 * field.scale  # densities and OVIX are below 500
        assert ordinary * 10**6 <= INT64_MAX


def test_measures_have_unique_names_over_all_metrics() -> None:
    measures = [measure.name for metric in METRICS for measure in metric.measures]
    assert len(measures) == len(set(measures))


def test_a_metric_is_named_as_its_file() -> None:
    assert [metric.name for metric in METRICS] == list(names("metrics"))
