"""The shape of report.json: what a report says, field by field. Fields are only ever added.

What is not available is null, and a reason stands beside it: nothing that was held back ever looks like 0.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from kommunbench.core.metric import Direction
from kommunbench.core.spec import Stage
from kommunbench.core.task import Bilingual

SCHEMA_VERSION = 1
SiteStatus = Literal["ok", "partly", "suppressed", "refused", "missing", "failed"]
Key = tuple[str, str, str, str, str, str, int, int]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RowKey(_Frozen):
    """What one number is about."""

    task: str
    metric: str = Field(description="name of the measure, such as rougeL")
    model: str
    prompt: str
    stage: Stage
    site_group: str = Field(
        description="all, trained, unseen, municipality, region, other, own, others, or site/<name>"
    )
    round: int = Field(ge=0)
    seed: int

    @property
    def key(self) -> Key:
        """The same as a tuple, to look rows up by."""
        return (
            self.task,
            self.metric,
            self.model,
            self.prompt,
            self.stage,
            self.site_group,
            self.round,
            self.seed,
        )


class Row(RowKey):
    """One measure of one system, pooled over one group of sites."""

    value: float | None = Field(description="from the summed tallies, in the measure's unit")
    unit: str = Field(description="share (0..1), or what it says")
    direction: Direction
    primary: bool = Field(description="this measure ranks systems on the task")
    low: float | None = Field(description="95 % interval for these sites, lower end")
    high: float | None
    low_new_site: float | None = Field(description="95 % interval for the mean of sites like these, lower end")
    high_new_site: float | None
    low_one_new_site: float | None = Field(
        None, description="95 % interval for what one new site would measure, lower end"
    )
    high_one_new_site: float | None = None
    n: int = Field(ge=0, description="examples scored")
    unscored: int = Field(ge=0, description="examples whose score is undefined: a reference or a fact is lacking")
    suppressed: int | None = Field(ge=0, description="sites whose number was held back for having few examples")
    sites: int = Field(ge=0, description="sites in the value")
    refused: int | None = Field(ge=0, description="sites whose policy or approval says no")
    missing: int | None = Field(ge=0, description="sites that gave no answer or have no data")
    failed: int | None = Field(ge=0, description="sites where something broke")
    unavailable: int | None = Field(0, ge=0, description="sites without a model that gives what the metric needs")
    withheld: int | None = Field(
        None, ge=0, description="with masked sums, in place of the four before it: sites that are not in the value"
    )
    worst_site: str | None
    worst_value: float | None
    best_site: str | None
    best_value: float | None
    gap: float | None = Field(description="best site less worst, without sign")
    influential_site: str | None = Field(None, description="the site that moves the value most by being left out")
    value_without: float | None = Field(None, description="the value without that site")
    i2: float | None = Field(description="share of the spread between sites that is not chance, 0..1")
    tau2: float | None = Field(description="variance between sites, in the unit's square")
    interval: Literal["wilson", "delta", "noisy"] | None = Field(description="how low and high were made")
    interval_new_site: Literal["hksj"] | None
    noise: float | None = Field(None, description="standard deviation that added noise gives the value; null: none")
    reason: str | None = Field(description="why value is null")
    interval_reason: str | None = Field(description="why low and high are null")
    new_site_reason: str | None = Field(description="why low_new_site and high_new_site are null")


class PairRow(_Frozen):
    """Two systems compared over the sites that released both: left less right."""

    left: RowKey
    right: RowKey
    right_run: str | None = Field(None, description="the earlier run that `right` is a system of; null: of this run")
    difference: float | None = Field(description="value of left less value of right")
    low: float | None
    high: float | None
    low_new_site: float | None
    high_new_site: float | None
    low_one_new_site: float | None = Field(None, description="95 % interval for the difference at one new site")
    high_one_new_site: float | None = None
    influential_site: str | None = Field(None, description="the site that moves the difference most by being left out")
    difference_without: float | None = Field(None, description="the difference without that site")
    detectable: float | None = Field(
        None, description="smallest true difference to show with 80 % power, two-sided 5 %"
    )
    n_needed: int | None = Field(None, description="examples for a difference of this size to show so")
    p: float | None = Field(ge=0, le=1, description="two-sided, against no difference")
    p_holm: float | None = Field(ge=0, le=1, description="p by Holm over its family: group, seed, primary or not")
    n: int = Field(ge=0, description="examples compared")
    paired: bool = Field(description="the same examples were compared one by one")
    sites: int = Field(ge=0)
    primary: bool
    unit: str
    direction: Direction
    better: Literal["left", "right", "tie"] | None = Field(description="by p_holm below .05; tie otherwise")
    reason: str | None


class Absence(_Frozen):
    """Something that a site did not give, and why."""

    about: Literal["reply", "training", "task"] = Field(description="a whole reply, its adapter, or a task's numbers")
    task: str | None = Field(description="which task, where it is about one")
    outcome: str
    code: str
    sv: str
    en: str
    moments: tuple[str, ...]
    metrics: tuple[str, ...]


class SiteRow(_Frozen):
    """One invited site: what came of it and what it cost."""

    name: str
    title: str
    kind: str
    trains: bool
    status: SiteStatus
    absences: tuple[Absence, ...]
    seconds: float
    examples: int
    bytes_in: int
    bytes_out: int
    rounding: int = Field(1, description="its counts are multiples of this, other sums as coarse; 1: as they are")
    epsilon: float | None = Field(
        None, description="of its private training, by its own accountant, rounded up to hundredths"
    )


class DpRow(_Frozen):
    """The run's differential privacy: what was asked for, and what it came to for one example."""

    name: str
    training_epsilon: float | None = Field(description="largest of the sites' own accountants; null: not private")
    training_target: float | None = Field(description="what the run asked for at most")
    noise_multiplier: float | None = Field(description="where the run gave it; else each site worked out its own")
    clip_norm: float | None = Field(description="of one example's gradient")
    delta: float
    tallies: Literal["exact", "gaussian", "laplace"] = "exact"
    tally_epsilon: float | None = Field(None, description="of all noised tallies of the run on one task, at a site")
    site_epsilon: float | None = Field(None, description="of one site's part in all rounds; null: sites are not hidden")
    site_noise_multiplier: float | None = Field(None, description="of the noise on mean updates, by clip norm / sites")
    site_clip_norm: float | None = Field(None, description="of one site's update")


class CostRow(_Frozen):
    """What the run took, all sites together."""

    replies: int
    seconds: float = Field(description="from request to reply, added over replies; sites work at the same time")
    evaluate_seconds: float
    train_seconds: float
    examples: int
    prompt_tokens: int
    new_tokens: int
    train_examples: int
    train_steps: int
    train_tokens: int
    reused: int = Field(0, description="examples whose tallies were kept from before: not in the figures above")
    energy_j: int | None = Field(None, description="joules of the sites' machines meanwhile; null: no machine tells")
    untold: int = Field(
        0, description="masked sums without a cost, since too few sites gave it: not in the figures above"
    )
    seconds_an_example: float | None = Field(None, description="evaluating, over examples")
    prompt_tokens_an_example: float | None = None
    new_tokens_an_example: float | None = None
    bytes_in: int = Field(description="requests, as encoded")
    bytes_out: int = Field(description="replies, as encoded")


class MomentRow(_Frozen):
    """What one message to every site took, all replies together."""

    moment: str
    replies: int
    evaluate_seconds: float
    train_seconds: float
    examples: int
    bytes_in: int
    bytes_out: int
    energy_j: int | None = Field(None, description="joules of the sites' machines; null: not every site tells")


class TaskRow(_Frozen):
    """A task of the run."""

    name: str
    version: int
    title: Bilingual
    primary: str
    direction: Direction
    digest: str
    changed: bool = Field(description="the task's file is no longer the one that was run")


class Standing(_Frozen):
    """A system's place on one task."""

    rank: int = Field(ge=1)
    tie_group: int | None = Field(description="systems with the same number cannot be told apart; null: not tested")
    row: RowKey


class Leaderboard(_Frozen):
    """Systems on one task by the primary measure, best first, each at its last round."""

    task: str
    metric: str
    seed: int
    standings: tuple[Standing, ...]


class ScorecardPart(_Frozen):
    """A measure that counts in a scorecard."""

    task: str
    metric: str
    weight: float = Field(gt=0, le=1, description="its share of the whole")
    worst: float | None = Field(description="the value that counts as 0; null where nobody says")
    best: float | None = Field(description="the value that counts as 1")


class ScorecardStanding(_Frozen):
    """A system's place under a scorecard."""

    rank: int | None = Field(ge=1)
    model: str
    prompt: str
    stage: Stage
    round: int = Field(ge=0)
    seed: int
    score: float | None = Field(ge=0, le=1, description="weighted mean of the parts, each from 0 (worst) to 1 (best)")
    wins: float | None = Field(ge=0, le=1, description="share of all other weightings of the same parts that it leads")
    reason: str | None = Field(description="why score is null")


class ScorecardRow(_Frozen):
    """Systems by somebody's own weights. Its scores have no intervals: the rows that they are made of have."""

    name: str
    title: Bilingual
    seed: int
    parts: tuple[ScorecardPart, ...]
    standings: tuple[ScorecardStanding, ...]
    changes: bool | None = Field(description="another system leads than under the first scorecard; null: not sure who")


class Report(_Frozen):
    """Everything that a run has to say."""

    schema_version: int = SCHEMA_VERSION
    run: str
    kommunbench: str
    federation: str
    synthetic: bool
    note: Bilingual | None = Field(description="said in every output of a synthetic federation")
    privacy: str
    dp: DpRow | None = Field(None, description="null: nothing in the run was differentially private")
    engine: str
    strategy: str
    seed: int
    started_at: str
    command: str
    git: str
    spec_digest: str
    complete: bool = Field(description="the closing message was answered; otherwise intervals are missing")
    tasks: tuple[TaskRow, ...]
    about: dict[str, Bilingual] = Field(default_factory=dict, description="what a model is, in words, by its name")
    leaderboards: tuple[Leaderboard, ...]
    scorecards: tuple[ScorecardRow, ...] = ()
    rows: tuple[Row, ...]
    pairs: tuple[PairRow, ...]
    earlier: tuple[PairRow, ...] = Field((), description="systems of this run against those of earlier runs")
    validation: tuple[Row, ...] = Field(description="the same for validation splits: for choosing, never for claims")
    roster: tuple[SiteRow, ...]
    cost: CostRow
    spent: tuple[MomentRow, ...] = Field((), description="the cost moment by moment")

    @cached_property
    def by_key(self) -> dict[Key, Row]:
        """Rows of test splits by `RowKey.key`."""
        return {row.key: row for row in self.rows}

    @cached_property
    def trained(self) -> frozenset[str]:
        """Models that the run trained."""
        return frozenset(row.model for row in self.rows if row.stage != "base")

    @cached_property
    def prompts(self) -> frozenset[str]:
        """Ways of asking."""
        return frozenset(row.prompt for row in self.rows)

    @cached_property
    def seeds(self) -> frozenset[int]:
        """Seeds of training."""
        return frozenset(row.seed for row in self.rows if row.stage != "base")

    def row(self, key: RowKey) -> Row | None:
        """The row of that key, if there is one."""
        return self.by_key.get(key.key)


def row_key(row: RowKey) -> RowKey:
    """A row's key alone."""
    return RowKey(**{name: getattr(row, name) for name in RowKey.model_fields})
