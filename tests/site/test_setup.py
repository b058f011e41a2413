"""`site init`: a careful policy with its comments, keys that only the owner reads, and nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kommunbench.core.errors import ConfigError, PolicyError
from kommunbench.release import ReleasePolicy, read_policy
from kommunbench.site.home import SiteHome, node_key
from kommunbench.site.setup import QUESTIONS, TEMPLATE, make_site, with_settings


def test_every_setting_is_in_the_policy_with_its_comment(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    make_site(home, {"training": "allow", "min_examples": "25"}, Path("data"), 2)
    assert read_policy(home.policy) == ReleasePolicy(training="allow", min_examples=25)
    text = home.policy.read_text(encoding="utf-8")
    assert set(yaml.safe_load(text)) == set(yaml.safe_load(TEMPLATE.read_text(encoding="utf-8")))
    assert text.count("#") == TEMPLATE.read_text(encoding="utf-8").count("#")


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 0)
    assert home.path.stat().st_mode & 0o777 == 0o700
    for path in (home.policy, home.node, home.node_key, home.identity_key):
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 0)
    before = {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
    assert make_site(home, {}, Path("data"), 0) == ["nothing to make, all is there"]
    assert {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()} == before
    with pytest.raises(PolicyError, match="never overwritten"):
        make_site(home, {"training": "allow"}, Path("data"), 0)


def test_a_wrong_setting_leaves_no_policy_and_names_the_nearest(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    with pytest.raises(PolicyError, match="min_examples"):
        make_site(home, {"min_example": "5"}, Path("data"), 0)
    with pytest.raises(PolicyError, match=r"site\.yaml:") as found:
        make_site(home, {"min_examples": "many"}, Path("data"), 0)
    assert ".new" not in str(found.value)
    assert not home.policy.exists()


def test_the_questions_defaults_are_the_templates() -> None:
    template = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    assert {question.setting: question.default for question in QUESTIONS} == {
        question.setting: str(template[question.setting]) for question in QUESTIONS
    }


def test_a_value_with_a_backslash_or_group_stays_as_it_is() -> None:
    assert with_settings("a: 1\nb: 2\n", {"a": r"\g<0>"}) == "a: \\g<0>\nb: 2\n"
    assert with_settings("a: 1\n", {"c": "3"}) == "a: 1\n\nc: 3\n"


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 0)
    home.node_key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        node_key(home)


def test_node_settings_tell_all_their_faults_at_once(tmp_path: Path) -> None:
    home = SiteHome(tmp_path / "site")
    make_site(home, {}, Path("data"), 0)
    home.node.write_text("thread: 2\nport: -1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as found:
        home.settings()
    assert len(found.value.faults) == 2
    assert "did you mean 'threads'?" in str(found.value)


def test_a_folder_whose_name_is_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    (fault,) = SiteHome(tmp_path / ("n" * 120)).socket_faults()
    assert "too long" in fault.what
