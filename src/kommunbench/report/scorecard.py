"""Scorecards: who leads when 'better' means something else. Weights by task and measure, stated before the run.

A system's score is the weighted mean of its values, each put on a scale where 0 is worst and 1 best: a share as it is
(or from its other end, where lower is better), anything else between the `worst` and `best` that the card states. How
much hangs on the weights is shown by drawing others: 2,000 times, evenly over all weights of the same measures (a flat
Dirichlet distribution), and counting how often each system comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.task import Bilingual
from kommunbench.core.weights import EVERY_TASK, PRIMARY, Weight, Weights
from kommunbench.report.rows import Row, ScorecardPart, ScorecardRow, ScorecardStanding, TaskRow

DRAWS = 2_000
System = tuple[str, str, str]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Scorecard(_Frozen):
    """What 'better' means to someone: weights by task (`*`: every task) and measure (`primary`: the task's own).

    Tasks that a run leaves out are left out, and the rest keep their proportions.
    """

    name: str
    title: Bilingual
    weights: Weights = Field(min_length=1)

    def of(self, task: str, primary: str) -> Iterator[tuple[str, Weight]]:
        """The measures that count on a task, the task's own line before the one for every task."""
        for measure, weight in self.weights.get(task, self.weights.get(EVERY_TASK, {})).items():
            yield primary if measure == PRIMARY else measure, weight


def scorecards(
    cards: Sequence[Scorecard], tasks: Sequence[TaskRow], rows: Iterable[Row], group: str = "all"
) -> tuple[ScorecardRow, ...]:
    """A leaderboard for each card and seed of training, each system at its last round.

    Args:
        rows: those of test splits.
        group: over all sites, or another `site_group` of the rows: `site/lovvik` is one site's own numbers.
    """
    mine = [row for row in rows if row.site_group == group]
    seeds = sorted({row.seed for row in mine if row.stage != "base"} or {row.seed for row in mine})
    found = []
    for seed in seeds:
        values = _values(mine, seed)
        made = [_scored(card, seed, tasks, values) for card in cards]
        leaders = [_leader(one) for one in made]
        found += [
            one.model_copy(update={"changes": None if leader is None or leaders[0] is None else leader != leaders[0]})
            for one, leader in zip(made, leaders, strict=True)
        ]
    return tuple(one for one in found if one.parts)


def _values(rows: Iterable[Row], seed: int) -> dict[System, dict[tuple[str, str], Row]]:
    """Each system's last row by task and measure; an untrained system is the same for every seed."""
    found: dict[System, dict[tuple[str, str], Row]] = {}
    for row in rows:
        if row.seed != seed and row.stage != "base":
            continue
        own = found.setdefault((row.model, row.prompt, row.stage), {})
        before = own.get((row.task, row.metric))
        if before is None or row.round > before.round:
            own[row.task, row.metric] = row
    return found


def _scored(
    card: Scorecard, seed: int, tasks: Sequence[TaskRow], values: Mapping[System, Mapping[tuple[str, str], Row]]
) -> ScorecardRow:
    kinds = {key: row for own in values.values() for key, row in own.items()}
    asked = [(task.name, *pair) for task in tasks for pair in card.of(task.name, task.primary)]
    whole = sum(weight.weight for _, _, weight in asked)
    parts = []
    for task, measure, weight in asked:
        example = kinds.get((task, measure))
        worst, best = (example and weight.scale(example.unit, example.direction)) or (None, None)
        parts.append(ScorecardPart(task=task, metric=measure, weight=weight.weight / whole, worst=worst, best=best))
    scores = {system: _scores(parts, own) for system, own in values.items()}
    return ScorecardRow(
        name=card.name,
        title=card.title,
        seed=seed,
        parts=tuple(parts),
        standings=tuple(_standings(parts, scores, values)),
        changes=None,
    )


def _scores(parts: Sequence[ScorecardPart], own: Mapping[tuple[str, str], Row]) -> list[float] | str:
    """A system's value on each part, 0 (worst) to 1 (best), or why it has no score."""
    scores = []
    for part in parts:
        row = own.get((part.task, part.metric))
        if row is None or row.value is None:
            return f"no value of {part.metric} on {part.task}"
        if part.worst is None or part.best is None:
            return f"the card states no scale for {part.metric}"
        scores.append(min(max((row.value - part.worst) / (part.best - part.worst), 0.0), 1.0))
    return scores


def _standings(
    parts: Sequence[ScorecardPart],
    scores: Mapping[System, list[float] | str],
    values: Mapping[System, Mapping[tuple[str, str], Row]],
) -> Iterator[ScorecardStanding]:
    whole = {
        system: sum(part.weight * score for part, score in zip(parts, own, strict=True))
        for system, own in scores.items()
        if not isinstance(own, str)
    }
    wins = _wins({system: own for system, own in scores.items() if not isinstance(own, str)})
    for system in sorted(scores, key=lambda system: (system not in whole, -whole.get(system, 0.0), system)):
        score, own = whole.get(system), scores[system]
        last = list(values[system].values())
        yield ScorecardStanding(
            rank=None if score is None else 1 + sum(other > score + 1e-12 for other in whole.values()),
            model=system[0],
            prompt=system[1],
            stage=last[0].stage,
            round=max(row.round for row in last),
            seed=last[0].seed,
            score=score,
            wins=wins.get(system),
            reason=own if isinstance(own, str) else None,
        )


def _wins(scores: Mapping[System, list[float]]) -> dict[System, float]:
    """Share of weightings, drawn evenly over all there are, under which each system comes first; ties are shared."""
    if not scores:
        return {}
    import numpy as np

    table = np.array(list(scores.values()))
    drawn = np.random.default_rng(0).dirichlet(np.ones(table.shape[1]), DRAWS) @ table.T
    first = drawn >= drawn.max(axis=1, keepdims=True) - 1e-12
    shares = (first / first.sum(axis=1, keepdims=True)).mean(axis=0)
    return dict(zip(scores, map(float, shares), strict=True))


def _leader(found: ScorecardRow) -> System | None:
    """The system that comes first; None where nobody has a score, or several share the place."""
    first = [(one.model, one.prompt, str(one.stage)) for one in found.standings if one.rank == 1]
    return first[0] if len(first) == 1 else None
