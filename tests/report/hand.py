"""A run's folder from per-example tallies, for the task `toy`: every number can be counted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fabricate import closing_sums, linearised
from kommunbench.core.answer import Code
from kommunbench.core.metric import FIXED, Tally, add
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, ModelRef, Pair, PromptRef, Request, RunSpec, TaskRef, Total
from kommunbench.core.task import load_task
from kommunbench.report.record import Received, RosterSite, RunFolder, RunInfo

METRICS = ("toy_share", "toy_mean", "toy_ratio")
OLD = Cell("toy", "old", "plain", "base", 0, "test")
NEW = Cell("toy", "new", "plain", "base", 0, "test")
Scores = Mapping[str, Mapping[Cell, Sequence[Tally]]]
"""By site and cell: (right, score in 0..1 as a number of FIXED, errors, words) of each example, or () for unscored."""


def example(right: int = 0, score: float = 0.0, errors: int = 0, words: int = 1) -> Tally:
    return right, round(score * FIXED), errors, words


def tally(metric: str, row: Tally) -> Tally:
    if not row:
        return find("metrics", metric).unscored
    return (1, 0, *{"toy_share": row[:1], "toy_mean": row[1:2], "toy_ratio": row[2:]}[metric])


def roster(names: Sequence[str]) -> tuple[RosterSite, ...]:
    return tuple(RosterSite(name=name, title=name.title(), kind="municipality") for name in names)


def make_info(sites: Sequence[RosterSite], pairs: Sequence[Pair] = (), run: str = "hand") -> RunInfo:
    spec = RunSpec(
        run=run,
        kommunbench="0.1.0",
        seed=0,
        tasks=(TaskRef(name="toy", digest=load_task("toy").digest, metrics=METRICS, max_new_tokens=8),),
        models=tuple(ModelRef(name=name, digest="0" * 64) for name in ("old", "new")),
        prompts=(PromptRef(name="plain", variant="plain"),),
    )
    return RunInfo(
        spec=spec,
        federation="hand",
        synthetic=False,
        roster=tuple(sites),
        engine="local",
        strategy="none",
        pairs=tuple(pairs),
        started_at="2026-03-02T09:30:00+01:00",
        command="kommunbench run",
    )


class HandMade:
    """A folder to be filled site by site."""

    def __init__(self, path: Path, info: RunInfo) -> None:
        self.folder, self.info = RunFolder(path), info
        self.folder.write_info(info)
        self.totals: dict[tuple[Cell, str], Tally] = {}

    def work(self, scores: Scores, codes: Mapping[tuple[str, str], Code] | None = None) -> None:
        """Every site's round 0; `codes` by (site, metric) hold a slot back."""
        cells = tuple(dict.fromkeys(cell for own in scores.values() for cell in own))
        request = Request(spec=self.info.spec, cells=cells)
        for site, own in scores.items():
            slots = []
            for slot in request.slots():
                cell, metric = Cell(*slot.key[0]), str(slot.key[1])
                code = (codes or {}).get((site, metric), Code.OK)
                total = find("metrics", metric).zero
                for row in own[cell] if code is Code.OK else ():
                    total = add(total, tally(metric, row))
                slots.append((slot.key, code, total))
                if code is Code.OK:
                    before = self.totals.get((cell, metric))
                    self.totals[cell, metric] = add(before, total) if before else total
            self.folder.keep(Received(site=site, moment="round-000", status="ok", slots=tuple(slots)))

    def close(self, scores: Scores, withhold_pairs: Sequence[str] = ()) -> None:
        """Every site's closing sums; the sites in `withhold_pairs` keep no pairs."""
        totals = tuple(Total(cell=cell, metric=metric, total=total) for (cell, metric), total in self.totals.items())
        request = Request(spec=self.info.spec, action="close", totals=totals, pairs=self.info.pairs)
        for site, own in scores.items():
            slots = []
            for slot in request.slots():
                cells = [Cell(*part) for part in slot.key if isinstance(part, tuple)]
                name, measure = (str(part) for part in slot.key if isinstance(part, str))
                metric = find("metrics", name)
                z = [
                    linearised(
                        metric, self.totals[cell, name], metric.measure(measure), [tally(name, r) for r in own[cell]]
                    )
                    for cell in cells
                ]
                code = Code.NOT_AVAILABLE if len(cells) == 2 and site in withhold_pairs else Code.OK
                sums = closing_sums(list(zip(*z, strict=True)), metric.measure(measure).unit)
                if code is not Code.OK:
                    sums = (0, 0, 0)
                slots.append((slot.key, code, sums))
            self.folder.keep(Received(site=site, moment="close", status="ok", slots=tuple(slots)))
