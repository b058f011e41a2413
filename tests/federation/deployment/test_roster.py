"""The roster: who gets in, and who does not."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kommunbench.core.errors import ConfigError, FederationError
from kommunbench.federation.deployment.invitation import Invitation, make_request
from kommunbench.federation.deployment.roster import Member, Roster
from kommunbench.release.identity import Identity


@pytest.fixture
def roster(tmp_path):
    roster = Roster(tmp_path / "roster.yaml")
    for name in ("harnosand", "solleftea"):
        roster.invite(Member(name=name, title=name.title()))
    return roster


def request_of(site, key=None, identity=None):
    invitation = Invitation.model_construct(federation="norr", site=site, ca_fingerprint="0" * 64)
    key = key or ec.generate_private_key(ec.SECP384R1())
    return make_request(invitation, key, identity or Ed25519PrivateKey.generate())


def test_an_approved_site_is_in_with_its_keys_and_nobody_else_is(roster):
    asked = request_of("harnosand")
    roster.approve(asked)
    assert list(roster.approved()) == ["harnosand"]
    assert roster.approved()["harnosand"].fingerprint == asked.fingerprint
    assert roster.member("solleftea").standing == "invited"


def test_approving_the_same_request_again_changes_nothing_and_another_key_is_refused(roster):
    asked = request_of("harnosand")
    roster.approve(asked)
    roster.approve(asked)
    with pytest.raises(FederationError, match="other keys"):
        roster.approve(request_of("harnosand"))


def test_two_sites_cannot_share_a_key(roster):
    key = ec.generate_private_key(ec.SECP384R1())
    roster.approve(request_of("harnosand", key))
    with pytest.raises(FederationError, match="same key as harnosand"):
        roster.approve(request_of("solleftea", key))


def test_the_key_that_a_site_signs_with_is_the_one_of_its_receipts_and_nobody_elses(roster, tmp_path):
    identity = Identity.of(tmp_path / "site")
    private = load_pem_private_key((tmp_path / "site" / "identity.key").read_bytes(), password=None)
    assert roster.approve(request_of("harnosand", identity=private)).signing_key == identity.public
    with pytest.raises(FederationError, match="identity_key: the same key as harnosand"):
        roster.approve(request_of("solleftea", identity=private))
    assert roster.member("solleftea").signing_key == ""


def test_who_was_not_invited_is_offered_the_nearest_name(roster):
    with pytest.raises(FederationError, match="harnosand"):
        roster.approve(request_of("harnosund"))


def test_a_removed_site_comes_back_only_by_a_new_invitation_and_with_a_new_key(roster):
    asked = request_of("harnosand")
    roster.approve(asked)
    with pytest.raises(FederationError, match="in the federation already"):
        roster.invite(Member(name="harnosand", title="x"))
    roster.remove("harnosand")
    assert roster.approved() == {}
    with pytest.raises(FederationError, match="was removed"):
        roster.approve(asked)
    roster.invite(Member(name="harnosand", title="Härnösand"))
    with pytest.raises(FederationError, match=r"move node\.key away"):  # Flower's SuperLink takes no key a second time
        roster.approve(asked)
    roster.approve(request_of("harnosand"))
    assert list(roster.approved()) == ["harnosand"]


def test_a_change_that_fails_changes_nothing(roster, tmp_path):
    before = (tmp_path / "roster.yaml").read_bytes()
    with pytest.raises(FederationError):
        roster.approve(request_of("nobody"))
    assert (tmp_path / "roster.yaml").read_bytes() == before


@pytest.mark.parametrize("text", ["- a", "harnosand: {title: x, extra: 1}", "a: 1", "{{"])
def test_a_broken_roster_is_not_guessed_at(tmp_path, text):
    (tmp_path / "roster.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="not a roster"):
        Roster(tmp_path / "roster.yaml").members()
