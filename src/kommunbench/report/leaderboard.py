"""Who leads on each task, and which systems cannot be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kommunbench.report.rows import Key, Leaderboard, PairRow, Row, Standing, row_key
from kommunbench.report.versus import SIGNIFICANT

System = tuple[str, str, str]
Tested = Mapping[tuple[Key, Key], float]


def leaderboards(rows: Sequence[Row], pairs: Sequence[PairRow]) -> tuple[Leaderboard, ...]:
    """One leaderboard a task and seed of training, over all sites, by the primary measure."""
    primary = [row for row in rows if row.primary and row.site_group == "all"]
    tested = {(pair.left.key, pair.right.key): pair.p_holm for pair in pairs if pair.p_holm is not None}
    boards = []
    for task in dict.fromkeys(row.task for row in primary):
        mine = [row for row in primary if row.task == task]
        seeds = sorted({row.seed for row in mine if row.stage != "base"} or {row.seed for row in mine})
        for seed in seeds:
            ranked = _ranked(_last(mine, seed))
            boards.append(
                Leaderboard(task=task, metric=mine[0].metric, seed=seed, standings=tuple(_standings(ranked, tested)))
            )
    return tuple(boards)


def _last(rows: Iterable[Row], seed: int) -> list[Row]:
    """Each system's row at its last round; untrained systems are the same for every seed."""
    last: dict[System, Row] = {}
    for row in rows:
        system = (row.model, row.prompt, row.stage)
        if row.seed != seed and row.stage != "base":
            continue
        if system not in last or row.round > last[system].round:
            last[system] = row
    return list(last.values())


def _ranked(rows: Iterable[Row]) -> list[Row]:
    """Best first; systems without a value last; alike ones by name."""

    def place(row: Row) -> tuple[bool, float, str, str, str]:
        sign = -1 if row.direction == "higher" else 1
        return row.value is None, sign * (row.value or 0.0), row.model, row.prompt, row.stage

    return sorted(rows, key=place)


def _standings(ranked: Sequence[Row], tested: Tested) -> Iterable[Standing]:
    """A tie group opens at the first system that differs from the one that opened the group before.

    Two systems differ where their declared pair says so (Holm's p below .05); where no pair was declared, where their
    intervals do not overlap, which is the stricter of the two.
    """
    group, opener = 0, None
    for rank, row in enumerate(ranked, start=1):
        if row.value is None:
            yield Standing(rank=rank, tie_group=None, row=row_key(row))
            continue
        if opener is None or _differ(opener, row, tested) is not False:
            group, opener = group + 1, row
        untested = row.low is None and not any(row.key in pair for pair in tested)
        yield Standing(rank=rank, tie_group=None if untested else group, row=row_key(row))


def _differ(first: Row, second: Row, tested: Tested) -> bool | None:
    p = tested.get((first.key, second.key), tested.get((second.key, first.key)))
    if p is not None:
        return p < SIGNIFICANT
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return None
    return first.low > second.high or second.low > first.high
