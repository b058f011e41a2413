"""Every task tells answers apart as it should, on the pilot's own test rows: nothing, the floor, shuffled gold, gold.

References are only ever read here, at the level of tallies: what a model is asked never carries them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

from federated_folder import run
from kommunbench.config.hydra import compose_settings
from kommunbench.config.settings import Settings, SyntheticFederation
from kommunbench.core.example import Example
from kommunbench.core.metric import Tally, add
from kommunbench.core.model import Decoding, Query
from kommunbench.core.registry import find
from kommunbench.core.spec import Code
from kommunbench.core.task import load_task, task_names
from kommunbench.models.open import open_model
from kommunbench.report.build import build_report
from kommunbench.site.sources import SyntheticSource


class Floor(NamedTuple):
    """The training-free model that fits a task, and the measure on which it beats silence."""

    model: str
    measure: str


FLOORS = {
    "summarization": Floor("lead", "rougeL"),
    "conversation_notes": Floor("lead", "rougeL"),
    "guideline_qa": Floor("retrieval", "token_f1"),
    "lattlast": Floor("copy", "chrf"),
    "translation": Floor("copy", "chrf"),
    "template_document": Floor("copy", "rougeL"),
    "citizen_answer": Floor("copy", "rougeL"),
    "decision_basis": Floor("copy", "rougeL"),
    "triage": Floor("constant", "macro_f1"),
    "planning": Floor("shape", "constraints_kept"),
}


@cache
def settings() -> Settings:
    return compose_settings(["+experiment=all_tasks"])


@cache
def sites(task: str) -> tuple[tuple[Example, ...], ...]:
    federation = settings().federation
    assert isinstance(federation, SyntheticFederation)
    sources = (SyntheticSource((house,), settings().synthetic, settings().seed) for house in federation.sites.values())
    return tuple(source.read(load_task(task)).split("test") for source in sources)


def examples(task: str) -> list[Example]:
    return [example for site in sites(task) for example in site]


def total(task: str, metric: str, asked: Sequence[Example], answers: Sequence[str]) -> Tally:
    found = next(one for one in load_task(task).find_metrics() if one.name == metric)
    return reduce(add, (found.score(answer, example) for answer, example in zip(answers, asked, strict=True)))


def floor(task: str, asked: Sequence[Example]) -> list[str]:
    queries = [Query("", example.inputs, task) for example in asked]
    model = open_model(settings().models[FLOORS[task].model])
    return [completion.text for completion in model.generate(queries, Decoding(max_new_tokens=1))]


Kind = Literal["silence", "floor", "shuffled", "gold"]


def answers(task: str, kind: Kind) -> list[str]:
    """`shuffled`: good answers to other questions, mostly of another house."""
    if kind == "silence":
        return [""] * len(examples(task))
    if kind == "floor":
        return floor(task, examples(task))
    good = [example.references[0] for example in examples(task)]
    return good if kind == "gold" else good[len(good) // 2 :] + good[: len(good) // 2]


@cache
def value(task: str, kind: Kind, measure: str = "") -> float:
    """The measure (by default the primary one) of answers to all six sites' test rows, pooled."""
    wanted = measure or load_task(task).primary
    metric = next(one for one in load_task(task).find_metrics() if wanted in {m.name for m in one.measures})
    found = metric.value(total(task, metric.name, examples(task), answers(task, kind)), metric.measure(wanted))
    assert found is not None
    return found


def test_every_task_has_one_floor_and_the_experiment_runs_it() -> None:
    assert set(FLOORS) == set(task_names()) == set(settings().tasks)
    assert {(task, card.name) for card in settings().models.values() for task in card.tasks} == {
        (task, found.model) for task, found in FLOORS.items()
    }


@pytest.mark.parametrize("task", FLOORS)
def test_the_floor_beats_silence(task: str) -> None:
    measure = FLOORS[task].measure
    assert value(task, "floor", measure) > value(task, "silence", measure) == 0


@pytest.mark.parametrize("task", FLOORS)
def test_gold_scores_the_most_that_the_primary_measure_can_give(task: str) -> None:
    assert load_task(task).primary_measure()[1].unit == "share"
    assert value(task, "gold") == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("task", FLOORS)
def test_good_answers_to_other_questions_land_at_the_floor(task: str) -> None:
    """Their words and forms are right and their content is not: no more than a tenth above who knows nothing."""
    assert value(task, "shuffled") <= max(value(task, "silence"), value(task, "floor")) + 0.1
    assert value(task, "gold") - value(task, "shuffled") > 0.5


@pytest.mark.parametrize("task", FLOORS)
def test_a_floor_leaves_room_for_a_model(task: str) -> None:
    assert value(task, "floor") < 0.7


@pytest.mark.slow
def test_one_command_runs_all_ten_tasks_at_all_six_sites_and_pools_what_each_would_count(tmp_path: Path) -> None:
    words = ["+experiment=all_tasks", "tracking=off", f"results={tmp_path}", "name=ten"]
    folder = run(compose_settings(words))
    report = build_report(folder)
    assert report.complete
    assert "syntetiska data" in report.note.sv
    refused = set()
    for received in folder.received("round-000"):
        assert received.status == "ok"
        answered = [(key, code) for key, code, _ in received.slots if not find("metrics", key[1]).needs]
        refused |= {(received.site, key[0][0], code) for key, code in answered if code is not Code.OK}
    assert refused == {("norrgryta", "lattlast", Code.TOO_FEW_EXAMPLES)}
    for board in report.leaderboards:
        (standing,) = board.standings
        row = report.by_key[standing.row.key]
        answering = [site for site in sites(board.task) if len(site) >= 10]
        asked = [example for site in answering for example in site]
        metric, measure = load_task(board.task).primary_measure()
        counted = total(board.task, metric.name, asked, floor(board.task, asked))
        assert row.model == FLOORS[board.task].model
        assert (row.sites, row.n) == (len(answering), len(asked))
        assert row.value == metric.value(counted, measure)
        assert row.low is not None
    assert [board.task for board in report.leaderboards] == list(settings().tasks)
