"""What differential privacy has cost this site, as its ledger tells it, and what it may still cost.

Within one run the accountant adds: each line of the ledger holds the run's epsilon so far, so the last one counts.
Between runs epsilons and deltas are added up (basic composition, Dwork and Roth 2014, theorem 3.16), over the runs that
have a line in the last 365 days. Nothing is kept beside the ledger, so a restart forgets nothing.

What is released without noise costs nothing here: it has no epsilon, and other rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kommunbench.core.dp import DpSettings, PrivateSteps
from kommunbench.core.spec import Code
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
        elsewhere: epsilon and delta of other runs in the 365 days before, added up.
    """

    steps: tuple[tuple[float, float, int], ...] = ()
    training: tuple[float, float] = (0.0, 0.0)
    elsewhere: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]], spec: str, now: datetime | None = None) -> Spent:
        """From a ledger's lines; `spec` is the digest of the run at hand, `now` a local time with its zone."""
        now = now or datetime.now().astimezone()
        steps: list[tuple[float, float, int]] = []
        training = (0.0, 0.0)
        others: dict[str, tuple[float, float]] = {}
        for entry in entries:
            line = entry.get("dp") or {}
            if not line:
                continue
            if entry["spec"] == spec:
                if line["steps"]:
                    noise_multiplier, sample_rate, count = line["steps"]
                    steps.append((float(noise_multiplier), float(sample_rate), int(count)))
                training = (max(training[0], line["training"][0]), max(training[1], line["training"][1]))
            elif now - datetime.fromisoformat(entry["time"]) < YEAR:
                before = others.get(entry["spec"], (0.0, 0.0))
                others[entry["spec"]] = (max(before[0], line["epsilon"]), max(before[1], line["delta"]))
        elsewhere = (sum(epsilon for epsilon, _ in others.values()), sum(delta for _, delta in others.values()))
        return cls(tuple(steps), training, elsewhere)

    @property
    def run(self) -> tuple[float, float]:
        """Epsilon and delta of the run at hand."""
        return self.training

    def with_training(self, steps: PrivateSteps) -> Spent:
        """What it comes to when the weights of `steps` leave too."""
        own = (steps.noise_multiplier, steps.sample_rate, steps.steps)
        return replace(self, steps=(*self.steps, own), training=(steps.epsilon, steps.delta))

    def code(self, policy: ReleasePolicy, dp: DpSettings) -> Code:
        """BUDGET_SPENT where that is more than the run itself asked for, or than the policy gives a run or a year."""
        epsilon, delta = self.run
        over = (
            (dp.epsilon > 0 and self.training[0] > dp.epsilon * SLACK)
            or epsilon > policy.epsilon_a_run * SLACK
            or epsilon + self.elsewhere[0] > policy.epsilon_a_year * SLACK
            or delta + self.elsewhere[1] > policy.delta_a_year * SLACK
        )
        return Code.BUDGET_SPENT if over and self.run > (0.0, 0.0) else Code.OK

    def line(self, steps: PrivateSteps | None) -> dict[str, Any]:
        """What the ledger's line says of a release by which `steps` (or none) leave; this Spent includes them."""
        epsilon, delta = self.run
        if not epsilon:
            return {}
        return {
            "steps": [steps.noise_multiplier, steps.sample_rate, steps.steps] if steps else [],
            "training": list(self.training),
            "epsilon": epsilon,
            "delta": delta,
        }
