"""What a site keeps of an evaluation, for whom, and for how long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from kommunbench.core.example import Example
from kommunbench.core.model import Decoding, TrainSettings
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, PromptRef, RunSpec
from kommunbench.core.task import Task, load_task
from kommunbench.site.answers import KeptAnswers, answers_of
from kommunbench.site.evaluate import Evaluated
from kommunbench.site.evaluations import KeptEvaluations
from kommunbench.site.keep import KeptTallies
from kommunbench.site.reuse import adapter_digest, evaluation_digest

CELL = Cell("summarization", "lead", "plain", "base", 0, "test")
KEY = "a" * 64
SPEC = RunSpec(run="spring", kommunbench="1", seed=1, tasks=(), models=(), prompts=())
RUN = SPEC.digest
EXACT = find("metrics", "exact_match")


def evaluated() -> Evaluated:
    return Evaluated(["1" * 32, "2" * 32], {"exact_match": [(1, 0, 1), (1, 0, 0)]}, 12, 30, 8)


@pytest.fixture
def kept(tmp_path: Path) -> KeptEvaluations:
    kept = KeptEvaluations(tmp_path / "evaluations", days=30)
    kept.save(KEY, evaluated())
    kept.note(SPEC, CELL, KEY, "registered")
    return kept


def test_the_same_evaluation_is_found_whole(kept: KeptEvaluations) -> None:
    assert kept.find(KEY, ["exact_match"]) == evaluated()


def test_another_evaluation_or_another_metric_is_not(kept: KeptEvaluations) -> None:
    assert kept.find("c" * 64, ["exact_match"]) is None
    assert kept.find(KEY, ["exact_match", "rouge"]) is None


def test_a_system_is_found_by_its_run_and_from_a_later_one_by_name(kept: KeptEvaluations) -> None:
    found = kept.load(RUN, CELL, EXACT)
    assert found is not None
    assert (found.ids.tolist(), found.tallies.tolist(), found.data) == (
        ["1" * 32, "2" * 32],
        [[1, 0, 1], [1, 0, 0]],
        "registered",
    )
    assert kept.load("later", CELL, EXACT) is None
    later = kept.load("later", CELL._replace(run=RUN), EXACT)
    assert later is not None
    assert later.tallies.tolist() == found.tallies.tolist()


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/", "", "x" * 5000])
def test_a_run_s_name_from_outside_is_never_a_path(kept: KeptEvaluations, name: str) -> None:
    assert kept.load("later", CELL._replace(run=name), EXACT) is None


def test_what_is_older_than_the_days_is_not_used_and_is_removed(kept: KeptEvaluations) -> None:
    assert kept.forget_old() == 0
    for path in kept.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 31 * 86_400,) * 2)
    assert kept.find(KEY, ["exact_match"]) is None
    assert kept.load(RUN, CELL, EXACT) is None
    assert kept.forget_old() == 2
    assert [path for path in kept.folder.rglob("*") if path.is_file()] == []


def test_files_are_the_owner_s_alone_and_need_no_pickle(kept: KeptEvaluations) -> None:
    files = [path for path in kept.folder.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    (tallies,) = (path for path in files if path.suffix == ".npz")
    with np.load(tallies, allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays.files} == {"i", "U"}


def test_what_another_run_took_over_is_not_one_run_s_to_remove(kept: KeptEvaluations) -> None:
    kept.note_answers(KEY, Path("answers"))
    names = [path.name for path in kept.of_run("spring")]
    assert (len(names), {Path(name).suffix for name in names}) == (3, {"", ".npz", ".answers"})
    kept.note(SPEC.model_copy(update={"run": "autumn"}), CELL, KEY, "registered")
    assert len(kept.of_run("spring")) == len(kept.of_run("autumn")) == 1
    assert kept.of_run("summer") == []


EXAMPLES = [Example(id=f"r{at}", inputs={"input": "?"}, references=("!",)) for at in range(2)]


def test_answers_are_found_by_their_evaluation_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    path = KeptAnswers(tmp_path).save("spring", CELL, EXAMPLES, ["ja", "nej"], KEY)
    assert answers_of(path, KEY, EXAMPLES[::-1]) == ["nej", "ja"]
    assert answers_of(path, "c" * 64, EXAMPLES) is None, "others may be kept in their place since"
    assert answers_of(path, KEY, [*EXAMPLES, Example(id="new", inputs={}, references=())]) is None
    path.unlink()
    assert answers_of(path, KEY, EXAMPLES) is None


TASK = load_task("summarization")
PLAIN, SHORT = PromptRef(name="plain", variant="plain"), Decoding(max_new_tokens=8)
ADAPTER = {"a": np.ones((2, 3), np.float32)}


def key(
    data: tuple[str, int] = ("registered", 0),
    task: Task = TASK,
    model: str = "m",
    prompt: PromptRef = PLAIN,
    seed: int = 1,
    decoding: Decoding = SHORT,
    adapter: str = "",
) -> str:
    return evaluation_digest(data, task, model, (prompt, seed), decoding, adapter)


def test_nothing_that_decides_an_answer_or_its_score_can_change_unnoticed() -> None:
    few_shot = PromptRef(name="few", variant="plain", shots=3)
    others = [
        key(data=("anew", 0)),
        key(data=("registered", 20)),
        key(task=Task.model_validate({**TASK.model_dump(), "metrics": ("rouge",)})),
        key(model="n"),
        key(prompt=PromptRef(name="plain", variant="detailed")),
        key(prompt=few_shot),
        key(prompt=few_shot, seed=2),
        key(decoding=Decoding(max_new_tokens=9)),
        key(decoding=Decoding(max_new_tokens=8, stop=("\n",))),
        key(adapter=adapter_digest(ADAPTER, TrainSettings())),
        key(adapter=adapter_digest(ADAPTER, TrainSettings(alpha=8))),
        key(adapter=adapter_digest({"a": ADAPTER["a"] * 2}, TrainSettings())),
    ]
    assert len({key(), *others}) == 13


def test_what_changes_no_answer_does_not_count() -> None:
    assert key() == key(decoding=Decoding(max_new_tokens=8, batch_size=1)) == key(seed=2)
    assert key() == key(prompt=PromptRef(name="another_name", variant="plain"))
    assert adapter_digest(None, TrainSettings()) == ""


def test_no_closing_sum_is_made_of_tallies_that_another_run_of_the_same_name_has_left(tmp_path: Path) -> None:
    """The name is the coordinator's to give again, to a run with other examples."""
    first, second = KeptTallies(tmp_path, "a" * 64), KeptTallies(tmp_path, "b" * 64)
    first.save(CELL, evaluated())
    assert first.load(CELL, EXACT) is not None
    second.save(CELL, evaluated())
    assert first.load(CELL, EXACT) is None
    assert KeptTallies(tmp_path).load(CELL, EXACT) is not None, "the site itself looks at whichever there is"
