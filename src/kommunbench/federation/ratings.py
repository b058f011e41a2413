"""Asking sites what their staff said of a finished run's answers: two messages, after the run and as often as wanted.

The moments are `ratings-1`, `ratings-1-close`, `ratings-2` and so on. A site answers with sums of what was rated until
then, where its policy lets them out; then with the closing sums that intervals need. A site that said something once
and does not this time is not lost: `report.pool.gather` keeps what was released.
"""

from __future__ import annotations

import re

from kommunbench.core.registry import find
from kommunbench.core.spec import OPINIONS, Cell, Request, Total
from kommunbench.federation.plan import base_cells, federated_cells
from kommunbench.federation.rounds import Rounds
from kommunbench.report.pool import gather, pool
from kommunbench.report.record import RunFolder

_MOMENT = re.compile(r"ratings-(\d+)")


def ask_ratings(rounds: Rounds) -> None:
    """Ask every site that is online, and write what it says into the run's folder.

    Raises:
        FederationError: fewer sites than the quorum.
    """
    spec = rounds.spec
    name = f"ratings-{1 + max(numbers(rounds.folder), default=0)}"
    rounds.events.say("start", moments=[name, f"{name}-close"], sites=rounds.roster)
    rounds.find_sites()
    asked = Request(spec=spec, action="ratings", round=spec.rounds, cells=rated_cells(rounds), judge=rounds.plan.judge)
    rounds.exchange(name, asked, {})
    rounds.exchange(f"{name}-close", Request(spec=spec, action="close", round=spec.rounds, totals=totals(rounds)), {})
    rounds.events.say("end")


def numbers(folder: RunFolder) -> set[int]:
    """How often the run has asked before."""
    return {int(found[1]) for received in folder.received() if (found := _MOMENT.match(received.moment))}


def rated_cells(rounds: Rounds) -> tuple[Cell, ...]:
    """Every system as it is, and the trained one after its last round."""
    spec = rounds.spec
    seeds = range(spec.seed, spec.seed + spec.replicates) if spec.train and spec.rounds else ()
    return (*base_cells(spec), *(cell for seed in seeds for cell in federated_cells(spec, spec.rounds, seed)))


def totals(rounds: Rounds) -> tuple[Total, ...]:
    """Pooled sums of what staff said, over the sites that let theirs out."""
    gathered = gather(rounds.plan.info.roster, rounds.folder.received())
    return tuple(
        Total(cell=cell, metric=name, total=total)
        for (cell, name), parts in gathered.tallies.items()
        if name in OPINIONS and (total := pool(find("metrics", name), parts).total)[0]
    )
