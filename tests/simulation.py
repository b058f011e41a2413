"""Simulated federations of which the truth is known, and how often intervals and tests are right about it.

Six sites of 40 to 200 examples that differ from each other; scores are skewed, word counts uneven. Tallies are drawn in
the layout of three of our metrics, one of each kind: a proportion, a mean of scores, a ratio of counts. All that comes
after is the code that makes reports.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kommunbench.core.metric import FIXED, Metric, add
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, Pair
from kommunbench.report.codes import Outcome
from kommunbench.report.estimate import Estimate
from kommunbench.report.pool import Gathered, Part, pool
from kommunbench.report.versus import Comparison

SIZES = (40, 55, 70, 90, 130, 200)
SKILL = (0.35, 0.42, 0.48, 0.55, 0.6, 0.66)
LEFT = Cell("simulated", "new", "plain", "base", 0, "test")
RIGHT = LEFT._replace(model="old")
Array = np.ndarray


def everywhere(_: str, __: str) -> bool:
    return True


def parts(columns: list[Array]) -> dict[tuple[str, str], Part]:
    """Parts of six sites from their examples' own fields."""
    found = {}
    for site, own in enumerate(columns):
        total = (len(own), 0, *(int(entry) for entry in own.sum(axis=0)))
        found["", f"site-{site}"] = Part(Outcome.RELEASED, total)
    return found


def z_of(metric: Metric, columns: list[Array]) -> list[Array]:
    """Every example's linearised score, as a site works it out."""
    total = metric.zero
    for part in parts(columns).values():
        total = add(total, part.values)
    gradient = np.array(metric.gradient(total, metric.measures[0]))
    return [total[0] * (gradient[0] + own.astype(float) @ gradient[2:]) for own in columns]


def sums(z: list[Array], scale: int) -> dict[tuple[str, str], Part]:
    found = {}
    for site, own in enumerate(z):
        fixed = [round(value * scale) for value in own.tolist()]
        values = (len(fixed), sum(fixed), sum(value * value for value in fixed))
        found["", f"site-{site}"] = Part(Outcome.RELEASED, values)
    return found


def estimate(metric: Metric, columns: list[Array]) -> Estimate:
    return Estimate(
        metric, metric.measures[0], parts(columns), sums(z_of(metric, columns), metric.measures[0].closing_scale)
    )


def means(rng: np.random.Generator, skill: tuple[float, ...] = SKILL) -> list[Array]:
    """Skewed scores of 0..1 with the site's skill as their mean."""
    return [
        np.round(rng.beta(2 * s, 2 * (1 - s), n) * FIXED)[:, None].astype(np.int64)
        for s, n in zip(skill, SIZES, strict=True)
    ]


def ratios(rng: np.random.Generator, skill: tuple[float, ...] = SKILL) -> list[Array]:
    """Words, long words and letters of texts whose lengths vary threefold within and between sites."""
    columns = []
    for site, (s, n) in enumerate(zip(skill, SIZES, strict=True)):
        words = rng.poisson(rng.gamma(4, 5 + 2 * site, n)) + 5
        long = rng.binomial(words, rng.beta(6 * s, 6 * (1 - s), n))
        columns.append(np.stack([words, long, 5 * words], axis=1))
    return columns


def shares(rng: np.random.Generator, skill: tuple[float, ...] = SKILL) -> list[Array]:
    return [(rng.random(n) < s).astype(np.int64)[:, None] for s, n in zip(skill, SIZES, strict=True)]


def truth(name: str) -> float:
    """The pooled value of endlessly many examples in the sites' own proportions."""
    words = [4 * (5 + 2 * site) + 5 for site in range(6)] if name == "long_words" else [1] * 6
    weight = [n * w for n, w in zip(SIZES, words, strict=True)]
    return float(np.average(SKILL, weights=weight))


DRAWS: dict[str, Callable[..., list[Array]]] = {"token_f1": means, "long_words": ratios, "exact_match": shares}


def these_sites(name: str, repetitions: int) -> float:
    rng, metric, held = np.random.default_rng(11), find("metrics", name), 0
    for _ in range(repetitions):
        found = estimate(metric, DRAWS[name](rng))
        low, high = found.interval(pool(metric, found.parts))
        held += low <= truth(name) <= high
    return held / repetitions


def new_site(name: str, repetitions: int) -> tuple[float, float]:
    """How often the mean of all such sites is in the interval for new sites, and in that for these sites."""
    rng, metric, held, pooled_held = np.random.default_rng(12), find("metrics", name), 0, 0
    for _ in range(repetitions):
        skill = tuple(rng.beta(12, 12, 6))  # a sample of sites whose mean is one half
        found = estimate(metric, DRAWS[name](rng, skill))
        pooled = pool(metric, found.parts)
        across = found.across(pooled)
        assert not isinstance(across, str)
        held += across.low <= 0.5 <= across.high
        low, high = found.interval(pooled)
        pooled_held += low <= 0.5 <= high
    return held / repetitions, pooled_held / repetitions


def false_positives(name: str, repetitions: int) -> float:
    """How often two systems that are alike in the long run differ with p < .05."""
    rng, metric, wrong = np.random.default_rng(13), find("metrics", name), 0
    pair = Pair(LEFT, RIGHT, name, metric.measures[0].name)
    for _ in range(repetitions):
        one = DRAWS[name](rng)
        swap = [rng.random(len(own)) < 0.5 for own in one]  # half of the answers are alike, half drawn anew
        other = [np.where(s[:, None], a, b) for s, a, b in zip(swap, one, DRAWS[name](rng), strict=True)]
        difference = [a - b for a, b in zip(z_of(metric, one), z_of(metric, other), strict=True)]
        gathered = Gathered(
            tallies={(LEFT, name): parts(one), (RIGHT, name): parts(other)},
            pairs={pair: sums(difference, metric.measures[0].closing_scale)},
        )
        effect = Comparison(gathered, pair).effect(everywhere)
        wrong += effect.spread.p(effect.difference) < 0.05
    return wrong / repetitions
