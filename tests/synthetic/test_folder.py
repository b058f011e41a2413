import json

import pytest
from houses import NEUTRAL, federation

from kommunbench.core.errors import ConfigError
from kommunbench.synthetic.folder import write_federation
from kommunbench.synthetic.organisation import Organisation, Recipe, Sizes


def test_a_federation_on_disk_has_a_file_a_site_and_task_with_all_rows(tmp_path):
    pilot = federation("pilot")
    written = list(write_federation(pilot, tmp_path, 1, Recipe()))
    assert len(written) == 6 * 10
    for organisation in pilot:
        for task, sizes in organisation.sizes.items():
            lines = (tmp_path / organisation.name / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
            splits = [json.loads(line)["split"] for line in lines]
            assert splits == ["train"] * sizes.train + ["validation"] * sizes.validation + ["test"] * sizes.test
    assert max(file.rows for file in written) == 220 + 33 + 130
    assert "yntetiska data" in (tmp_path / "README.txt").read_text(encoding="utf-8")


def test_writing_twice_gives_the_same_bytes(tmp_path):
    house = federation("pilot")[2:3]
    for name in ("one", "two"):
        list(write_federation(house, tmp_path / name, 1, Recipe()))
    one, two = ((tmp_path / name / "norrgryta" / "lattlast.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_task_without_a_generator_is_named(tmp_path):
    house = Organisation(
        name="grynna", title="Grynna", kind="region", sizes={"latlast": Sizes(train=1, validation=0, test=0)}
    )
    with pytest.raises(ConfigError, match="did you mean 'lattlast'"):
        list(write_federation([house], tmp_path, 1, Recipe()))


def test_the_pilot_is_of_a_size_that_runs_in_minutes_and_has_one_refusal():
    houses = federation("pilot")
    tests = [house.sizes[task].test for house in houses for task in NEUTRAL]
    assert 1200 <= sum(tests) <= 1500
    assert [count for count in tests if count < 10] == [8]
    assert all(40 <= count <= 200 for count in tests if count != 8)
    further = [sizes for house in houses for task, sizes in house.sizes.items() if task not in NEUTRAL]
    assert len(further) == 6 * 7
    assert all(40 <= sizes.test <= 60 <= sizes.train <= 100 for sizes in further)


def test_the_unseen_sites_have_nothing_to_train_on():
    for house in federation("pilot_unseen"):
        assert not house.trains
        assert all(sizes.train == sizes.validation == 0 for sizes in house.sizes.values())
