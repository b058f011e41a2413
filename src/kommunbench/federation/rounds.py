"""The coordinator's loop: sites by name, one message a site a moment, sums as they come, a checkpoint a round.

It never waits for 'any n nodes': the roster says who is expected, the deadline how long, the quorum how few are enough.
A site that fails, refuses or stays away is named and counted, and the others go on. Everything is written as it comes,
so that a run which was stopped at any point goes on from there and ends the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from flwr.app import Message
from flwr.common.serde import message_to_proto
from flwr.serverapp import Grid

from kommunbench.core.errors import Fault, FederationError, ModelError
from kommunbench.core.metric import Tally, add
from kommunbench.core.model import Adapter, Trainable
from kommunbench.core.spec import Cell, Code, Request, Total
from kommunbench.federation.checkpoints import Checkpoints
from kommunbench.federation.plan import Moment, Plan, schedule
from kommunbench.federation.progress import Events
from kommunbench.federation.records import read_reply, write_request
from kommunbench.federation.strategies import Aggregator, Update
from kommunbench.models.open import open_model
from kommunbench.release import unpack, unpack_cost, unpack_status, update_code
from kommunbench.report.record import Received, RunFolder, cell_of

CLOSE = "close"
POLL_S = 0.01


class Rounds:
    """One run over one grid."""

    def __init__(self, grid: Grid, plan: Plan) -> None:
        self.grid, self.plan, self.spec = grid, plan, plan.info.spec
        self.folder = RunFolder(Path(plan.folder))
        self.checkpoints = Checkpoints(self.folder.path)
        self.events = Events(self.folder.path)
        self.roster = [site.name for site in plan.info.roster]
        self.trains = {site.name for site in plan.info.roster if site.trains}
        self.nodes: dict[str, int] = {}
        self.busy_ms: dict[str, int] = {}

    def run(self) -> None:
        """Every moment of the plan, then the closing sums. What an earlier try finished is kept.

        Raises:
            FederationError: fewer sites than the quorum; the run can be resumed.
        """
        moments = list(schedule(self.spec, self.plan.evaluate_every))
        self.events.say("start", moments=[moment.name for moment in moments] + [CLOSE], sites=self.roster)
        self.find_sites()
        seed, aggregator, adapter = None, None, None
        for moment in moments:
            if moment.seed != seed:
                seed, adapter = moment.seed, self.first_adapter(moment)
                aggregator = Aggregator(self.plan.strategy, self.grid) if adapter is not None else None
            adapter = self.one_moment(moment, adapter, aggregator)
        self.close()
        self.events.say("end")

    def find_sites(self) -> None:
        """Wait until the whole roster is online, at most `join_s`; go on with a quorum."""
        end = time.monotonic() + self.plan.join_s
        while True:
            online = {node.name: node.node_id for node in self.grid.get_nodes()}
            self.nodes = {name: online[name] for name in self.roster if name in online}
            if len(self.nodes) == len(self.roster) or time.monotonic() >= end:
                break
            time.sleep(0.5)
        self.need_quorum(len(self.nodes), "online")

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
        model = open_model(self.plan.card)
        if not isinstance(model, Trainable):
            raise ModelError(Fault(f"{self.plan.card.name} cannot be trained", "trained_model"))
        adapter = model.new_adapter(self.spec.train, moment.seed)
        self.checkpoints.save(moment.name, adapter, {})
        return adapter

    def one_moment(self, moment: Moment, adapter: Adapter | None, aggregator: Aggregator | None) -> Adapter | None:
        """Ask every site that has not answered this moment yet; give the adapter that the next one starts from."""
        done = self.checkpoints.load(moment.following) if moment.train else None
        request = Request(
            spec=self.spec,
            round=moment.round,
            cells=moment.cells,
            train=moment.train and done is None,
            seed=moment.seed,
        )
        if moment.cells or request.train:
            self.exchange(moment.name, request, adapter)
        if not moment.train or adapter is None or aggregator is None:
            return adapter
        if done is not None:
            aggregator.restore(done[1], done[0])
            return done[0]
        updates = self.checkpoints.load_updates(moment.name, self.roster)
        self.need_quorum(len(updates), "trained")
        adapter = aggregator.aggregate(moment.round + 1, adapter, updates)
        self.checkpoints.save(moment.following, adapter, aggregator.state())
        self.checkpoints.drop_updates(moment.name)
        return adapter

    def exchange(self, name: str, request: Request, adapter: Adapter | None) -> None:
        """Send `request` to every site that owes an answer to moment `name`; keep what comes until the deadline."""
        answered = {received.site for received in self.folder.received(name) if received.status in ("ok", "refused")}
        asked = [site for site in self.nodes if site not in answered]
        asked.sort(key=lambda site: -self.busy_ms.get(site, 0))  # the slowest first, so that no worker idles at the end
        self.events.say("moment", name=name, sites=asked, kept=sorted(answered))
        messages = {site: self.message(site, request, adapter) for site in asked}
        sizes = {site: message_to_proto(message).ByteSize() for site, message in messages.items()}
        started = time.monotonic()
        waiting = dict(zip(self.grid.push_messages(messages.values()), asked, strict=True))
        while waiting and time.monotonic() - started < self.plan.deadline_s:
            for message in self.grid.pull_messages(list(waiting)):
                site = waiting.pop(message.metadata.reply_to_message_id)
                seconds = time.monotonic() - started
                received = self.receive(site, name, request, adapter, message)
                self.keep(received.model_copy(update={"seconds": round(seconds, 3), "bytes_in": sizes[site]}))
            time.sleep(POLL_S)
        late = [*waiting.values(), *(site for site in self.roster if site not in self.nodes and site not in answered)]
        for site in late:
            self.keep(Received(site=site, moment=name, status="missing"))

    def message(self, site: str, request: Request, adapter: Adapter | None) -> Message:
        """The message to one site; a site that never trains is asked to evaluate only."""
        own = request if site in self.trains else request.model_copy(update={"train": False})
        kind = "query" if request.action == "close" else "train" if own.train else "evaluate"
        return Message(write_request(own, adapter), self.nodes[site], kind, group_id=str(request.round))

    def receive(self, site: str, name: str, request: Request, sent: Adapter | None, message: Message) -> Received:
        """What a reply says, checked: a site's bytes are trusted no more than the network's."""
        size = message_to_proto(message).ByteSize()
        if message.has_error():
            return Received(site=site, moment=name, status="failed", code=Code.INTERNAL, bytes_out=size)
        try:
            reply = read_reply(message)
            code, adapter_code = unpack_status(reply.status)
            slots = unpack(request, reply.values, reply.codes, reply.cost)
            cost = unpack_cost(reply.cost)
        except FederationError:
            return Received(site=site, moment=name, status="failed", code=Code.BAD_REQUEST, bytes_out=size)
        if request.train and site in self.trains and adapter_code is Code.OK:
            if sent is not None and reply.adapter is not None and update_code(sent, reply.adapter) is Code.OK:
                self.checkpoints.save_update(name, site, Update(reply.adapter, max(cost.train_examples, 1)))
            else:
                adapter_code = Code.BAD_UPDATE
        self.busy_ms[site] = cost.evaluate_ms + cost.train_ms
        return Received(
            site=site,
            moment=name,
            status="ok" if code is Code.OK else "refused",
            code=code,
            slots=tuple(slots),
            adapter_code=adapter_code,
            cost=cost,
            bytes_out=size,
        )

    def keep(self, received: Received) -> None:
        """Write an answer down and tell whoever watches."""
        self.folder.keep(received)
        self.events.say("reply", moment=received.moment, site=received.site, status=received.status,
                        code=received.code.name, seconds=received.seconds)  # fmt: skip

    def close(self) -> None:
        """One closing message with the pooled totals, for intervals and pairs."""
        totals = pooled(self.folder)
        request = Request(
            spec=self.spec,
            action="close",
            round=self.spec.rounds,
            totals=tuple(Total(cell=cell, metric=metric, total=total) for (cell, metric), total in totals.items()),
            pairs=self.plan.info.pairs,
        )
        if self.checkpoints.closed_with() != request.digest:
            self.folder.forget(CLOSE)
            self.checkpoints.close_with(request.digest)
        self.exchange(CLOSE, request, None)


def pooled(folder: RunFolder) -> Mapping[tuple[Cell, str], Tally]:
    """Sum over sites of every released tally of the run, by cell and metric."""
    totals: dict[tuple[Cell, str], Tally] = {}
    for received in folder.received():
        for key, code, values in received.slots:
            if received.moment != CLOSE and code is Code.OK:
                name = (cell_of(key), str(key[1]))
                totals[name] = add(totals[name], values) if name in totals else values
    return totals
