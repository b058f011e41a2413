"""A site's key: made once, in its own folder, for its owner alone; a signature is for one purpose and message."""

from __future__ import annotations

import hmac
import multiprocessing
import os
import stat
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kommunbench.core.errors import PolicyError
from kommunbench.release.identity import Identity, is_signed


def public_of(home) -> str:
    return Identity.of(home).public


def test_it_is_made_once_for_its_owner_alone(tmp_path):
    home = tmp_path / "site"
    assert Identity.of(home).public == Identity.of(home).public
    assert [path.name for path in home.iterdir()] == ["identity.key"]
    assert stat.S_IMODE((home / "identity.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_processes_that_start_together_get_the_same_key(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(public_of, [tmp_path / "site"] * 8))) == 1


def test_openssl_reads_it_and_agrees_on_the_public_half(tmp_path):
    public = Identity.of(tmp_path).public
    command = ["openssl", "pkey", "-in", tmp_path / "identity.key", "-pubout", "-outform", "DER"]
    assert subprocess.run(command, capture_output=True, check=True).stdout[-32:].hex() == public


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    Identity.of(tmp_path)
    (tmp_path / "identity.key").chmod(0o640)
    with pytest.raises(PolicyError, match="chmod 600"):
        Identity.of(tmp_path)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_not_replaced(tmp_path, content):
    path = tmp_path / "identity.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(PolicyError, match="not an Ed25519 key"):
        Identity.of(tmp_path)
    assert path.read_bytes() == content


@settings(deadline=None)
@given(st.binary(max_size=50), st.integers(0, 63), st.integers(1, 255))
def test_a_signature_is_for_one_key_one_purpose_and_one_message(tmp_path_factory, message, place, change):
    home = tmp_path_factory.getbasetemp()
    mine, other = Identity.of(home / "mine"), Identity.of(home / "other")
    signature = mine.sign("receipt", message)
    assert is_signed(mine.public, "receipt", message, signature)
    assert not is_signed(other.public, "receipt", message, signature)
    assert not is_signed(mine.public, "masks", message, signature)
    assert not is_signed(mine.public, "receipt", message + b"x", signature)
    changed = bytearray(signature)
    changed[place] ^= change
    assert not is_signed(mine.public, "receipt", message, bytes(changed))
    assert not is_signed("not hexadecimal", "receipt", message, signature)
    assert not is_signed(mine.public, "receipt", message, b"")


def test_a_derived_secret_is_of_the_key_and_the_purpose(tmp_path):
    mine = Identity.of(tmp_path / "mine")
    secrets = {mine.derive("a"), mine.derive("b"), Identity.of(tmp_path / "other").derive("a")}
    assert len(secrets) == 3
    assert mine.derive("a") == Identity.of(tmp_path / "mine").derive("a")
    assert {len(secret) for secret in secrets} == {32}


def test_a_derived_secret_is_hkdf_by_hand(tmp_path):
    """RFC 5869, sections 2.2 and 2.3: no salt is 32 zeros, and 32 bytes are one block."""
    mine = Identity.of(tmp_path)
    shown = ["openssl", "pkey", "-in", tmp_path / "identity.key", "-outform", "DER"]
    raw = subprocess.run(shown, capture_output=True, check=True).stdout[-32:]
    extracted = hmac.digest(bytes(32), raw, "sha256")
    assert mine.derive("masks") == hmac.digest(extracted, b"kommunbench masks\n\x01", "sha256")


def test_a_key_that_another_process_makes_first_is_the_one(tmp_path, monkeypatch):
    """Both saw no key; the other was quicker. Its key stays, and no draft of ours is left beside it."""
    first, link = Identity.of(tmp_path / "other"), os.link

    def too_late(draft, path):
        link(tmp_path / "other" / "identity.key", path)
        link(draft, path)

    monkeypatch.setattr(os, "link", too_late)
    assert Identity.of(tmp_path / "site").public == first.public
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["identity.key"]


def test_a_key_in_a_message_shows_the_public_half_alone(tmp_path):
    mine = Identity.of(tmp_path)
    assert repr(mine) == f"Identity({mine.public[:12]})"
