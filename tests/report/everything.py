"""A report with every section that there is: other ways of training and staff's ratings beside the fabricated run's."""

from __future__ import annotations

from kommunbench.core.spec import CRITERIA
from kommunbench.report.rows import PairRow, Report, Row

ALONE = {"trained": ("own", "others"), "unseen": ("unseen",)}
"""Groups of sites that an adapter of one site is measured on, by the group that one of all is."""


def with_everything(report: Report) -> Report:
    """`report` with each site's own training, all text in one place, and ratings on one task."""
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
    made = report.model_copy(update={"rows": (*report.rows, *rows, *rated), "pairs": (*report.pairs, *pairs)})
    return Report.model_validate(made.model_dump())


def changed(row: Row, factor: float | None, **changes) -> Row:
    values = {} if factor is None or row.value is None else {"value": min(1.0, row.value * factor)}
    return row.model_copy(update=values | changes)


def at(pair: PairRow, side: str, group: str, **changes):
    return getattr(pair, side).model_copy(update={"site_group": group, **changes})
