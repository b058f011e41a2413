"""The masks: they cancel to the last bit, whoever is lost, and nothing less than the threshold takes them off."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.privacy import secagg
from kommunbench.privacy.secagg import Masked, Secrets, Session
from kommunbench.release.identity import Identity
from kommunbench.release.masked import WithheldError

ID, WORK = "5" * 32, "a" * 64


@dataclass
class Site:
    session: Session
    identity: Identity
    secrets: Secrets
    card: bytes


def open_all(tmp_path, names):
    sites = {}
    for name in names:
        session, identity, secrets = Session(ID, WORK, name), Identity.of(tmp_path / name), Secrets.fresh()
        sites[name] = Site(session, identity, secrets, secrets.card(session, identity))
    return sites


class Table:
    """A whole session by hand. `lost_before_mask` have dealt and give no vector."""

    def __init__(self, sites, vectors, threshold, lost_before_mask=(), lost_before_deal=()):
        self.sites, self.threshold = sites, threshold
        self.cards = {name: site.card for name, site in sites.items()}
        self.members = [name for name in sites if name not in lost_before_deal]
        dealt = {
            name: secagg.deal(sites[name].secrets, sites[name].session, self.cards, threshold, b"note")
            for name in self.members
        }
        self.shares = {}
        for name in self.members:
            sealed = {other: dealt[other][1][name] for other in self.members if other != name}
            found = secagg.unseal(sites[name].secrets, sites[name].session, self.cards, sealed)
            self.shares[name] = {**found, name: dealt[name][0]}
        self.masked = {
            name: secagg.mask(sites[name].secrets, sites[name].session, self.cards, self.members, vectors[name])
            for name in self.members
            if name not in lost_before_mask
        }

    def revealed(self, lost=()):
        return {name: secagg.reveal(self.shares[name], self.masked) for name in self.masked if name not in lost}

    def held(self):
        length = len(next(iter(self.masked.values())))
        return Masked(ID, WORK, self.cards, self.members, self.masked, self.threshold, length)


NAMES = ("ekby", "liten", "norr", "region-x", "åvik", "öster")
EXTREME = np.array([0, 1, -1, 2**63 - 1, -(2**63), 10**12, 42], dtype=np.int64)


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    return open_all(tmp_path_factory.mktemp("six"), NAMES)


def vectors_for(names, seed=0, length=7):
    rng = np.random.default_rng(seed)
    return {name: rng.integers(-(10**15), 10**15, length) for name in names}


@settings(max_examples=6, deadline=None)
@given(st.data())
def test_the_sum_is_that_of_the_survivors_to_the_last_bit_whoever_is_lost(six, data):
    before = data.draw(st.sets(st.sampled_from(NAMES), max_size=1))
    at_mask = data.draw(st.sets(st.sampled_from([name for name in NAMES if name not in before]), max_size=1))
    left = [name for name in NAMES if name not in before | at_mask]
    at_unmask = data.draw(st.sets(st.sampled_from(left), max_size=len(left) - 4))
    values = st.lists(st.integers(-(2**60), 2**60), min_size=3, max_size=3)
    vectors = {name: np.array(data.draw(values), dtype=np.int64) for name in NAMES}
    table = Table(six, vectors, 4, at_mask, before)
    expected = [sum(int(vectors[name][place]) for name in left) for place in range(3)]
    assert table.held().unmask(table.revealed(at_unmask)).tolist() == expected


def test_every_int64_is_carried_as_it_is(six):
    vectors = {name: np.zeros(len(EXTREME), np.int64) for name in NAMES} | {"norr": EXTREME}
    table = Table(six, vectors, 4)
    assert table.held().unmask(table.revealed()).tolist() == EXTREME.tolist()


def test_a_single_vector_is_uniform_to_the_coordinator_and_unrelated_to_the_numbers(tmp_path):
    """Even zeros mask to bytes that are as likely as any: bytes by chi squared, bits by their mean."""
    zeros = {name: np.zeros(4096, np.int64) for name in NAMES}
    masked = Table(open_all(tmp_path, NAMES), zeros, 4).masked["ekby"]
    again = Table(open_all(tmp_path, NAMES), zeros, 4).masked["ekby"]
    for vector in (masked, again, masked - again):
        counts = np.bincount(np.frombuffer(vector.tobytes(), np.uint8), minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-6
        ones = int(np.unpackbits(np.frombuffer(vector.tobytes(), np.uint8)).sum())
        assert stats.binomtest(ones, 4096 * 64).pvalue > 1e-6
    assert abs(stats.pearsonr(masked.astype(float), again.astype(float)).statistic) < 0.1


def test_less_than_the_whole_set_of_vectors_is_still_masked(six):
    """With every seed known, any part of the sum keeps the masks of the pairs that are cut."""
    vectors = {name: np.zeros(512, np.int64) for name in NAMES}
    table = Table(six, vectors, 4)
    held, revealed = table.held(), table.revealed()
    for size in (1, 3, 5):
        for part in itertools.islice(itertools.combinations(NAMES, size), 4):
            total = np.zeros(512, np.uint64)
            for place, name in enumerate(sorted(NAMES)):
                if name in part:
                    parts = {other: data[32 * place : 32 * place + 32] for other, data in revealed.items()}
                    seed = held._combine(parts)
                    assert seed == six[name].secrets.seed
                    total += table.masked[name] - secagg._self_mask(seed, six[name].session, name, 512)
            counts = np.bincount(np.frombuffer(total.tobytes(), np.uint8), minlength=256)
            assert stats.chisquare(counts).pvalue > 1e-6


def test_below_the_threshold_all_that_the_coordinator_has_does_not_tell_a_seed(six):
    table = Table(six, vectors_for(NAMES), 4)
    few = dict(list(table.revealed().items())[:3])
    with pytest.raises(FederationError, match="3 of 4 sites gave shares"):
        table.held().unmask(few)
    with pytest.raises(FederationError, match="committed to"):
        replace(table.held(), threshold=3).unmask(few)


def test_a_site_that_lies_about_a_share_is_found_and_nothing_wrong_is_added_up(six):
    table = Table(six, vectors_for(NAMES), 4)
    revealed = table.revealed()
    revealed["ekby"] = bytes(len(revealed["ekby"]))
    with pytest.raises(FederationError, match="committed to"):
        table.held().unmask(revealed)
    revealed["ekby"] = b"short"
    table.held().unmask(revealed)


def test_no_site_gives_both_kinds_of_share_of_another(six):
    table = Table(six, vectors_for(NAMES), 4, lost_before_mask=("norr",))
    data = secagg.reveal(table.shares["ekby"], table.masked)
    for place, name in enumerate(sorted(NAMES)):
        share = data[32 * place : 32 * place + 32]
        held = table.shares["ekby"][name]
        assert share == (held.mask if name == "norr" else held.seed)


def test_members_tell_each_other_a_note_that_the_wire_does_not_show(six):
    cards = {name: site.card for name, site in six.items()}
    own, sealed = secagg.deal(six["ekby"].secrets, six["ekby"].session, cards, 4, b"only between us")
    assert own.note == b"only between us"
    assert not any(b"only" in message or six["ekby"].secrets.seed in message for message in sealed.values())
    found = secagg.unseal(six["norr"].secrets, six["norr"].session, cards, {"ekby": sealed["norr"]})
    assert found["ekby"].note == b"only between us"


@pytest.mark.parametrize("how", ["other sender", "other reader", "flipped", "stranger", "short", "other session"])
def test_a_sealed_message_opens_for_its_reader_from_its_sender_alone(six, how):
    cards = {name: site.card for name, site in six.items()}
    _, sealed = secagg.deal(six["ekby"].secrets, six["ekby"].session, cards, 4, b"")
    message, reader = sealed["norr"], "norr"
    sender = {"other sender": "liten", "stranger": "okänd"}.get(how, "ekby")
    reader = "liten" if how == "other reader" else reader
    session = replace(six[reader].session, id="6" * 32) if how == "other session" else six[reader].session
    message = {"flipped": bytes([message[0] ^ 1]) + message[1:], "short": message[:5]}.get(how, message)
    with pytest.raises(WithheldError) as refused:
        secagg.unseal(six[reader].secrets, session, cards, {sender: message})
    assert refused.value.code is Code.UNKNOWN_KEY


@pytest.mark.parametrize("how", ["stranger", "another's key", "other work", "other session", "swapped key", "cut"])
def test_a_card_counts_only_when_it_is_signed_for_this_by_someone_known(six, how):
    peers = {name: site.identity.public for name, site in six.items()}
    cards = {name: site.card for name, site in six.items()}
    session = six["ekby"].session
    secagg.check_cards(session, cards, peers)
    if how == "stranger":
        peers.pop("norr")
    elif how == "another's key":
        peers["norr"] = peers["liten"]
    elif how == "other work":
        session = replace(session, work="b" * 64)
    elif how == "other session":
        session = replace(session, id="6" * 32)
    elif how == "swapped key":
        cards["norr"] = six["liten"].card[:32] + cards["norr"][32:]
    else:
        cards["norr"] = cards["norr"][1:]
    with pytest.raises(WithheldError) as refused:
        secagg.check_cards(session, cards, peers)
    assert refused.value.code is Code.UNKNOWN_KEY


def test_shares_are_given_only_where_enough_sites_have_signed_the_same_list(six):
    peers = {name: site.identity.public for name, site in six.items()}
    here, survivors = six["ekby"].session, list(NAMES[:5])

    def signed(of):
        return {name: secagg.confirm(six[name].identity, six[name].session, of) for name in NAMES}

    secagg.check_confirmed(here, survivors, signed(survivors), peers, 5)
    for wrong in (signed(NAMES), dict(list(signed(survivors).items())[:4]), {}):
        with pytest.raises(WithheldError):
            secagg.check_confirmed(here, survivors, wrong, peers, 5)
    stranger = {**signed(survivors), "okänd": b"x" * 64}
    secagg.check_confirmed(here, survivors, stranger, peers, 5)
    with pytest.raises(WithheldError):
        secagg.check_confirmed(here, survivors, signed(survivors), {**peers, "ekby": peers["norr"]}, 5)
