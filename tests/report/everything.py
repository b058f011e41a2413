"""A report with every section that there is: other ways of training and staff's ratings beside the fabricated run's."""

from __future__ import annotations

from pathlib import Path

import yaml

from kommunbench.core.spec import CRITERIA
from kommunbench.core.task import Bilingual
from kommunbench.report.rows import DpRow, PairRow, Report, Row
from kommunbench.report.scorecard import Scorecard, scorecards

CARDS = [
    Scorecard.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    for path in sorted((Path(__file__).parents[2] / "conf" / "scorecard").glob("*.yaml"))
]
ALONE = {"trained": ("own", "others"), "unseen": ("unseen",)}
"""Groups of sites that an adapter of one site is measured on, by the group that one of all is."""


def with_everything(report: Report) -> Report:
    """`report` with each site's own training, all text in one place, ratings on one task, an earlier run to compare
    with, scorecards, differential privacy, rounded numbers and words for its systems."""
    last = max(row.round for row in report.rows)
    together = [row for row in report.rows if row.stage == "federated" and row.round == last and row.primary]
    rows = [
        changed(row, 0.7 if group == "others" else 0.9, stage="local", site_group=group)
        for row in together
        for group in ALONE.get(row.site_group, (row.site_group,) if row.site_group.startswith("site/") else ())
    ]
    rows += [changed(row, 1.05, stage="central") for row in together if not row.site_group.startswith("site/")]
    pairs = [
        pair.model_copy(update={"left": at(pair, "left", group), "right": at(pair, "right", group, stage="local")})
        for pair in report.pairs
        for group in ALONE.get(pair.left.site_group, ())
        if pair.primary and (pair.left.stage, pair.right.stage) == ("federated", "base")
    ]
    like = next(row for row in together if row.task == "lattlast" and row.site_group == "all")
    said = {f"rated_{name}": (4.25, "1\u20135") for name in CRITERIA}
    said |= {f"agreement_{name}": (0.61, "share") for name in CRITERIA}
    rated = [changed(like, None, metric=name, primary=False, value=value, unit=unit, low=None, high=None)
             for name, (value, unit) in said.items()]  # fmt: skip
    every = (*report.rows, *rows, *rated)
    first = next(pair for pair in report.pairs if pair.primary and pair.left.site_group == "all")
    update = {
        "rows": every,
        "pairs": (*report.pairs, *pairs),
        "earlier": (first.model_copy(update={"right_run": "pilot-before"}),),
        "scorecards": scorecards(CARDS, report.tasks, every),
        "dp": DpRow(name="both", training_epsilon=4.2, training_target=5.0, noise_multiplier=None, clip_norm=1.0,
                    delta=1e-5, tallies="gaussian", tally_epsilon=2.0),
        "roster": (report.roster[0].model_copy(update={"rounding": 5, "epsilon": 4.2}), *report.roster[1:]),
        "about": {"lead": Bilingual(sv="Ingen modell: de första meningarna.", en="No model: the first sentences.")},
    }  # fmt: skip
    made = report.model_copy(update=update)
    return Report.model_validate(made.model_dump())


def changed(row: Row, factor: float | None, **changes) -> Row:
    values = {} if factor is None or row.value is None else {"value": min(1.0, row.value * factor)}
    return row.model_copy(update=values | changes)


def at(pair: PairRow, side: str, group: str, **changes):
    return getattr(pair, side).model_copy(update={"site_group": group, **changes})
