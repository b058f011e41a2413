"""From what sites released to pooled tallies: everything is added, nothing is averaged.

A *question* is one slot: a metric of a cell, the closing sums of a measure, or those of a pair. A *part* is one site's
answer to it. Sums are over parts that were released; the rest are counted by why they are not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kommunbench.core.answer import Code
from kommunbench.core.metric import Metric, Tally, add
from kommunbench.core.spec import Cell, Pair
from kommunbench.report.codes import Outcome, outcome, reply_outcome
from kommunbench.report.record import Received, RosterSite

Inside = Callable[[str, str], bool]
"""Whether the pair (origin, site) belongs to a group of sites; the origin is empty but for stage `local`."""


@dataclass(frozen=True, slots=True)
class Part:
    """One site's answer to one question."""

    outcome: Outcome
    values: Tally = ()


Parts = dict[tuple[str, str], Part]
"""By (origin, site)."""


@dataclass(slots=True)
class Gathered:
    """A run's answers. Keys name a cell without its origin, which the parts carry."""

    tallies: dict[tuple[Cell, str], Parts] = field(default_factory=dict)
    singles: dict[tuple[Cell, str, str], Parts] = field(default_factory=dict)
    pairs: dict[Pair, Parts] = field(default_factory=dict)

    def own(self) -> Gathered:
        """What is of this run alone, without the systems of earlier runs."""
        return Gathered(
            {key: parts for key, parts in self.tallies.items() if not key[0].run},
            {key: parts for key, parts in self.singles.items() if not key[0].run},
            {pair: parts for pair, parts in self.pairs.items() if not pair.right.run},
        )

    def with_earlier(self) -> Gathered:
        """All systems, and the pairs with earlier runs alone."""
        return Gathered(
            self.tallies, self.singles, {pair: parts for pair, parts in self.pairs.items() if pair.right.run}
        )


@dataclass(frozen=True, slots=True)
class Pooled:
    """The sum of one group's released tallies, with how many sites are in it and how many are not, and why."""

    total: Tally
    by_site: Mapping[str, Tally]
    strata: Mapping[str, Sequence[tuple[str, str]]]
    """By site, the (origin, site) of every tally in the sum."""
    absent: Mapping[Outcome, int]

    @property
    def repeats(self) -> int:
        """Most often that one example may be counted: once for each adapter it was answered with."""
        return max(map(len, self.strata.values()), default=1)


def gather(roster: Sequence[RosterSite], received: Iterable[Received]) -> Gathered:
    """Sort every reply into questions. A site that gave no reply at a moment is missing from all that was asked then.

    What was asked is read off the other sites' replies. Where a question was put twice, as after a resumed run, the
    later answer counts, but an answer that was released is never lost to one that was not.
    """
    moments: dict[str, dict[str, Received]] = {}
    for reply in received:
        moments.setdefault(reply.moment, {})[reply.site] = reply
    gathered = Gathered()
    for replies in moments.values():
        asked = dict.fromkeys(question_of(key) for reply in replies.values() for key, _, _ in reply.slots)
        for site in roster:
            found = replies.get(site.name)
            slots = {question_of(key): (code, values) for key, code, values in found.slots} if found else {}
            whole = reply_outcome(found)
            for question in asked:
                if question in slots:
                    code, values = slots[question]
                    _put(gathered, question, site.name, _part(code, values))
                elif whole is not Outcome.RELEASED:
                    _put(gathered, question, site.name, Part(whole))
    return gathered


def pool(metric: Metric, parts: Parts, keys: Iterable[tuple[str, str]] | None = None) -> Pooled:
    """Add up the released tallies among `keys` (all of them without), exactly.

    Raises:
        OverflowError: the sum does not fit in 64 bits.
    """
    total, by_site, absent = metric.zero, dict[str, Tally](), dict[str, Outcome]()
    strata: dict[str, list[tuple[str, str]]] = {}
    for key in parts if keys is None else keys:
        site, part = key[1], parts[key]
        if part.outcome is Outcome.RELEASED:
            total = add(total, part.values)
            by_site[site] = add(by_site[site], part.values) if site in by_site else part.values
            strata.setdefault(site, []).append(key)
        else:
            absent.setdefault(site, part.outcome)
    lost = Counter(why for site, why in absent.items() if site not in by_site)
    return Pooled(total, by_site, strata, lost)


def groups(roster: Sequence[RosterSite], local: bool) -> dict[str, Inside]:
    """Groups of sites that rows are made for, in the order of a report.

    Every system has `all`, `trained` and `unseen` where some sites do not train, each kind of organisation where there
    are several, and each site. An adapter that was trained at one site alone has `own`, `others` and `unseen`.
    """
    trains = {site.name for site in roster if site.trains}
    names: dict[str, Inside] = {}
    if local:
        names["own"] = lambda origin, site: origin == site
        names["others"] = lambda origin, site: origin != site and site in trains
        if len(trains) < len(roster):
            names["unseen"] = lambda _, site: site not in trains
        for one in roster:
            if one.trains:
                names[f"site/{one.name}"] = _exactly({one.name}, own=True)
        return names
    names["all"] = lambda _, __: True
    if 0 < len(trains) < len(roster):
        names["trained"] = lambda _, site: site in trains
        names["unseen"] = lambda _, site: site not in trains
    kinds = dict.fromkeys(site.kind for site in roster)
    if len(kinds) > 1:
        for kind in kinds:
            names[kind] = _exactly({site.name for site in roster if site.kind == kind})
    for one in roster:
        names[f"site/{one.name}"] = _exactly({one.name})
    return names


def _exactly(members: set[str], own: bool = False) -> Inside:
    return lambda origin, site: site in members and (not own or origin == site)


def question_of(key: tuple[object, ...]) -> tuple[object, ...]:
    """A slot's key with cells as cells: in a file they are lists."""
    return tuple(Cell(*part) if isinstance(part, list | tuple) else part for part in key)


def _part(code: Code, values: Tally) -> Part:
    kind = outcome(code)
    return Part(kind, tuple(values) if kind is Outcome.RELEASED else ())


def _put(gathered: Gathered, question: tuple[object, ...], site: str, part: Part) -> None:
    cells = [entry for entry in question if isinstance(entry, Cell)]
    names = [str(entry) for entry in question if not isinstance(entry, Cell)]
    origin = next((cell.origin for cell in cells if cell.origin), "")
    bare = [cell._replace(origin="") for cell in cells]
    if len(cells) == 2:
        parts = gathered.pairs.setdefault(Pair(bare[0], bare[1], names[0], names[1]), {})
    elif len(names) == 2:
        parts = gathered.singles.setdefault((bare[0], names[0], names[1]), {})
    else:
        parts = gathered.tallies.setdefault((bare[0], names[0]), {})
    before = parts.get((origin, site))
    if before is None or before.outcome is not Outcome.RELEASED or part.outcome is Outcome.RELEASED:
        parts[origin, site] = part
