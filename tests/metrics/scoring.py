"""Scoring rows of answers, as the tests of every metric do."""

from __future__ import annotations

from pathlib import Path

from kommunbench.core.example import Example
from kommunbench.core.metric import Metric, Tally, add

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
Scored = list[tuple[str, Example]]


def total(metric: Metric, rows: Scored) -> Tally:
    """The tally of all rows."""
    pooled = metric.zero
    for answer, example in rows:
        pooled = add(pooled, metric.score(answer, example))
    return pooled


def value(metric: Metric, name: str, rows: Scored) -> float | None:
    """A measure over all rows."""
    return metric.value(total(metric, rows), metric.measure(name))


def row(answer: str, *references: str, source: str = "", **facts: object) -> tuple[str, Example]:
    """An answer with its example."""
    return answer, Example("x", {"input": source}, references, facts=facts)
