"""What counts as better: weights by task and measure, in a run's scorecards and in a site's own site.yaml."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from kommunbench.core.metric import Direction

EVERY_TASK, PRIMARY = "*", "primary"
"""A line for every task that has none of its own; a task's own primary measure."""


class Weight(BaseModel):
    """How much a measure counts, and for what is no share the values that count as 0 and as 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    weight: float = Field(gt=0, allow_inf_nan=False)
    worst: float | None = Field(None, allow_inf_nan=False)
    best: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _of_a_number(cls, value: Any) -> Any:
        return {"weight": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _both_ends(self) -> Weight:
        if (self.worst is None) != (self.best is None) or (self.worst is not None and self.worst == self.best):
            raise ValueError("`worst` and `best` are stated together, and differ")
        return self

    def scale(self, unit: str, direction: Direction) -> tuple[float, float] | None:
        """(worst, best): as stated, or by its direction where it is a share; None where neither says."""
        if self.worst is not None and self.best is not None:
            return self.worst, self.best
        if unit != "share" or direction == "none":
            return None
        return (0.0, 1.0) if direction == "higher" else (1.0, 0.0)


def _some(weights: dict[str, dict[str, Weight]]) -> dict[str, dict[str, Weight]]:
    if not all(weights.values()):
        raise ValueError("a task that is named has a weight")
    return weights


Weights = Annotated[dict[str, dict[str, Weight]], AfterValidator(_some)]
"""By task (`*`: every other one) and measure (`primary`: the task's own)."""
