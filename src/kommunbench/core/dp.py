"""Differential privacy as a run may ask for it: typed scalars, checked against each site's own budget.

The unit of protection is one example (one row of one task's file). `epsilon` bounds how much more likely any output can
become by that example's being there, except with probability `delta` (Dwork and Roth 2014, definition 2.4).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_EPSILON = 1000.0


class DpSettings(BaseModel):
    """One run's differential privacy; conf/dp/<name>.yaml. Everything at its default is a run without any.

    Training is DP-SGD with Poisson sampling; each example's gradient is clipped to `train.clip_norm`. Either `epsilon`
    is given and each site works out its noise, or `noise_multiplier` and each site's accountant says what it spent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    name: str = Field("none", pattern=r"^[a-z][a-z0-9_]*$")
    epsilon: float = Field(0, ge=0, le=MOST_EPSILON, description="of all training of the run at a site; 0: no target")
    noise_multiplier: float = Field(
        0, ge=0, le=1000, description="standard deviation of the noise on a batch's summed gradients, in clip norms"
    )
    delta: float = Field(1e-5, gt=0, le=1e-3, description="of a run's training, and again of its tallies")
    tallies: Literal["exact", "gaussian", "laplace"] = Field("exact", description="noise on every sum that leaves")
    tally_epsilon: float = Field(
        0, ge=0, le=MOST_EPSILON, description="of all tallies of the run on one task, at a site"
    )
    site_noise_multiplier: float = Field(
        0, ge=0, le=1000, description="standard deviation of the coordinator's noise on a mean update, in units of "
        "site_clip_norm / sites; 0: none",
    )  # fmt: skip
    site_clip_norm: float = Field(1.0, gt=0, le=1e6, description="each site's update is cut to this length first")
    tally_shares: int = Field(1, ge=1, description="tallies that it is divided by; counted when the run is composed")

    @model_validator(mode="after")
    def _one_way(self) -> DpSettings:
        if self.epsilon and self.noise_multiplier:
            raise ValueError("give epsilon or noise_multiplier: each follows from the other")
        if (self.tallies == "exact") is (self.tally_epsilon > 0):
            raise ValueError("tallies with noise have a tally_epsilon above 0, and exact ones have none")
        return self

    @property
    def noisy(self) -> bool:
        """Whether sums leave with noise alone."""
        return self.tallies != "exact"

    @property
    def hides_sites(self) -> bool:
        """Whether the coordinator cuts and noises updates, so that no single site's training shows in the adapter."""
        return self.site_noise_multiplier > 0

    @property
    def trains(self) -> bool:
        """Whether training is differentially private."""
        return bool(self.epsilon or self.noise_multiplier)


class PrivateSteps(BaseModel):
    """What one round of DP-SGD at a site spends.

    Args:
        noise_multiplier: standard deviation of the noise in clip norms.
        sample_rate: each example's chance to be in a batch, 0..1.
        steps: batches.
        epsilon: of all the run's training at the site so far, these steps included, at `delta`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    noise_multiplier: float = Field(gt=0)
    sample_rate: float = Field(gt=0, le=1)
    steps: int = Field(ge=1)
    epsilon: float = Field(gt=0, allow_inf_nan=False)
    delta: float = Field(gt=0, lt=1)
