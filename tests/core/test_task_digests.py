"""A version means one thing for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kommunbench.core.errors import TaskError
from kommunbench.core.folders import TASKS
from kommunbench.core.task import Task, load_task, task_names
from kommunbench.core.task_digests import RECORD, check_digest, read_digests, record_digests


def lattlast(**changes: object) -> Task:
    """The shipped task as its version 1, with `changes`."""
    return Task.model_validate({**load_task("lattlast").model_dump(), "version": 1, **changes})


ASKED_OTHERWISE = {
    "prompts": {"plain": "{input}\nSkriv enklare.", "detailed": "{input}\nSkriv enklare."},
    "metrics": ("sari", "chrf"),
    "primary": "sari",
    "facts": ("must_keep",),
}


def told(task: Task, folder: Path) -> list[str]:
    return [str(fault) for fault in check_digest(task, read_digests(folder) or {})]


def test_every_shipped_task_is_recorded_as_it_is() -> None:
    known = read_digests(TASKS)
    assert sorted(known) == list(task_names())
    assert all(known[name][load_task(name).version] == load_task(name).digest for name in task_names())


@pytest.mark.parametrize("field", ASKED_OTHERWISE)
def test_what_is_asked_or_counted_cannot_change_within_a_version(tmp_path: Path, field: str) -> None:
    record_digests([lattlast()], tmp_path)
    assert told(lattlast(), tmp_path) == []
    assert told(lattlast(**{field: ASKED_OTHERWISE[field]}), tmp_path) == [
        "tasks/lattlast.yaml: inputs, facts, prompts, metrics or primary are no longer those of version 1 "
        "(raise version to 2, then: kommunbench tasks check --write)"
    ]


@pytest.mark.parametrize(
    "change", [{"max_new_tokens": 12}, {"licence": "CC0-1.0"}, {"title": {"sv": "Ny", "en": "New"}}]
)
def test_decoding_and_words_about_a_task_are_free_to_change(tmp_path: Path, change: dict) -> None:
    record_digests([lattlast()], tmp_path)
    assert told(lattlast(**change), tmp_path) == []


def test_a_new_version_is_recorded_beside_the_old_one(tmp_path: Path) -> None:
    record_digests([lattlast()], tmp_path)
    second = lattlast(version=2, metrics=("sari",))
    assert told(second, tmp_path) == [
        "tasks/lattlast.yaml: version 2 is not recorded (kommunbench tasks check --write)"
    ]
    assert record_digests([second], tmp_path) == (second,)
    assert told(second, tmp_path) == []
    assert read_digests(tmp_path) == {"lattlast": {1: lattlast().digest, 2: second.digest}}


def test_what_is_recorded_is_never_replaced(tmp_path: Path) -> None:
    record_digests([lattlast()], tmp_path)
    before = (tmp_path / RECORD).read_bytes()
    assert record_digests([lattlast(metrics=("sari",))], tmp_path) == ()
    assert (tmp_path / RECORD).read_bytes() == before


def test_a_step_back_behind_a_newer_version_is_told(tmp_path: Path) -> None:
    record_digests([lattlast(version=3)], tmp_path)
    assert record_digests([lattlast(version=2)], tmp_path) == ()
    assert told(lattlast(version=2), tmp_path) == [
        "tasks/lattlast.yaml: version 2 comes before 3, which is recorded "
        "(raise version to 4, then: kommunbench tasks check --write)"
    ]


def test_a_folder_without_a_record_keeps_none(tmp_path: Path) -> None:
    assert read_digests(tmp_path) is None


@pytest.mark.parametrize("text", ["[", json.dumps({"lattlast": "abc"}), json.dumps({"lattlast": {"one": "abc"}})])
def test_a_record_that_is_none_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(TaskError, match=RECORD):
        read_digests(tmp_path)
