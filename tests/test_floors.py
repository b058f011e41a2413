"""Every task tells models apart as it should, on the pilot's own test rows: silence, the floor, shuffled gold, gold.

Each goes the way of a model: rendered, asked, tallied. What a model is asked never carries a reference, so gold
(tests/gold_package) has the answers by prompt from a file that is written here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import pytest

from kommunbench.config.hydra import compose_settings
from kommunbench.config.settings import Settings, SyntheticFederation
from kommunbench.core.answer import Code
from kommunbench.core.example import Example
from kommunbench.core.model import Decoding, Model, ModelCard
from kommunbench.core.registry import find
from kommunbench.core.spec import PromptRef
from kommunbench.core.task import load_task as read_once
from kommunbench.core.task import task_names
from kommunbench.models.open import open_model
from kommunbench.report.build import build_report
from kommunbench.report.record import RunFolder
from kommunbench.site.evaluate import Evaluated, Way, evaluate
from kommunbench.site.readings import Readers
from kommunbench.site.sources import SyntheticSource
from outside import GOLD, install, kommunbench

sys.path.append(str(GOLD))

from kommunbench_gold.gold import ANSWERS, Gold, key

FLOORS = {
    "summarization": "lead",
    "conversation_notes": "lead",
    "guideline_qa": "retrieval",
    "lattlast": "copy",
    "translation": "copy",
    "template_document": "copy",
    "citizen_answer": "copy",
    "decision_basis": "copy",
    "triage": "constant",
    "planning": "shape",
}
"""The training-free model that fits a task."""


load_task = cache(read_once)


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


def asked(task: str, example: Example) -> str:
    return load_task(task).render("plain", dict(example.inputs))


Kind = Literal["silence", "floor", "shuffled_gold", "gold"]


@cache
def answers(task: str, kind: Kind) -> dict[str, str]:
    """By prompt. `shuffled_gold`: good answers to other questions, mostly of another house."""
    good = [example.references[0] for example in examples(task)]
    told = good if kind == "gold" else good[len(good) // 2 :] + good[: len(good) // 2]
    return {key(asked(task, example)): answer for example, answer in zip(examples(task), told, strict=True)}


def model(task: str, kind: Kind) -> Model:
    if kind == "floor":
        return open_model(settings().models[FLOORS[task]])
    return Gold(ModelCard(name=kind, family="gold"), {} if kind == "silence" else answers(task, kind))


def evaluated(task: str, kind: Kind, which: Sequence[Example]) -> Evaluated:
    """What a site works out of a model on these examples, under the metric that ranks."""
    ranking = load_task(task).model_copy(update={"metrics": (load_task(task).primary_measure()[0].name,)})
    way, decoding = Way(PromptRef(name="plain", variant="plain")), Decoding(max_new_tokens=1)
    return evaluate(ranking, way, which, model(task, kind), decoding, Readers())


@cache
def over_all(task: str, kind: Kind) -> Evaluated:
    return evaluated(task, kind, examples(task))


def value(task: str, kind: Kind) -> float:
    """The primary measure over all six sites' test rows, pooled."""
    metric, measure = load_task(task).primary_measure()
    found = metric.value(over_all(task, kind).sum(metric.name), measure)
    assert found is not None
    return found


def test_every_task_has_one_floor_and_the_experiment_runs_it() -> None:
    assert set(FLOORS) == set(task_names()) == set(settings().tasks)
    assert {(task, card.name) for card in settings().models.values() for task in card.tasks} == set(FLOORS.items())


@pytest.mark.parametrize("task", FLOORS)
def test_the_floor_beats_silence(task: str) -> None:
    assert value(task, "floor") > value(task, "silence") == 0


@pytest.mark.parametrize("task", FLOORS)
def test_gold_scores_the_most_that_the_primary_measure_can_give(task: str) -> None:
    assert load_task(task).primary_measure()[1].unit == "share"
    assert value(task, "gold") == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("task", FLOORS)
def test_no_two_questions_are_the_same(task: str) -> None:
    """Else an answer by prompt could be another question's, and gold no gold."""
    assert len(answers(task, "gold")) == len(examples(task))


@pytest.mark.parametrize("task", FLOORS)
def test_good_answers_to_other_questions_land_at_the_floor(task: str) -> None:
    """Their words and forms are right and their content is not: no more than a tenth above who knows nothing."""
    assert value(task, "shuffled_gold") <= max(value(task, "silence"), value(task, "floor")) + 0.1
    assert value(task, "gold") - value(task, "shuffled_gold") > 0.5


@pytest.mark.parametrize("task", FLOORS)
def test_a_floor_leaves_room_for_a_model(task: str) -> None:
    assert value(task, "floor") < 0.7


@pytest.mark.slow
def test_one_command_runs_all_ten_tasks_at_all_six_sites_and_pools_what_each_would_count(tmp_path: Path) -> None:
    """With gold and shuffled gold beside the floors, as models that a package outside has added."""
    kinds: tuple[Kind, Kind] = ("gold", "shuffled_gold")
    known = {kind: {prompt: told for task in FLOORS for prompt, told in answers(task, kind).items()} for kind in kinds}
    (tmp_path / "answers.json").write_text(json.dumps(known), encoding="utf-8")
    environment = install(GOLD, tmp_path / "installed") | {ANSWERS: str(tmp_path / "answers.json")}
    models = "models=[lead,copy,retrieval,constant,shape,gold,shuffled_gold]"
    words = ["+experiment=all_tasks", models, "scorecard=[]", "tracking=off", f"results={tmp_path}", "name=ten"]
    done = kommunbench(tmp_path, environment, "run", *words)
    assert done.returncode == 0, done.stderr
    folder = RunFolder(tmp_path / "ten")
    report = build_report(folder)
    assert report.complete
    assert "syntetiska data" in report.note.sv
    refused = set()
    for received in folder.received("round-000"):
        assert received.status == "ok"
        answered = [(key, code) for key, code, _ in received.slots if not find("metrics", key[1]).needs]
        refused |= {(received.site, key[0][0], code) for key, code in answered if code is not Code.OK}
    assert refused == {("norrgryta", "lattlast", Code.TOO_FEW_EXAMPLES)}
    assert [board.task for board in report.leaderboards] == list(settings().tasks)
    for board in report.leaderboards:
        answering = [site for site in sites(board.task) if len(site) >= 10]
        some = [example for site in answering for example in site]
        metric, measure = load_task(board.task).primary_measure()
        rows = {standing.row.model: report.by_key[standing.row.key] for standing in board.standings}
        names: dict[Kind, str] = {"floor": FLOORS[board.task], "gold": "gold", "shuffled_gold": "shuffled_gold"}
        assert set(rows) == set(names.values())
        for kind, name in names.items():
            row = rows[name]
            assert (row.sites, row.n) == (len(answering), len(some))
            assert row.value == metric.value(evaluated(board.task, kind, some).sum(metric.name), measure)
            assert row.low is not None
        assert rows["gold"].value == pytest.approx(1, abs=1e-9)
        assert rows["shuffled_gold"].value < rows["gold"].value - 0.5
