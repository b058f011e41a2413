"""Whose word counts at a site: what its own file says, and nobody else's."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from kommunbench.core.errors import PolicyError
from kommunbench.release.peers import PEERS, peer_fingerprint, read_peers


def test_peers_are_who_the_site_wrote_down(tmp_path):
    assert read_peers(tmp_path) == {}
    (tmp_path / PEERS).write_text(f"ekby: {'a' * 64}\nåvik: {'0123456789abcdef' * 4}\n", encoding="utf-8")
    assert read_peers(tmp_path) == {"ekby": "a" * 64, "åvik": "0123456789abcdef" * 4}


def test_a_fingerprint_is_of_the_name_and_the_key():
    said = json.dumps(["kommunbench peer", "åvik", "a" * 64], ensure_ascii=False, separators=(",", ":"))
    assert peer_fingerprint("åvik", "a" * 64) == sha256(said.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "ekby: abc",
        f"ekby: {'g' * 64}",
        f"ekby: {'X' * 64}",
        f"ekby: {'A' * 64}",
        f"3: {'a' * 64}",
        "ekby: 12",
        "a: [",
        f"a: {'a' * 64}\nb: {'a' * 64}",
    ],
)
def test_peers_that_cannot_be_read_are_a_fault_and_not_nobody(tmp_path, text):
    (tmp_path / PEERS).write_text(text)
    with pytest.raises(PolicyError):
        read_peers(tmp_path)


def test_peers_in_another_encoding_are_a_fault(tmp_path):
    (tmp_path / PEERS).write_bytes("åvik: a".encode("latin-1"))
    with pytest.raises(PolicyError, match="not YAML"):
        read_peers(tmp_path)
