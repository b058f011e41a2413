"""Is a masked sum the one that the sites signed? What `verify.py` asks of a run with `privacy=secagg`.

Held against each other, offline: the numbers behind masks that each site signed (its receipt), the list of those in the
sum that enough of them signed, the keys that each of them signed for the session, and the masks that they took off,
each of which is the one that its site had committed to. The sum is made of them anew and must be the one that was kept.

What cannot be seen: what a single site put in. Its own ledger has the digest of its numbers as its door reviewed them.
Nor the sum of weights: their words are not kept, as no single site's weights are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from kommunbench.core.answer import Code
from kommunbench.core.digests import digest, digest_bytes
from kommunbench.core.errors import Fault, FederationError
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.spec import Request, RunSpec, step_digest
from kommunbench.privacy import secagg
from kommunbench.release import Receipt
from kommunbench.release.masked import COSTS, Sum, WithheldError, read_numbers
from kommunbench.report.journal import Noted
from kommunbench.report.record import Received
from kommunbench.report.transcript import MaskedNumbers, MaskedRecord, Transcript


class MaskedVerdict:
    """What is wrong with one moment's sum.

    Args:
        spec: the run's specification, and its digest as the sites saw it.
        keys: by site, the public key that its signatures are held against.
        noted: the journal.
        answers: the moment's, one a site and the sum.
    """

    def __init__(
        self,
        record: MaskedRecord,
        spec: tuple[RunSpec, str],
        keys: Mapping[str, str],
        noted: Sequence[Noted],
        answers: Iterable[Received],
    ) -> None:
        self.record, self.keys, self.noted = record, keys, noted
        self.spec, self.known = spec
        self.place = f"releases/{record.moment}/{MASKED_SUM}.json"
        self.answers = {received.site: received for received in answers}

    def faults(self) -> Iterator[Fault]:
        """Everything, in the order of what rests on what; nothing is made of a session that is not sound."""
        kept = self.answers.get(MASKED_SUM)
        try:
            transcripts = list(self.record.transcripts())
        except ValueError:
            yield Fault("changed: what takes its masks off is not readable any more", self.place)
            return
        if kept is None or kept.status != "ok":
            yield from (Fault("added: masks were taken off and no sum is here", self.place) for _ in transcripts)
            yield from self._members(())
            return
        if len(transcripts) != 1:
            what = "missing: what takes its masks off" if not transcripts else "added: two sessions for one sum"
            yield Fault(what, self.place)
            return
        (transcript,) = transcripts
        yield from self._members(transcript.survivors)
        request = self.record.folder.request(transcript.work)
        if request is None or request.spec != self.spec:
            yield Fault("missing: the request that its sites answered", self.place)
            return
        unsound = [*self._session(transcript), *self._numbers(transcript)]
        yield from unsound
        if not unsound:
            yield from self._sum(transcript, request, kept)

    def _members(self, survivors: Sequence[str]) -> Iterator[Fault]:
        """Who is said to be in the sum is, and nobody else."""
        said = {site for site, each in self.answers.items() if each.status == "ok" and site != MASKED_SUM}
        for site in sorted(said ^ set(survivors)):
            what = "changed: it is not in the sum" if site in said else "changed: it is in the sum"
            yield Fault(what, f"releases/{self.record.moment}/{site}.json")
        for site, each in self.answers.items():
            if site != MASKED_SUM and each.slots:
                yield Fault("added: a site's own numbers", f"releases/{self.record.moment}/{site}.json")

    def _session(self, transcript: Transcript) -> Iterator[Fault]:
        """Keys, threshold and the list of those in the sum are what enough sites signed."""
        cards = {site: bytes.fromhex(card) for site, card in transcript.cards.items()}
        session = secagg.Session(transcript.session, transcript.work, "")
        members, survivors = set(transcript.members), transcript.survivors
        if not set(survivors) <= members <= set(cards) or len(survivors) < max(
            transcript.threshold, self.spec.min_sites
        ):
            yield Fault("changed: too few sites are in the sum, or others than dealt shares", self.place)
        if 2 * transcript.threshold <= len(cards):
            yield Fault("changed: its threshold is not most of the sites", self.place)
        try:
            secagg.check_cards(session, {site: card for site, card in cards.items() if site in self.keys}, self.keys)
        except WithheldError:
            yield Fault("changed: a key is not signed by its site", self.place)
        confirmed = {site: bytes.fromhex(signature) for site, signature in transcript.confirmed.items()}
        try:
            secagg.check_confirmed(session, survivors, confirmed, self.keys, transcript.threshold)
        except WithheldError:
            yield Fault("changed: too few sites have signed who is in the sum", self.place)

    def _numbers(self, transcript: Transcript) -> Iterator[Fault]:
        """Each site in the sum has numbers there, and they are the ones that its receipt was made for."""
        asked = step_digest(transcript.work, transcript.session, "mask")
        for site in transcript.survivors:
            file = self.record.file(transcript.session, site)
            numbers = self._read(transcript, site)
            if numbers is None:
                yield Fault("missing: a site's masked numbers", file)
                continue
            digests = {"spec": self.known, "request": asked, "numbers": digest_bytes(bytes.fromhex(numbers.words))}
            receipts = [each.receipt for each in self.noted if each.file == file and each.receipt is not None]
            fitting = [receipt for receipt in receipts if self._fits(receipt, site, digests)]
            if not fitting:
                yield Fault("changed: its masked numbers are not those that the site signed", file)
            elif site in self.answers and fitting[0].rounding != self.answers[site].rounding:
                yield Fault("changed: the site rounds otherwise", f"releases/{self.record.moment}/{site}.json")

    def _fits(self, receipt: Receipt, site: str, digests: Mapping[str, str]) -> bool:
        return receipt.genuine and receipt.public == self.keys.get(site) and not receipt.disagreements(digests)

    def _read(self, transcript: Transcript, site: str) -> MaskedNumbers | None:
        try:
            found = self.record.numbers(transcript.session, site)
        except ValueError:
            return None
        place = (site, transcript.session, self.record.moment)
        return found if found and (found.site, found.session, found.moment) == place else None

    def _sum(self, transcript: Transcript, request: Request, kept: Received) -> Iterator[Fault]:
        """The sum, made anew."""
        try:
            made = read_numbers(request, self._unmasked(transcript, request), len(transcript.survivors))
        except (FederationError, ValueError, KeyError, IndexError):
            yield Fault("changed: no sum can be made of the masked numbers and their masks", self.place)
            return
        if not _same(made, kept):
            yield Fault("changed: the masked numbers give another sum", self.place)

    def _unmasked(self, transcript: Transcript, request: Request) -> secagg.Int64s:
        words = {}
        for site in transcript.survivors:
            numbers = self._read(transcript, site)
            words[site] = np.frombuffer(bytes.fromhex(numbers.words if numbers else ""), dtype="<u8")
        held = secagg.Masked(
            id=transcript.session,
            work=transcript.work,
            cards={site: bytes.fromhex(card) for site, card in transcript.cards.items()},
            members=transcript.members,
            vectors=words,
            threshold=transcript.threshold,
            length=transcript.length,
        )
        start = sum(slot.width for slot in request.slots()) + COSTS
        weights = transcript.length - len(next(iter(words.values())))
        part = np.ones(transcript.length, dtype=bool)
        part[start : start + weights] = False
        return held.sum_of({site: bytes.fromhex(secret) for site, secret in transcript.secrets.items()}, part)


def _same(made: Sum, kept: Received) -> bool:
    """Whether the answer that was kept says what the sum does."""
    slots = [(key, Code.OK if count else Code.TOO_FEW_SITES, row) for key, count, row in made.slots]
    counts = tuple(count for _, count, _ in made.slots)
    sites = (made.costed, made.trained)
    return digest([slots, counts, sites]) == digest([kept.slots, kept.given_by, (kept.costed, kept.trained)]) and (
        made.cost == kept.cost
    )
