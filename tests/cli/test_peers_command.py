"""`kommunbench site peers`: a key from a list counts once its owner's digits were compared, and never before."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kommunbench.cli.site import app
from kommunbench.core.errors import ConfigError, FederationError, PolicyError
from kommunbench.release.identity import Identity
from kommunbench.release.peers import read_peers
from kommunbench.site.peers import read_aloud

NAMES = ("ekby", "norr", "åvik")


@pytest.fixture
def homes(tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
    return {name: tmp_path / name for name in NAMES}


@pytest.fixture
def listed(homes, tmp_path):
    content = {name: {"title": name.title(), "key": Identity.of(home).public} for name, home in homes.items()}
    path = tmp_path / "list.yaml"
    path.write_text("# not to be trusted\n" + yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def say(listed, home, *words, answer=None, fails=None):
    done = CliRunner().invoke(app, ["peers", str(listed), "--home", str(home), "--name", "ekby", *words], input=answer)
    if fails is None:
        assert done.exit_code == 0, done.output
        return done.output
    assert isinstance(done.exception, fails), done.output
    return str(done.exception)


def digits(homes, name):
    return read_aloud(name, Identity.of(homes[name]).public)


def test_the_digits_are_of_name_and_key_together(homes):
    key = Identity.of(homes["norr"]).public
    by_hand = hashlib.sha256(f'["kommunbench peer","norr","{key}"]'.encode()).hexdigest()
    assert read_aloud("norr", key).replace(" ", "") == by_hand[:32]
    assert read_aloud("ekby", key) != read_aloud("norr", key)


def test_a_yes_takes_a_site_and_a_no_leaves_it_out(homes, listed):
    said = say(listed, homes["ekby"], answer="y\nn\n")
    assert digits(homes, "norr") in said
    assert "Not taken, and no part of masked sums with this site: åvik" in said
    own, norr = (Identity.of(homes[name]).public for name in ("ekby", "norr"))
    assert read_peers(homes["ekby"]) == {"ekby": own, "norr": norr}
    assert (homes["ekby"] / "peers.yaml").stat().st_mode & 0o077 == 0
    assert digits(homes, "norr") not in say(listed, homes["ekby"], answer="y\n")  # known: not asked again
    assert set(read_peers(homes["ekby"])) == set(NAMES)


def test_digits_that_were_heard_take_those_sites_and_ask_nothing(homes, listed):
    heard = [f"norr={digits(homes, 'norr').upper()}", f"åvik={digits(homes, 'åvik').replace(' ', '')}"]
    told = json.loads(say(listed, homes["ekby"], "--json", "--heard", heard[0], "--heard", heard[1]))
    assert set(told["peers"]) == set(NAMES)
    assert told["not_taken"] == []


def test_a_key_that_the_coordinator_put_in_is_refused_by_its_owners_digits(homes, listed, tmp_path):
    content = yaml.safe_load(listed.read_text(encoding="utf-8"))
    content["norr"]["key"] = Identity.of(tmp_path / "coordinator").public
    listed.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    said = say(listed, homes["ekby"], "--heard", f"norr={digits(homes, 'norr')}", fails=FederationError)
    assert "other digits" in said
    assert read_peers(homes["ekby"]) == {}


def test_a_list_with_another_key_for_this_very_site_is_refused_whole(homes, listed, tmp_path):
    content = yaml.safe_load(listed.read_text(encoding="utf-8"))
    content["ekby"]["key"] = Identity.of(tmp_path / "coordinator").public
    listed.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    assert "another key for this very site" in say(listed, homes["ekby"], answer="y\ny\n", fails=FederationError)
    assert read_peers(homes["ekby"]) == {}


def test_nothing_is_taken_without_a_comparison(homes, listed):
    assert json.loads(say(listed, homes["ekby"], "--json"))["not_taken"] == ["norr", "åvik"]
    assert set(read_peers(homes["ekby"])) == {"ekby"}


def test_another_key_than_the_known_one_is_asked_about_and_named(homes, listed):
    (homes["ekby"] / "peers.yaml").write_text(f"norr: {'a' * 64}\n", encoding="utf-8")
    assert "peers.yaml has another key for it" in say(listed, homes["ekby"], answer="n\nn\n")
    assert read_peers(homes["ekby"])["norr"] == "a" * 64


@pytest.mark.parametrize("word", ["norr", "söder=1234"])
def test_words_that_name_nobody_are_faults(homes, listed, word):
    say(listed, homes["ekby"], "--heard", word, fails=ConfigError)


@pytest.mark.parametrize("text", ["[1]", "norr: abc", "norr: {key: abc}", "{{", "norr: {key: 1, title: x}"])
def test_what_is_no_list_is_refused_without_being_quoted(homes, tmp_path, text):
    path: Path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    assert "abc" not in say(path, homes["ekby"], fails=FederationError)


def test_one_key_for_two_sites_changes_nothing(homes, listed):
    key = Identity.of(homes["norr"]).public
    (homes["ekby"] / "peers.yaml").write_text(f"söder: {key}\n", encoding="utf-8")
    heard = ("--heard", f"norr={digits(homes, 'norr')}")
    assert "two sites would have the same key" in say(listed, homes["ekby"], *heard, fails=PolicyError)
    assert read_peers(homes["ekby"]) == {"söder": key}


def test_before_it_has_joined_a_site_says_its_name(homes, listed):
    done = CliRunner().invoke(app, ["peers", str(listed), "--home", str(homes["ekby"])])
    assert isinstance(done.exception, ConfigError)
    assert "--name" in str(done.exception)
