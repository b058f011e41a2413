"""What the coordinator holds a site's trained weights against before they count.

The wire's layout, what training can do, and the other sites of the round.

One broken or hostile site must not steer what all train together, and an honest one must not be punished for having
other data. So what is refused is what no honest training gives: weights that are not finite, that moved farther than so
many steps of AdamW can move them, or that moved many times as far as the others did. A direction is only named, unless
the run asks for more: unlike data can point anywhere. Robust strategies (krum, median, trimmed_mean) outvote the rest.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kommunbench.core.answer import Code, Cost
from kommunbench.core.model import Adapter, UpdateBounds
from kommunbench.core.spec import RunSpec
from kommunbench.federation.strategies import Update
from kommunbench.release import COST_UNIT, reach, steps_of, update_code, update_norm

FEWEST = 3
"""Sites below which nobody can tell which of them is the odd one."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One update against those of the other sites.

    Args:
        code: OK, UPDATE_TOO_LARGE or UPDATE_AGAINST.
        ratio: its length over the round's median length.
        cosine: of the angle to the mean of the others' directions; 1 is the same way, -1 the opposite.
        used: it counts.
    """

    code: Code
    ratio: float = 1.0
    cosine: float = 1.0
    used: bool = True

    def shown(self) -> dict[str, object]:
        """For the run's events; a length without a limit is shown as null."""
        ratio = round(self.ratio, 3) if math.isfinite(self.ratio) else None
        return {"code": self.code.name, "ratio": ratio, "cosine": round(self.cosine, 3), "used": self.used}


def arrival_code(spec: RunSpec, sent: Adapter | None, update: Adapter | None, cost: Cost) -> Code:
    """What can be said of an update on its own: layout, finite, and no farther than the stated steps could take it.

    Costs arrive rounded, so a half of the rounding's unit is added to the steps.
    """
    if sent is None or update is None or spec.train is None:
        return Code.BAD_UPDATE
    steps = cost.train_steps + COST_UNIT.train_steps // 2
    code = update_code(sent, update)
    return update_code(sent, update, reach(spec.train, steps, sent)) if code is Code.OK else code


def judge(sent: Adapter, updates: Mapping[str, Update], bounds: UpdateBounds) -> dict[str, Judgement]:
    """A judgement for each site of a round, all against all; with fewer than three sites everything counts.

    Directions are compared with the sum of the others' unit vectors, so that no site weighs more for being longer, and
    updates that are too long are left out of it.
    """
    if len(updates) < FEWEST:
        return {site: Judgement(Code.OK) for site in updates}
    lengths = {site: update_norm(sent, update.adapter) for site, update in updates.items()}
    median = statistics.median(lengths.values())
    ratios = {site: length / median if median else 1.0 if not length else math.inf for site, length in lengths.items()}
    large = {site for site, ratio in ratios.items() if bounds.max_ratio and ratio > bounds.max_ratio}
    judgements = {site: Judgement(Code.UPDATE_TOO_LARGE, ratios[site], used=False) for site in large}
    for site, cosine in _cosines(sent, {site: updates[site] for site in updates if site not in large}, lengths).items():
        code = Code.UPDATE_AGAINST if cosine < max(0.0, bounds.min_cosine) else Code.OK
        judgements[site] = Judgement(code, ratios[site], cosine, used=cosine >= bounds.min_cosine)
    return judgements


def _cosines(sent: Adapter, updates: Mapping[str, Update], lengths: Mapping[str, float]) -> dict[str, float]:
    """Each update's cosine with the sum of the others' unit vectors; 1 where either has no length."""
    total = [np.zeros(array.shape) for array in sent.values()]
    for site, update in updates.items():
        for part, step in zip(total, steps_of(sent, update.adapter), strict=True):
            part += step / (lengths[site] or 1.0)
    cosines = {}
    for site, update in updates.items():
        own = [step / (lengths[site] or 1.0) for step in steps_of(sent, update.adapter)]
        others = [part - step for part, step in zip(total, own, strict=True)]
        length = math.sqrt(sum(float(np.square(part).sum()) for part in others))
        along = sum(float((step * part).sum()) for step, part in zip(own, others, strict=True))
        cosines[site] = along / length if length and lengths[site] else 1.0
    return cosines
