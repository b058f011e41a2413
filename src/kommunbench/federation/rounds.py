"""The coordinator's loop: sites by name, one message a site a moment, sums as they come, a checkpoint a round.

It never waits for 'any n nodes': the roster says who is expected, the deadline how long, the quorum how few are enough.
A site that fails, refuses or stays away is named and counted, and the others go on. Everything is written as it comes,
so that a run which was stopped at any point goes on from there and ends the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from flwr.app import Message
from flwr.common.serde import message_to_proto
from flwr.proto.node_pb2 import NodeInfo
from flwr.serverapp import Grid

from kommunbench.core.answer import Code
from kommunbench.core.errors import Fault, FederationError, ModelError
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.metric import Tally, add
from kommunbench.core.model import Adapter, Trainable
from kommunbench.core.spec import CENTRAL, COST, Cell, Request, Total
from kommunbench.federation.asking import Asking
from kommunbench.federation.checkpoints import Checkpoints
from kommunbench.federation.hygiene import arrival_code, judge
from kommunbench.federation.masked import MaskedMoment, trained_sites
from kommunbench.federation.plan import Moment, Plan, alone_cells, schedule
from kommunbench.federation.progress import Events
from kommunbench.federation.records import read_reply, write_request
from kommunbench.federation.strategies import Aggregator, Update
from kommunbench.models.open import open_model
from kommunbench.release import check_receipt, unpack, unpack_cost, unpack_status
from kommunbench.report.record import Absence, Received, RunFolder, cell_of

CLOSE = "close"
BESIDES = (CLOSE, "ratings-")
"""Moments whose answers are not part of what the closing message is about."""


class Rounds:
    """One run over one grid."""

    def __init__(self, grid: Grid, plan: Plan) -> None:
        self.grid, self.plan, self.spec = grid, plan, plan.info.spec
        self.folder = RunFolder(Path(plan.folder))
        self.checkpoints = Checkpoints(self.folder.path)
        self.events = Events(self.folder.path)
        self.roster = [site.name for site in plan.info.roster]
        self.trains = {CENTRAL, *(site.name for site in plan.info.roster if site.trains)}
        self.nodes: dict[str, NodeInfo] = {}
        self.central: NodeInfo | None = None
        self.masked = self.spec.privacy == "secagg"
        self.busy_ms: dict[str, int] = {}
        self.keys = {**self.folder.journal.keys(), **{site.name: site.key for site in plan.info.roster if site.key}}

    def run(self) -> None:
        """Every moment of the plan, then the closing sums. What an earlier try finished is kept.

        Raises:
            FederationError: fewer sites than the quorum; the run can be resumed.
        """
        moments = list(schedule(self.spec, self.plan.evaluate_every))
        self.events.say("start", moments=[*(moment.name for moment in moments), CLOSE], sites=self.roster)
        self.find_sites()
        for seed, replicate in groupby(moments, key=lambda moment: moment.seed):
            self.one_replicate(seed, list(replicate))
        self.close()
        self.events.say("end")

    def one_replicate(self, seed: int, moments: Sequence[Moment]) -> None:
        """All moments with one seed; the first seed's adapter is the run's."""
        first = self.first_adapter(moments[0])
        aggregator = Aggregator(self.plan.strategy, self.grid, self.spec.dp) if first is not None else None
        adapter = first
        for moment in moments:
            if moment.alone and first is not None:
                self.train_alone(moment, first)
            elif moment.tests:
                self.test_alone(moment)
            else:
                adapter = self.one_moment(moment, adapter, aggregator)
        if adapter is not None and seed == self.spec.seed:
            self.save_adapter(adapter)

    def find_sites(self) -> None:
        """Wait until the whole roster is online, at most `join_s`; go on with a quorum."""
        end = time.monotonic() + self.plan.join_s
        while True:
            self.look_around()
            if len(self.nodes) == len(self.roster) or time.monotonic() >= end:
                break
            time.sleep(0.5)
        self.events.say(
            "roster", online=list(self.nodes), away=[name for name in self.roster if name not in self.nodes]
        )
        self.need_quorum(len(self.nodes), "online")

    def look_around(self) -> None:
        """Who of the roster is online now."""
        online = {node.name: node for node in self.grid.get_nodes()}
        self.nodes = {name: online[name] for name in self.roster if name in online}
        self.central = online.get(CENTRAL)

    def need_quorum(self, sites: int, what: str) -> None:
        """Raise FederationError when fewer than the quorum are `what`."""
        if sites < self.plan.quorum:
            raise FederationError(
                Fault(
                    f"{sites} of {len(self.roster)} sites {what}, and the quorum is {self.plan.quorum}",
                    do=f"see who is missing with `kommunbench report {self.folder.name}`, then "
                    f"`kommunbench runs resume {self.folder.name}`",
                )
            )

    def first_adapter(self, moment: Moment) -> Adapter | None:
        """A fresh adapter for a replicate, or None when nothing is trained."""
        if self.spec.train is None or self.plan.card is None:
            return None
        if found := self.checkpoints.load(moment.name):
            return found[0]
        adapter = self.model().new_adapter(self.spec.train, moment.seed)
        self.checkpoints.save(moment.name, adapter, {})
        return adapter

    def model(self) -> Trainable:
        """The trained model on the coordinator's own machine, for its adapter's layout."""
        if self.plan.card is None:
            raise ModelError(Fault("no model to train", "trained_model"))
        model = open_model(self.plan.card)
        if not isinstance(model, Trainable):
            raise ModelError(Fault(f"{self.plan.card.name} cannot be trained", "trained_model"))
        return model

    def save_adapter(self, adapter: Adapter) -> None:
        """Write the run's adapter/ as PEFT reads it."""
        folder = self.folder.path / "adapter"
        if self.spec.train is not None and not folder.is_dir():
            self.model().save_adapter(adapter, self.spec.train, folder)
            for path in sorted(folder.iterdir()):
                self.folder.journal.note(f"adapter/{path.name}")

    def one_moment(self, moment: Moment, adapter: Adapter | None, aggregator: Aggregator | None) -> Adapter | None:
        """Ask every site that has not answered this moment yet; give the adapter that the next one starts from."""
        done = self.checkpoints.load(moment.following) if moment.following else None
        request = Request(
            spec=self.spec,
            round=moment.round,
            cells=moment.cells,
            train=bool(moment.following) and done is None,
            seed=moment.seed,
        )
        if moment.cells or request.train:
            self.exchange(moment.name, request, {} if adapter is None else {"": adapter})
        if not moment.following or adapter is None or aggregator is None:
            return adapter
        if done is not None:
            aggregator.restore(done[1], done[0])
            return done[0]
        if self.masked:
            updates, sites = self.checkpoints.load_updates(moment.name, [MASKED_SUM]), trained_sites(self, moment.name)
        else:
            updates = self.checkpoints.load_updates(moment.name, self.roster)
            if not self.spec.dp.hides_sites:  # whom the others' updates exclude depends on theirs: no epsilon covers it
                updates = self.judged(moment.name, adapter, updates)
            sites = len(updates)
        self.need_quorum(sites if updates else 0, "trained")
        adapter = aggregator.aggregate(moment.round + 1, adapter, list(updates.values()))
        self.checkpoints.save(moment.following, adapter, aggregator.state())
        self.checkpoints.drop_updates(moment.name)
        return adapter

    def judged(self, name: str, sent: Adapter, updates: Mapping[str, Update]) -> dict[str, Update]:
        """The updates that count, once those of the round are held against each other; the others' sites are named."""
        judgements = judge(sent, updates, self.plan.updates)
        for received in self.folder.received(name):
            if (found := judgements.get(received.site)) and found.code is not Code.OK:
                self.folder.amend(received.model_copy(update={"adapter_code": found.code}))
                self.events.say("named", moment=name, site=received.site, **found.shown())
        return {site: update for site, update in updates.items() if judgements[site].used}

    def train_alone(self, moment: Moment, first: Adapter) -> None:
        """Let each site train on its own, and the central node on everybody's synthetic data, as long as together."""
        epochs = (self.spec.train.epochs if self.spec.train else 0) * self.spec.rounds
        request = Request(spec=self.spec, round=moment.round, train=True, epochs=epochs, seed=moment.seed)
        nodes = {name: node for name, node in self.nodes.items() if name in self.trains and "local" in moment.alone}
        if "central" in moment.alone and self.central is not None:
            nodes = {CENTRAL: self.central, **nodes}  # first: it has the most to do
        self.exchange(moment.name, request, {"": first}, nodes)

    def test_alone(self, moment: Moment) -> None:
        """Evaluate every adapter that was trained alone at every site."""
        updates = self.checkpoints.load_updates(moment.tests, [CENTRAL, *self.roster])
        request = Request(
            spec=self.spec,
            round=moment.round,
            cells=alone_cells(self.spec, moment.seed, updates),
            seed=moment.seed,
        )
        self.exchange(moment.name, request, {origin: update.adapter for origin, update in updates.items()})

    def exchange(
        self, name: str, request: Request, adapters: Mapping[str, Adapter], nodes: Mapping[str, NodeInfo] | None = None
    ) -> None:
        """Send `request` to every site that owes an answer to moment `name`; keep what comes until the deadline."""
        if self.masked and request.action != "holdings":
            self.look_around()
            MaskedMoment(self, name, request, adapters).run()
            return
        everybody = nodes is None
        if nodes is None:
            self.look_around()  # who came after the start takes part from here on
            nodes = self.nodes
        answered = {received.site for received in self.folder.received(name) if not _owes(received, request)}
        asked = [site for site in nodes if site not in answered]
        asked.sort(key=lambda site: -self.busy_ms.get(site, 0))  # the slowest first, so that no worker idles at the end
        self.events.say("moment", name=name, sites=asked, kept=sorted(answered))
        for own in {self.own(site, request).digest: self.own(site, request) for site in asked}.values():
            self.folder.keep_request(own)
        sizes: dict[str, int] = {}

        def make(site: str, node_id: int) -> Message:
            message = self.message(site, node_id, request, adapters)
            sizes[site] = message_to_proto(message).ByteSize()
            return message

        asking = Asking(self.grid, make, self.plan.deadline_s, self.plan.grace_s)
        for site, message, seconds in asking.replies({site: nodes[site] for site in asked}):
            received, receipt = self.receive(site, name, request, adapters.get(""), message)
            received = received.model_copy(update={"seconds": round(seconds, 3), "bytes_in": sizes[site]})
            self.keep(received, receipt)
        away = [site for site in self.roster if everybody and site not in nodes and site not in answered]
        absent: dict[str, Absence] = {**asking.absent, **dict.fromkeys(away, "offline")}
        for site, absence in absent.items():
            self.keep(Received(site=site, moment=name, status="missing", absence=absence))

    def message(self, site: str, node_id: int, request: Request, adapters: Mapping[str, Adapter]) -> Message:
        """The message to one site; a site that never trains is asked to evaluate only."""
        own = self.own(site, request)
        kind = "query" if request.action in ("close", "holdings") else "train" if own.train else "evaluate"
        content, group = write_request(own, adapters), str(request.round)
        return Message(content, node_id, kind, ttl=self.plan.deadline_s, group_id=group)

    def own(self, site: str, request: Request) -> Request:
        """The request as one site gets it."""
        return request if site in self.trains else request.model_copy(update={"train": False})

    def receive(
        self, site: str, name: str, request: Request, sent: Adapter | None, message: Message
    ) -> tuple[Received, bytes]:
        """What a reply says and its receipt, checked: a site's bytes are trusted no more than the network's."""
        size = message_to_proto(message).ByteSize()
        if message.has_error():
            return Received(site=site, moment=name, status="failed", code=Code.INTERNAL, bytes_out=size), b""
        try:
            reply = read_reply(message, request, sent)
            code, adapter_code = unpack_status(reply.status)
            slots = unpack(request, reply.values, reply.codes, reply.cost)
            cost = unpack_cost(reply.cost)
        except FederationError:
            return Received(site=site, moment=name, status="failed", code=Code.BAD_REQUEST, bytes_out=size), b""
        try:
            vectors = (reply.status, reply.values, reply.codes, reply.cost)
            key = self.keys.get(site)
            receipt = check_receipt(self.own(site, request), vectors, reply.adapter, reply.receipt, key)
        except FederationError:
            return Received(site=site, moment=name, status="failed", code=Code.BAD_RECEIPT, bytes_out=size), b""
        if receipt is not None:
            self.keys.setdefault(site, receipt.public)
        if request.train and site in self.trains and adapter_code is Code.OK:
            adapter_code = arrival_code(self.spec, sent, reply.adapter, cost)
            if reply.adapter is not None and adapter_code is Code.OK:
                self.checkpoints.save_update(name, site, Update(reply.adapter, max(cost.train_examples, 1)))
        self.busy_ms[site] = cost.evaluate_ms + cost.train_ms
        received = Received(
            site=site,
            moment=name,
            status="ok" if code is Code.OK else "failed" if code is Code.INTERNAL else "refused",
            code=code,
            slots=tuple(slots),
            adapter_code=adapter_code,
            cost=cost,
            bytes_out=size,
            rounding=1 if receipt is None else receipt.rounding,
        )
        return received, reply.receipt

    def keep(self, received: Received, receipt: bytes = b"") -> None:
        """Write an answer down and tell whoever watches."""
        self.folder.keep(received, receipt)
        self.events.say("reply", moment=received.moment, site=received.site, status=received.status,
                        code=received.code.name, seconds=received.seconds, absence=received.absence)  # fmt: skip

    def close(self) -> None:
        """One closing message with the pooled totals, for intervals and pairs."""
        noisy = self.spec.dp.noisy  # closing sums have no bounds, so no noise could hide an example in them
        totals = {} if noisy else pooled(self.folder)
        request = Request(
            spec=self.spec,
            action="close",
            round=self.spec.rounds,
            totals=tuple(
                Total(cell=cell, metric=metric, total=total)
                for (cell, metric), total in totals.items()
                if metric != COST  # dealt out evenly, so examples have no spread to tell of
            ),
            pairs=() if noisy else self.plan.info.pairs,
        )
        if self.checkpoints.closed_with() != request.digest:
            self.folder.forget(CLOSE)
            self.checkpoints.close_with(request.digest)
        self.exchange(CLOSE, request, {})


def _owes(received: Received, request: Request) -> bool:
    """Whether a site is asked again: it gave nothing, for a reason that may be mended since, or a person there had to
    say yes first."""
    return received.status != "ok" or (request.train and received.adapter_code is Code.PENDING)


def pooled(folder: RunFolder) -> Mapping[tuple[Cell, str], Tally]:
    """Sum over sites of every released tally of the run, and of those that it carries over, by cell and metric."""
    totals: dict[tuple[Cell, str], Tally] = {}
    for received in folder.received():
        for key, code, values in received.slots:
            if len(key) == 2 and not received.moment.startswith(BESIDES) and code is Code.OK:
                name = (cell_of(key), str(key[1]))
                totals[name] = add(totals[name], values) if name in totals else values
    return totals
