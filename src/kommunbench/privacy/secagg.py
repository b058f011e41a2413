"""Secure aggregation: sites add masks that cancel in the sum, so the coordinator can read the sum and nothing else.

The protocol is that of Bonawitz et al., 'Practical Secure Aggregation for Privacy-Preserving Machine Learning' (CCS
2017), in its form against an active server. Both sides of it are in this file; no file, no message and no policy is.

    site         open      two key pairs and a seed, all fresh; the public halves and a commitment, signed
    site         deal      shares of seed and mask key (Shamir), sealed for each member; `threshold` tell a secret
    site         mask      vector + PRG(seed) + sum of PRG(pair) over members behind in the order - over those before
    site         confirm   a signature of whose vectors are in the sum, so that all sites hear of the same sum
    site         reveal    for each one in the sum a share of its seed; for each that is lost a share of its mask key
    coordinator  unmask    takes off the seeds' masks, and the lost sites' halves of the pairs'

No site ever gives both kinds of share of another, so a vector that is in the sum keeps either its own mask or that of
its pairs. Numbers are int64 modulo 2^64: nothing is clipped or rounded, and the sum is the plain sum to the last bit as
long as it fits in 63 bits, which the door sees to (release/masked.py).

Keys are X25519, sealed messages ChaCha20-Poly1305, masks the ChaCha20 keystream, derivation HKDF-SHA256, identities
Ed25519, shares Shamir over GF(2^128) from PyCryptodome (which Flower's SecAgg+ uses too). Not taken from Flower: its
workflow (the server relays unsigned keys), its clipping, and its PRG (Mersenne Twister seeded by 32 bits).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from Crypto.Protocol.SecretSharing import Shamir
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kommunbench.core.answer import Code
from kommunbench.core.digests import canonical
from kommunbench.core.errors import Fault, FederationError
from kommunbench.release.identity import SIGNATURE_BYTES, Identity, is_signed
from kommunbench.release.masked import WithheldError

Words = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]
SECRET_BYTES = 32
CARD_BYTES = 3 * SECRET_BYTES + SIGNATURE_BYTES
"""What a site opens with: key to seal for it, key to make masks with, commitment to its seed, signature."""
SEALED_EXTRA_BYTES = 12 + 16
"""Nonce and tag of a sealed message."""
KEYS, SURVIVORS = "secagg keys", "secagg survivors"


@dataclass(frozen=True, slots=True)
class Session:
    """One try at one sum: a random id, the digest of what is asked, and the site whose side this is."""

    id: str
    work: str
    site: str

    def stated(self, *parts: object) -> bytes:
        """What a signature or a derived key of this session is bound to."""
        return canonical([self.id, self.work, *parts])


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """A site's secrets of one session: 32 random bytes each."""

    seal: bytes
    mask: bytes
    seed: bytes

    @classmethod
    def fresh(cls) -> Secrets:
        """From the operating system's generator; never from a run's seed."""
        return cls(*(os.urandom(SECRET_BYTES) for _ in range(3)))

    def card(self, session: Session, identity: Identity) -> bytes:
        """The public halves, signed: CARD_BYTES."""
        body = _public(self.seal) + _public(self.mask) + sha256(self.seed).digest()
        return body + identity.sign(KEYS, session.stated(session.site, body.hex()))


@dataclass(frozen=True, slots=True, repr=False)
class Shares:
    """What one member holds of another: a share of its seed, one of its mask key, and a note in clear between them."""

    seed: bytes
    mask: bytes
    note: bytes

    def joined(self) -> bytes:
        """One after another."""
        return self.seed + self.mask + self.note

    @classmethod
    def split(cls, data: bytes) -> Shares:
        """From `joined`."""
        return cls(data[:SECRET_BYTES], data[SECRET_BYTES : 2 * SECRET_BYTES], data[2 * SECRET_BYTES :])


def check_cards(session: Session, cards: Mapping[str, bytes], peers: Mapping[str, str]) -> None:
    """Every card is signed, for this very session, by the identity that this site knows under the name.

    Raises:
        WithheldError: UNKNOWN_KEY.
    """
    for site, card in cards.items():
        body, signature = card[:-SIGNATURE_BYTES], card[-SIGNATURE_BYTES:]
        stated = session.stated(site, body.hex())
        if len(card) != CARD_BYTES or site not in peers or not is_signed(peers[site], KEYS, stated, signature):
            raise WithheldError(Code.UNKNOWN_KEY, "the key of a member is not signed by an identity in peers.yaml")


def deal(
    secrets: Secrets, session: Session, cards: Mapping[str, bytes], threshold: int, note: bytes
) -> tuple[Shares, dict[str, bytes]]:
    """This site's own share of itself, and a sealed message to each other member: all as long as `note` is.

    Args:
        note: what members tell each other besides, out of the coordinator's sight.
    """
    order = sorted(cards)
    seeds, masks = (_deal_secret(secret, threshold, len(order)) for secret in (secrets.seed, secrets.mask))
    shares = {site: Shares(seed, mask, note) for site, seed, mask in zip(order, seeds, masks, strict=True)}
    sealed = {}
    for site in order:
        if site != session.site:
            nonce, key = os.urandom(12), _pair_key(secrets.seal, cards[site][:SECRET_BYTES], session, "seal", site)
            bound = session.stated(session.site, site)
            sealed[site] = nonce + ChaCha20Poly1305(key).encrypt(nonce, shares[site].joined(), bound)
    return shares[session.site], sealed


def unseal(
    secrets: Secrets, session: Session, cards: Mapping[str, bytes], sealed: Mapping[str, bytes]
) -> dict[str, Shares]:
    """What the other members dealt to this site.

    Raises:
        WithheldError: UNKNOWN_KEY where a message is not from the member that it is said to be from.
    """
    found = {}
    for site, message in sealed.items():
        try:
            key = _pair_key(secrets.seal, cards[site][:SECRET_BYTES], session, "seal", site)
            data = ChaCha20Poly1305(key).decrypt(message[:12], message[12:], session.stated(site, session.site))
        except (InvalidTag, KeyError, ValueError):
            raise WithheldError(Code.UNKNOWN_KEY, "a sealed message is not from the member that it names") from None
        found[site] = Shares.split(data)
    return found


def mask(
    secrets: Secrets,
    session: Session,
    cards: Mapping[str, bytes],
    members: Iterable[str],
    vector: Int64s,
) -> Words:
    """`vector` behind masks, modulo 2^64. `members` are those that dealt, this site among them."""
    total = vector.astype(np.uint64) + _self_mask(secrets.seed, session, session.site, len(vector))
    for site in members:
        if site != session.site:
            theirs = cards[site][SECRET_BYTES : 2 * SECRET_BYTES]
            pair = stream(_pair_key(secrets.mask, theirs, session, "mask", site), len(vector))
            total = total + pair if session.site < site else total - pair
    return total


def confirm(identity: Identity, session: Session, survivors: Iterable[str]) -> bytes:
    """This site's signature of whose vectors are in the sum."""
    return identity.sign(SURVIVORS, session.stated(sorted(survivors)))


def check_confirmed(
    session: Session,
    survivors: Sequence[str],
    confirmed: Mapping[str, bytes],
    peers: Mapping[str, str],
    threshold: int,
) -> list[str]:
    """Who of the survivors signed that very list, with the identities that this site knows: at least `threshold`.

    Raises:
        WithheldError: UNKNOWN_KEY.
    """
    stated = session.stated(sorted(survivors))
    signed = [
        site
        for site in set(survivors)
        if site in peers and is_signed(peers[site], SURVIVORS, stated, confirmed.get(site, b""))
    ]
    if len(signed) < threshold:
        raise WithheldError(Code.UNKNOWN_KEY, "too few sites have signed the list of those in the sum")
    return signed


def reveal(shares: Mapping[str, Shares], survivors: Iterable[str]) -> bytes:
    """For each member in order: a share of its seed where it is in the sum, else one of its mask key."""
    in_sum = set(survivors)
    return b"".join(shares[site].seed if site in in_sum else shares[site].mask for site in sorted(shares))


@dataclass(frozen=True, slots=True)
class Masked:
    """What the coordinator has of one session once the masked vectors are in.

    Args:
        cards: by member, all that were dealt to.
        members: those that dealt.
        vectors: masked, by survivor.
        length: integers in each vector when it was masked.
    """

    id: str
    work: str
    cards: Mapping[str, bytes]
    members: Sequence[str]
    vectors: Mapping[str, Words]
    threshold: int
    length: int

    def unmask(self, revealed: Mapping[str, bytes]) -> Int64s:
        """The sum of the survivors' vectors.

        Args:
            revealed: what sites answered to `unmask`; any `threshold` of them do.

        Raises:
            FederationError: fewer than `threshold`, or shares that do not make the secret that was committed to.
        """
        return self.sum_of(self.recover(revealed))

    def sum_of(self, secrets: Mapping[str, bytes], part: slice | npt.NDArray[np.bool_] = slice(None)) -> Int64s:
        """The sum of the survivors' vectors, from the secrets of every member.

        Args:
            part: of `length` integers those that `vectors` has, where the others were not kept.

        Raises:
            FederationError: a secret is not the one that its site committed to.
        """
        masked: Words = np.sum(list(self.vectors.values()), axis=0, dtype=np.uint64)
        total: Int64s = (masked - self._mask_of_sum(secrets)[part]).astype(np.int64)
        return total

    def recover(self, revealed: Mapping[str, bytes]) -> dict[str, bytes]:
        """By member: the seed of each one in the sum, the mask key of each one that was lost.

        Raises:
            FederationError: fewer than `threshold` gave shares.
        """
        fit = {site: data for site, data in revealed.items() if len(data) == SECRET_BYTES * len(self.members)}
        if len(fit) < self.threshold:
            raise FederationError(
                Fault(f"{len(fit)} of {self.threshold} sites gave shares: the sum stays masked", do="resume the run")
            )
        return {
            site: self._combine({holder: data[SECRET_BYTES * place :][:SECRET_BYTES] for holder, data in fit.items()})
            for place, site in enumerate(sorted(self.members))
        }

    def _mask_of_sum(self, secrets: Mapping[str, bytes]) -> Words:
        """What lies over the sum of the vectors."""
        total = np.zeros(self.length, dtype=np.uint64)
        for site in self.members:
            secret, session, card = secrets[site], Session(self.id, self.work, site), self.cards[site]
            if site in self.vectors:
                self._check(sha256(secret).digest(), card[2 * SECRET_BYTES : 3 * SECRET_BYTES])
                total += _self_mask(secret, session, site, self.length)
            else:
                self._check(_public(secret), card[SECRET_BYTES : 2 * SECRET_BYTES])
                total += self._pairs_with(secret, session)
        return total

    def _pairs_with(self, secret: bytes, lost: Session) -> Words:
        """What the survivors' masks with a lost site leave in the sum of their vectors."""
        total = np.zeros(self.length, dtype=np.uint64)
        for site in self.vectors:
            theirs = self.cards[site][SECRET_BYTES : 2 * SECRET_BYTES]
            pair = stream(_pair_key(secret, theirs, lost, "mask", site), self.length)
            total = total + pair if site < lost.site else total - pair
        return total

    def _combine(self, parts: Mapping[str, bytes]) -> bytes:
        order = sorted(self.cards)
        chosen = [(order.index(holder) + 1, share) for holder, share in sorted(parts.items())][: self.threshold]
        halves = ([(index, share[at : at + 16]) for index, share in chosen] for at in (0, 16))
        return b"".join(Shamir.combine(half, ssss=False) for half in halves)

    def _check(self, found: bytes, committed: bytes) -> None:
        if found != committed:
            raise FederationError(
                Fault("shares do not make what a site committed to: the sum stays masked", do="resume the run")
            )


def stream(key: bytes, words: int) -> Words:
    """`words` pseudorandom integers: the ChaCha20 keystream of `key`, which is used for nothing else (RFC 8439)."""
    keystream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(8 * words))
    return np.frombuffer(keystream, dtype="<u8").astype(np.uint64)


def _self_mask(seed: bytes, session: Session, site: str, words: int) -> Words:
    return stream(_derived(seed, session.stated("self", site)), words)


def _pair_key(private: bytes, public: bytes, session: Session, purpose: str, other: str) -> bytes:
    """What two sites share, the same from both ends, for one purpose in one session."""
    shared = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    return _derived(shared, session.stated(purpose, sorted((session.site, other))))


def _derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(secret)


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _deal_secret(secret: bytes, threshold: int, count: int) -> list[bytes]:
    halves = [Shamir.split(threshold, count, secret[at : at + 16], ssss=False) for at in (0, 16)]
    return [first + second for (_, first), (_, second) in zip(*halves, strict=True)]
