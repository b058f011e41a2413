"""A site's side of a masked sum: one message a step, each taken once and in order, with what it remembers between them.

The work is done at `open`, before anybody is counted on, so that whoever fails at it is simply not among the members.
What is remembered lies in the site's own folder, 0600, under `secagg/<run>/`: the reviewed numbers (no text), and the
session's secrets, which are removed as soon as the site has answered `unmask`. A process may be new for every message.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.answer import Answer, Code
from kommunbench.core.dp import DpSettings
from kommunbench.core.masking import Masking, Step
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Request
from kommunbench.privacy import secagg
from kommunbench.release import Ledger, Release, ReleasePolicy
from kommunbench.release.company import NOBODY, Note, bound, companies, marks, noted, sites_digest
from kommunbench.release.identity import Identity
from kommunbench.release.masked import Layout, WithheldError, left_out, let_out_step, open_sum, to_words
from kommunbench.release.past import Past
from kommunbench.release.peers import read_peers
from kommunbench.release.sealed import Int64s
from kommunbench.site.private import write_private
from kommunbench.site.settings import SiteSettings

Work = Callable[[], tuple[ReleasePolicy, Answer]]
"""Does what is asked: evaluates, trains. Called at `open` alone."""


class _Opened(BaseModel):
    """What this site can give to a sum, reviewed; the numbers lie beside it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    work: str
    policy: str
    widths: tuple[int, ...]
    marks: tuple[tuple[str, ...], ...]
    line: dict[str, Any]


class _Membership(BaseModel):
    """One session, as far as this site has come in it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    work: str
    done: Step
    secrets: tuple[str, str, str]
    card: str
    cards: dict[str, str] = Field(default_factory=dict)
    threshold: int = 0
    given: tuple[bool, ...] = ()
    shares: dict[str, str] = Field(default_factory=dict)
    keep: tuple[bool, ...] = ()
    survivors: tuple[str, ...] = ()

    def note(self, site: str) -> Note:
        """What a member told."""
        return Note.read(secagg.Shares.split(bytes.fromhex(self.shares[site])).note, len(self.given))

    def noted_by(self, signed: Sequence[str]) -> bool:
        """Whether enough of those who give each number of the sum have noted, before they signed, whom it is with.

        So each sum has sites behind every number that give it to no other sum, and whatever is made of several sums by
        adding and subtracting holds those of one sum together: none of it is about fewer.
        """
        least = max(self.note(site).least for site in self.survivors)
        given = zip(*(self.note(site).given for site in signed), strict=True)
        return all(sum(unit) >= least for unit, kept in zip(given, self.keep, strict=True) if kept)

    def __repr__(self) -> str:
        return f"_Membership({self.done})"


class MaskedAnswer:
    """One step's answer.

    Args:
        policy: the site's own; at `open` that which `work` gives, which knows what is installed.
    """

    def __init__(self, settings: SiteSettings, policy: ReleasePolicy, request: Request, ledger: Ledger) -> None:
        self.settings, self.policy, self.request, self.ledger = settings, policy, request, ledger
        self.asked: Masking = request.masking  # type: ignore[assignment]
        self.folder = settings.home / "secagg" / request.spec.run
        self.session = secagg.Session(self.asked.session, request.work.digest, settings.name)
        self.peers = read_peers(settings.home)
        self.least = policy.sites(request.spec)

    def release(self, sent: Adapter | None, work: Work) -> Release:
        """Take the step that is asked for.

        Raises:
            WithheldError: this site does not; its code is the answer.
        """
        if self.settings.name not in self.peers:
            raise WithheldError(Code.UNKNOWN_KEY, "peers.yaml does not name this site and those it trusts")
        if self.request.spec.dp != DpSettings():
            raise WithheldError(Code.BAD_REQUEST, "the ledger counts epsilon where privacy is plain")
        steps: dict[Step, Callable[[], Release]] = {
            "open": lambda: self._open(sent, work),
            "share": self._share,
            "mask": self._mask,
            "confirm": self._confirm,
            "unmask": self._unmask,
        }
        return steps[self.asked.step]()

    def _open(self, sent: Adapter | None, work: Work) -> Release:
        took = {"ms": self._do_once(sent, work)}
        secrets, identity = secagg.Secrets.fresh(), Identity.of(self.settings.home)
        card = secrets.card(self.session, identity)
        halves = (secrets.seal.hex(), secrets.mask.hex(), secrets.seed.hex())
        self._keep(_Membership(work=self.session.work, done="open", secrets=halves, card=card.hex()), new=True)
        return self._out(card, took)

    def _do_once(self, sent: Adapter | None, work: Work) -> int:
        """Make the numbers for the sum, and give the milliseconds of work.

        Asked again after a session that came to nothing, those that are there serve: none.
        """
        found = self._opened()
        if found is not None and (found.work, found.policy) == (self.session.work, self.policy.digest):
            return 0
        shutil.rmtree(self.folder, ignore_errors=True)
        policy, answer = work()
        vector, line = open_sum(policy, self.request, answer, sent, self.ledger)
        layout, units = Layout.of(self.request, sent), tuple(marks(self.request, sent))
        opened = _Opened(work=self.session.work, policy=policy.digest, widths=layout.widths, marks=units, line=line)
        self.folder.mkdir(parents=True, mode=0o700)
        write_private(self.folder / "numbers", vector.astype("<i8").tobytes())
        write_private(self.folder / "opened.json", opened.model_dump_json().encode())
        return int(line.get("ms", 0))

    def _share(self) -> Release:
        state, cards = self._at("open"), {site: bytes.fromhex(card) for site, card in self.asked.keys.items()}
        opened, vector, layout = self._numbers()
        enough = len(cards) // 2 < self.asked.threshold <= len(cards) and self.asked.threshold >= self.least
        if not enough:
            raise WithheldError(Code.TOO_FEW_SITES, "the threshold is not most of the members, or below min_sites")
        if cards.get(self.session.site) != bytes.fromhex(state.card):
            raise WithheldError(Code.UNKNOWN_KEY, "this site's own key is not among the members'")
        secagg.check_cards(self.session, cards, self.peers)
        flags = [bool(flag) for flag in vector[layout.flags]]
        before = bound(self.ledger.remembered(), opened.marks)
        here = [sites is None or {self.session.site} <= sites <= set(cards) for sites in before]
        given = tuple(all(unit) for unit in zip(flags, layout.fitting(vector, len(cards)), here, strict=True))
        told = Note(self.least, given, tuple(sites_digest(sites) for sites in before)).pack()
        own, sealed = secagg.deal(_secrets(state), self.session, cards, self.asked.threshold, told)
        dealt = {"cards": dict(self.asked.keys), "threshold": self.asked.threshold, "given": given}
        self._keep(
            state.model_copy(update={**dealt, "shares": {self.session.site: own.joined().hex()}, "done": "share"})
        )
        return self._out(b"".join(sealed[site] for site in sorted(sealed)))

    def _mask(self) -> Release:
        state = self._at("share")
        opened, vector, layout = self._numbers()
        sealed = {site: bytes.fromhex(data) for site, data in self.asked.sealed.items() if site != self.session.site}
        cards = _cards(state)
        shares = {
            **secagg.unseal(_secrets(state), self.session, cards, sealed),
            self.session.site: secagg.Shares.split(bytes.fromhex(state.shares[self.session.site])),
        }
        if len(shares) < state.threshold:
            raise WithheldError(Code.TOO_FEW_SITES, "fewer members than the threshold have dealt shares")
        notes = {site: Note.read(held.note, len(state.given)) for site, held in shares.items()}
        keep = [bool(sites) for sites in companies(notes)]
        own = [mine and kept for mine, kept in zip(state.given, keep, strict=True)]
        masked = secagg.mask(_secrets(state), self.session, cards, shares, layout.only(vector, own))
        held = {site: share.joined().hex() for site, share in shares.items()}
        line = {**left_out(opened.line, layout, state.given, own), "ms": 0}
        with self.ledger.alone():  # what was opened before another sum left has not been held against it
            past = Past.of(self.ledger.remembered(), self.request.spec.digest)
            if not past.apart(self.policy, line["sets"], closing=self.request.action == "close"):
                raise WithheldError(Code.SMALL_CELL, "a sum left since it was opened, over a few examples more or less")
            self._keep(state.model_copy(update={"shares": held, "keep": tuple(keep), "done": "mask"}))
            return self._out(masked.astype("<u8").tobytes(), line, layout)

    def _confirm(self) -> Release:
        state, survivors = self._at("mask"), self.asked.survivors
        opened, _, _ = self._numbers()
        members = set(state.shares)
        known = set(survivors) <= members and len(set(survivors)) == len(survivors) >= state.threshold
        if not known or self.session.site not in survivors:
            raise WithheldError(Code.TOO_FEW_SITES, "too few of the members are in the sum, or this one is not")
        now = companies({site: state.note(site) for site in survivors})
        if any(kept and not sites for kept, sites in zip(state.keep, now, strict=True)):
            raise WithheldError(Code.TOO_FEW_SITES, "without a site that was lost a number is over too few, or others")
        own = zip(state.given, state.keep, now, strict=True)
        mine = [sites if given and kept else NOBODY for given, kept, sites in own]
        with self.ledger.alone():  # two sums at once must not both be the only one
            before = bound(self.ledger.remembered(), opened.marks)
            if any(sites and once not in (None, sites) for sites, once in zip(mine, before, strict=True)):
                raise WithheldError(Code.SUM_CLOSED, "an earlier sum less this one would show single sites")
            self._keep(state.model_copy(update={"survivors": tuple(survivors), "done": "confirm"}))
            signed = secagg.confirm(Identity.of(self.settings.home), self.session, survivors)
            return self._out(signed, noted(opened.marks, mine))

    def _unmask(self) -> Release:
        state = self._at("confirm")
        self._numbers()
        confirmed = {site: bytes.fromhex(data) for site, data in self.asked.confirmed.items()}
        signed = secagg.check_confirmed(self.session, state.survivors, confirmed, self.peers, state.threshold)
        if not state.noted_by(signed):
            raise WithheldError(Code.TOO_FEW_SITES, "too few of those who give a number have signed who is in the sum")
        shares = {site: secagg.Shares.split(bytes.fromhex(data)) for site, data in state.shares.items()}
        told = secagg.reveal(shares, state.survivors)
        release = self._out(told)
        self._path.unlink()
        return release

    def _out(self, data: bytes, line: Mapping[str, Any] | None = None, layout: Layout | None = None) -> Release:
        return let_out_step(self.policy, self.request, to_words(data), line or {}, self.ledger, layout)

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.session.id}.json"

    def _at(self, done: Step) -> _Membership:
        """This session, where `done` was the last step taken."""
        state = _Membership.model_validate_json(self._path.read_bytes()) if self._path.is_file() else None
        if state is None or state.work != self.session.work or state.done != done:
            raise WithheldError(Code.SUM_CLOSED, "the step is not the next one of a session that this site is in")
        return state

    def _opened(self) -> _Opened | None:
        path = self.folder / "opened.json"
        return _Opened.model_validate_json(path.read_bytes()) if path.is_file() else None

    def _numbers(self) -> tuple[_Opened, Int64s, Layout]:
        opened = self._opened()
        if opened is None or (opened.work, opened.policy) != (self.session.work, self.policy.digest):
            raise WithheldError(
                Code.SUM_CLOSED, "the policy has changed, or other work was asked for, since it was opened"
            )
        return opened, np.frombuffer((self.folder / "numbers").read_bytes(), dtype="<i8"), Layout(opened.widths)

    def _keep(self, state: _Membership, new: bool = False) -> None:
        if new:
            for path in self.folder.glob("*.json"):
                if path.name != "opened.json":
                    path.unlink()  # a session that came to nothing; its secrets are of no more use
        write_private(self._path, state.model_dump_json().encode())


def _secrets(state: _Membership) -> secagg.Secrets:
    return secagg.Secrets(*(bytes.fromhex(secret) for secret in state.secrets))


def _cards(state: _Membership) -> dict[str, bytes]:
    return {site: bytes.fromhex(card) for site, card in state.cards.items()}
