"""What differential privacy has cost this site, as its ledger tells it, and what it may still cost.

Within one run the accountant adds: each line of the ledger holds the run's epsilon so far, so the last one counts.
Between runs epsilons and deltas are added up (basic composition, Dwork and Roth 2014, theorem 3.16), over the runs that
have a line in the last 365 days. Nothing is kept beside the ledger, so a restart forgets nothing.

What is released without noise costs nothing here: it has no epsilon, and other rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from kommunbench.core.answer import Code
from kommunbench.core.dp import DpSettings, PrivateSteps
from kommunbench.core.spec import Cell, Request
from kommunbench.release.noise import spent
from kommunbench.release.policy import ReleasePolicy

YEAR = timedelta(days=365)
SLACK = 1 + 1e-9
"""Sums of decimal fractions may be off in the last digit; a budget is not spent by that."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Epsilon and delta; `run` is what the run at hand has cost so far, `elsewhere` the other runs of the year.

    Args:
        steps: (noise multiplier, sample rate, steps) of every private training round of the run that was let out.
        training: epsilon and delta of them together.
        tallies: how many noised tallies of the run were let out, by task.
        elsewhere: epsilon and delta of other runs in the 365 days before, added up.
    """

    steps: tuple[tuple[float, float, int], ...] = ()
    training: tuple[float, float] = (0.0, 0.0)
    tallies: Mapping[str, int] = field(default_factory=dict)
    elsewhere: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]], spec: str, now: datetime | None = None) -> Spent:
        """From a ledger's lines; `spec` is the digest of the run at hand, `now` a local time with its zone."""
        now = now or datetime.now().astimezone()
        steps: list[tuple[float, float, int]] = []
        training = (0.0, 0.0)
        tallies: Counter[str] = Counter()
        others: dict[str, tuple[float, float]] = {}
        for entry in entries:
            line = entry.get("dp") or {}
            if not line:
                continue
            if entry["spec"] == spec:
                if line["steps"]:
                    noise_multiplier, sample_rate, count = line["steps"]
                    steps.append((float(noise_multiplier), float(sample_rate), int(count)))
                tallies.update(line["tallies"])
                training = (max(training[0], line["training"][0]), max(training[1], line["training"][1]))
            elif now - datetime.fromisoformat(entry["time"]) < YEAR:
                before = others.get(entry["spec"], (0.0, 0.0))
                others[entry["spec"]] = (max(before[0], line["epsilon"]), max(before[1], line["delta"]))
        elsewhere = (sum(epsilon for epsilon, _ in others.values()), sum(delta for _, delta in others.values()))
        return cls(tuple(steps), training, tallies, elsewhere)

    def run(self, dp: DpSettings) -> tuple[float, float]:
        """Epsilon and delta of the run at hand: its training's, and its tallies' on the task that has most of them.

        An example is in one task's file, so tasks do not add up; it may be trained on and tested on, so these do.
        """
        noise = spent(dp, max(self.tallies.values(), default=0)) if dp.noisy else (0.0, 0.0)
        return self.training[0] + noise[0], self.training[1] + noise[1]

    def with_training(self, steps: PrivateSteps) -> Spent:
        """What it comes to when the weights of `steps` leave too."""
        own = (steps.noise_multiplier, steps.sample_rate, steps.steps)
        return replace(self, steps=(*self.steps, own), training=(steps.epsilon, steps.delta))

    def with_tallies(self, more: Mapping[str, int]) -> Spent:
        """What it comes to when so many more noised tallies leave, by task."""
        return replace(self, tallies=Counter(self.tallies) + Counter(more))

    def code(self, policy: ReleasePolicy, dp: DpSettings) -> Code:
        """BUDGET_SPENT where that is more than the run itself asked for, or than the policy gives a run or a year."""
        epsilon, delta = self.run(dp)
        over = (
            (dp.epsilon > 0 and self.training[0] > dp.epsilon * SLACK)
            or (dp.noisy and epsilon - self.training[0] > dp.tally_epsilon * SLACK)
            or epsilon > policy.epsilon_a_run * SLACK
            or epsilon + self.elsewhere[0] > policy.epsilon_a_year * SLACK
            or delta + self.elsewhere[1] > policy.delta_a_year * SLACK
        )
        return Code.BUDGET_SPENT if over and epsilon > 0 else Code.OK

    def line(self, dp: DpSettings, steps: PrivateSteps | None, tallies: Mapping[str, int]) -> dict[str, Any]:
        """What the ledger says of a release with which `steps` (or none) and `tallies` leave; this includes them."""
        epsilon, delta = self.run(dp)
        if not epsilon:
            return {}
        return {
            "steps": [steps.noise_multiplier, steps.sample_rate, steps.steps] if steps else [],
            "tallies": dict(tallies),
            "training": list(self.training),
            "epsilon": epsilon,
            "delta": delta,
        }


def noised_tallies(request: Request, codes: Iterable[int]) -> Counter[str]:
    """How many noised tallies leave in a reply with these codes, by task; none where the run asks for exact ones."""
    counts: Counter[str] = Counter()
    if request.spec.dp.noisy:
        for slot, code in zip(request.slots(), codes, strict=True):
            if code == Code.OK and slot.metric is not None:
                counts[next(part.task for part in slot.key if isinstance(part, Cell))] += 1
    return counts
