"""A folder and a generator give examples by the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from kommunbench.core.errors import ConfigError
from kommunbench.core.example import SPLITS
from kommunbench.core.task import Task, load_task
from kommunbench.site.data import SiteData
from kommunbench.site.settings import SiteSettings
from kommunbench.site.sources import FolderSource, SyntheticSource, open_source
from kommunbench.synthetic.organisation import Organisation, Recipe, Sizes

SIZES = Sizes(train=12, validation=3, test=7)
NAMES = ("summarization", "guideline_qa", "lattlast")
LOVVIK = Organisation(name="lovvik", title="Lövvik", kind="municipality", sizes=dict.fromkeys(NAMES, SIZES))


@pytest.mark.parametrize("task", map(load_task, NAMES), ids=NAMES)
def test_generated_rows_fit_their_task_in_the_sizes_that_were_asked_for(task: Task) -> None:
    data = SyntheticSource((LOVVIK,), Recipe()).read(task)
    assert data is not None
    assert data.faults == ()
    assert {split: len(data.split(split)) for split in SPLITS} == {"train": 12, "validation": 3, "test": 7}
    assert all(example.references for example in data)


def test_generated_rows_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    task = load_task("lattlast")
    digests = []
    for seed in (1, 1, 2):
        data = SyntheticSource((LOVVIK,), Recipe(), seed).read(task)
        assert data is not None
        digests.append(data.registration()["digest"])
    assert digests[0] == digests[1] != digests[2]


def test_an_organisation_has_only_the_tasks_that_it_states() -> None:
    only = LOVVIK.model_copy(update={"sizes": {"lattlast": SIZES}})
    site = SiteData(SyntheticSource((only,), Recipe()))
    assert site.read(load_task("summarization")) is None
    assert site.split(load_task("summarization"), "test") == ()
    assert len(site.split(load_task("lattlast"), "test")) == 7


def test_rows_of_a_task_that_nothing_generates_are_a_fault() -> None:
    task = load_task("lattlast").model_copy(update={"name": "own_task"})
    organisation = LOVVIK.model_copy(update={"sizes": {"own_task": SIZES}})
    with pytest.raises(ConfigError, match="no 'own_task' in synthetic"):
        SyntheticSource((organisation,), Recipe()).read(task)


def test_settings_open_their_source(tmp_path: Path) -> None:
    made = {
        "source": "synthetic",
        "organisations": (LOVVIK.model_dump_json(),),
        "recipe": '{"own_style": 0.5}',
        "data_seed": 3,
    }
    settings = SiteSettings(name="lovvik", home=tmp_path)
    assert open_source(settings.model_copy(update={"data": tmp_path})) == FolderSource(tmp_path, "lovvik")
    assert open_source(settings.model_copy(update=made)) == SyntheticSource((LOVVIK,), Recipe(own_style=0.5), 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"source": "synthetic"},
        {"source": "synthetic", "organisations": (LOVVIK.model_dump_json(),), "recipe": '{"x": 1}'},
    ],
)
def test_settings_that_name_no_source_are_a_fault(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        open_source(SiteSettings(name="lovvik", home=tmp_path).model_copy(update=wrong))
