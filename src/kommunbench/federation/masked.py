"""The coordinator's side of masked sums: five messages a moment in place of one, and one answer: the sum.

It relays what sites sign and seal for each other, adds up what they mask, and takes the masks off the sum with the
shares that at least `threshold` of them give. A site that is lost before it has dealt shares is simply not in the sum;
one that is lost later is taken out of it; with fewer than the threshold, or where a number would show too few sites,
another session begins without those that were lost. A sum that was unmasked is closed: a late site cannot join it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from flwr.app import Message
from flwr.common.serde import message_to_proto

from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.core.masking import MASKED_SUM, Masking, Step
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Request
from kommunbench.federation.asking import Asking
from kommunbench.federation.records import Reply, read_reply, write_request
from kommunbench.federation.strategies import Update
from kommunbench.privacy.secagg import CARD_BYTES, SEALED_EXTRA_BYTES, SECRET_BYTES, Masked
from kommunbench.release import check_receipt, unpack_status, update_code
from kommunbench.release.company import note_bytes
from kommunbench.release.identity import SIGNATURE_BYTES
from kommunbench.release.masked import Layout, Sum, read_sum
from kommunbench.report.record import Received
from kommunbench.report.transcript import MaskedRecord, Transcript

if TYPE_CHECKING:
    from kommunbench.federation.rounds import Rounds

TRIES = 3


def threshold_for(sites: int, least: int, asked: int = 0) -> int:
    """How many of `sites` can take masks off: `asked`, else two thirds and one; never below `least` or most of them.

    With two thirds and one, a coordinator that works with a third of the sites still cannot read the others'.
    """
    return min(max(asked or 2 * sites // 3 + 1, least, sites // 2 + 1), sites)


@dataclass(slots=True)
class _Spent:
    """What one site's messages took."""

    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0


class MaskedMoment:
    """One moment of a run: from the request to the sum on disk."""

    def __init__(self, rounds: Rounds, name: str, request: Request, adapters: Mapping[str, Adapter]) -> None:
        self.rounds, self.name, self.request, self.adapters = rounds, name, request, adapters
        self.sent = adapters.get("")
        self.layout = Layout.of(request, self.sent)
        self.spent = {site: _Spent() for site in rounds.roster}
        self.outcome: dict[str, Received] = {}
        self.record = MaskedRecord(rounds.folder, name)
        self.rounding: dict[str, int] = {}

    def run(self) -> None:
        """Ask for the sum, unless it is there; keep it, and who is in it.

        Raises:
            FederationError: the shares that were given do not unmask it; the run can be resumed.
        """
        if any(received.site == MASKED_SUM and received.status == "ok" for received in self.kept()):
            return
        least, sites = max(self.rounds.spec.min_sites, 2), list(self.rounds.nodes)
        self.rounds.events.say("moment", name=self.name, sites=sites, kept=[])
        self.rounds.folder.keep_request(self.request)
        found: tuple[Sum, list[str]] | None = None
        for _ in range(TRIES):
            if len(sites) < least or found is not None:
                break
            self.record.forget()
            found, sites = self.session(sites, least)
        for site in self.rounds.roster:
            self.rounds.keep(self.received(site, found[1] if found else []))
        self.keep_sum(found[0] if found else None)

    def kept(self) -> list[Received]:
        """What there is of this moment."""
        return list(self.rounds.folder.received(self.name))

    def session(self, sites: list[str], least: int) -> tuple[tuple[Sum, list[str]] | None, list[str]]:
        """One try: (the sum, whose numbers are in it), or None and the sites that are left for another."""
        identity = secrets.token_hex(16)
        cards = self.ask("open", identity, {site: {"train": site in self.rounds.trains} for site in sites}, CARD_BYTES)
        if len(cards) < least:
            return None, []
        threshold = threshold_for(len(cards), least, self.rounds.plan.threshold)
        keys = {site: card.hex() for site, card in cards.items()}
        one = SEALED_EXTRA_BYTES + 2 * SECRET_BYTES + note_bytes(len(self.layout.widths))
        asked = {site: {"keys": keys, "threshold": threshold} for site in cards}
        dealt = self.ask("share", identity, asked, one * (len(cards) - 1))
        if len(dealt) < threshold:
            return None, sorted(dealt)
        sealed = _by_reader(sorted(cards), dealt, one)
        asked = {site: {"sealed": sealed[site]} for site in dealt}
        masked = self.ask("mask", identity, asked, 8 * self.layout.length)
        survivors = sorted(masked)
        confirmed = self.ask(
            "confirm", identity, {site: {"survivors": survivors} for site in survivors}, SIGNATURE_BYTES
        )
        if len(confirmed) < threshold:
            lost = set(dealt) - set(masked)
            return None, [site for site in survivors if site not in lost]
        signed = {site: signature.hex() for site, signature in confirmed.items()}
        asked = {site: {"survivors": survivors, "confirmed": signed} for site in confirmed}
        revealed = self.ask("unmask", identity, asked, SECRET_BYTES * len(dealt))
        vectors = {site: np.frombuffer(data, dtype="<u8").astype(np.uint64) for site, data in masked.items()}
        held = Masked(identity, self.request.work.digest, cards, sorted(dealt), vectors, threshold, self.layout.length)
        opened = held.recover(revealed)
        found = read_sum(self.request, self.sent, held.sum_of(opened), len(survivors))
        self.record.note_sum(_transcript(self.name, held, confirmed, opened))
        return (found, survivors), survivors

    def ask(self, step: Step, identity: str, sites: Mapping[str, Mapping[str, Any]], size: int) -> dict[str, bytes]:
        """Send a step to `sites`, each with its own part; what they answer, cut to `size` bytes."""
        rounds, plan = self.rounds, self.rounds.plan
        rounds.events.say("step", moment=self.name, step=step, sites=list(sites))
        deadline = plan.deadline_s if step == "open" else min(plan.step_s, plan.deadline_s)

        def make(site: str, node_id: int) -> Message:
            request = self.request.model_copy(update={"masking": Masking(step=step, session=identity, **sites[site])})
            content = write_request(request, self.adapters if step == "open" else {})
            kind = "query" if request.action == "close" else "train" if request.train else "evaluate"
            message = Message(content, node_id, kind, ttl=deadline, group_id=str(request.round))
            self.spent[site].bytes_in += message_to_proto(message).ByteSize()
            return message

        answers: dict[str, bytes] = {}
        asking = Asking(rounds.grid, make, deadline, min(plan.grace_s, deadline))
        for site, message, seconds in asking.replies({site: rounds.nodes[site] for site in sites}):
            self.spent[site].seconds += seconds
            if (data := self.read(site, message, Masking(step=step, session=identity), size)) is not None:
                answers[site] = data
        for site, absence in asking.absent.items():
            self.outcome[site] = Received(site=site, moment=self.name, status="missing", absence=absence)
            self.record.note_step(identity, site)
        return {site: answers[site] for site in sites if site in answers}

    def read(self, site: str, message: Message, asked: Masking, size: int) -> bytes | None:
        """A reply's bytes, or None where it is a refusal, not as long as it must be, or not what its site signed."""
        self.spent[site].bytes_out += message_to_proto(message).ByteSize()
        code, status, receipt = Code.INTERNAL, "failed", b""
        if not message.has_error():
            try:
                reply = read_reply(message)
                code, _ = unpack_status(reply.status)
                fits = reply.values.dtype == np.dtype("<i8") and reply.values.size == (size + 7) // 8
                if code is Code.OK and not fits:
                    code = Code.BAD_REQUEST
                elif code is Code.OK and asked.step != "mask":
                    return reply.values.tobytes()[:size]
                elif self.signed(site, reply, asked):
                    if code is Code.OK:
                        return reply.values.tobytes()
                    status, receipt = "refused", reply.receipt
                else:
                    code = Code.BAD_RECEIPT
            except FederationError:
                code = Code.BAD_REQUEST
        self.outcome[site] = Received.model_validate(
            {"site": site, "moment": self.name, "status": status, "code": code}
        )
        self.record.note_step(asked.session, site, receipt)
        return None

    def signed(self, site: str, reply: Reply, asked: Masking) -> bool:
        """Whether a refusal, or numbers behind masks, have a receipt that fits; of the numbers it is kept with them."""
        request = self.request.model_copy(update={"masking": asked})
        vectors, masked = (reply.status, reply.values, reply.codes, reply.cost), asked.step == "mask"
        kept = self.layout.kept(reply.values, self.request.train).tobytes() if masked and not reply.codes.size else None
        try:
            receipt = check_receipt(request, vectors, None, reply.receipt, self.rounds.keys.get(site), kept)
        except FederationError:
            return False
        if receipt is not None:
            self.rounds.keys.setdefault(site, receipt.public)
        if receipt is not None and kept is not None:
            self.rounding[site] = receipt.rounding
            self.record.note_numbers(asked.session, site, kept, reply.receipt)
        return True

    def received(self, site: str, survivors: list[str]) -> Received:
        """What became of one site: in the sum, or why not. Its numbers are in the sum alone."""
        found = self.outcome.get(site)
        if found is None and site in self.rounds.nodes:  # it gave its part, and too few others did
            found = Received(site=site, moment=self.name, status="refused", code=Code.TOO_FEW_SITES)
        elif found is None:
            found = Received(site=site, moment=self.name, status="missing", absence="offline")
        if site in survivors:
            found = Received(site=site, moment=self.name, status="ok", rounding=self.rounding[site])
        spent = self.spent[site]
        sizes = {"bytes_in": spent.bytes_in, "bytes_out": spent.bytes_out, "seconds": round(spent.seconds, 3)}
        return found.model_copy(update=sizes)

    def keep_sum(self, found: Sum | None) -> None:
        """The sum as one more answer; without one, a refusal that a resumed run asks for again."""
        if found is None:
            refused = Received(site=MASKED_SUM, moment=self.name, status="refused", code=Code.TOO_FEW_SITES)
            self.rounds.folder.keep(refused)
            return
        if found.adapter is not None and self.sent is not None and update_code(self.sent, found.adapter) is Code.OK:
            self.rounds.checkpoints.save_update(self.name, MASKED_SUM, Update(found.adapter, found.examples))
        slots = tuple((key, Code.OK if count else Code.TOO_FEW_SITES, row) for key, count, row in found.slots)
        counts = tuple(count for _, count, _ in found.slots)
        summed = Received(site=MASKED_SUM, moment=self.name, status="ok", slots=slots, cost=found.cost)
        self.rounds.folder.keep(
            summed.model_copy(update={"given_by": counts, "costed": found.costed, "trained": found.trained})
        )


def trained_sites(rounds: Rounds, name: str) -> int:
    """How many sites' training is in the adapter of a moment's sum."""
    return sum(received.trained for received in rounds.folder.received(name) if received.site == MASKED_SUM)


def _transcript(moment: str, held: Masked, confirmed: Mapping[str, bytes], opened: Mapping[str, bytes]) -> Transcript:
    return Transcript(
        moment=moment,
        session=held.id,
        work=held.work,
        threshold=held.threshold,
        length=held.length,
        cards={site: card.hex() for site, card in held.cards.items()},
        members=tuple(held.members),
        survivors=tuple(sorted(held.vectors)),
        confirmed={site: signature.hex() for site, signature in confirmed.items()},
        secrets={site: secret.hex() for site, secret in opened.items()},
    )


def _by_reader(order: list[str], dealt: Mapping[str, bytes], one: int) -> dict[str, dict[str, str]]:
    """By reader and writer: the sealed message, as hexadecimal digits. A writer's lie in the order of the readers."""
    found: dict[str, dict[str, str]] = {site: {} for site in order}
    for writer, data in dealt.items():
        readers = [site for site in order if site != writer]
        for place, reader in enumerate(readers):
            found[reader][writer] = data[one * place : one * (place + 1)].hex()
    return found
