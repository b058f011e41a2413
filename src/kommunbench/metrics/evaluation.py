"""Every metric as a Hugging Face `evaluate` module: `as_evaluate("rouge").compute(predictions=..., references=...)`.

In memory only: nothing is written to any cache, and no error quotes a text. `evaluate` is imported on first use, for it
takes seconds.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.example import Example
from kommunbench.core.metric import Metric, add
from kommunbench.core.registry import find


def as_evaluate(name: str, *, sources: bool = False, facts: bool = False) -> Any:
    """A metric as an `evaluate.Metric`, a direct subclass that keeps everything in memory.

    `compute` takes `predictions` (texts) and `references` (a text or a list of texts each), with `sources` also
    `sources` (a text each, what the answer builds on) and with `facts` also `facts` (a JSON object each). It returns
    the metric's measures with `n` and `unscored`; a measure that is not defined is None.

    Args:
        name: a registered metric, such as `chrf`.
        sources: the metric compares with the source (`sari`, `copied`, `grounding`, `kept`, `compression`).
        facts: the metric reads structured facts (`citation` may).

    Raises:
        ConfigError: no such metric.
    """
    columns = [column for column, asked in (("sources", sources), ("facts", facts)) if asked]
    return _module()(find("metrics", name), columns)


@cache
def _module() -> Any:
    import datasets
    import evaluate

    class KommunbenchMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
        """A kommunbench metric behind evaluate's interface."""

        def __init__(self, metric: Metric, columns: list[str]) -> None:
            self.metric, self.columns = metric, columns
            super().__init__(config_name=metric.name, keep_in_memory=True)

        def _build_data_dir(self) -> str:
            return ""  # evaluate's own makes a folder in the user's cache, though nothing is ever put there

        def _info(self) -> Any:
            text = datasets.Value("string")
            shared = {"predictions": text} | dict.fromkeys(self.columns, text)
            return evaluate.MetricInfo(
                description=self.metric.__doc__ or "",
                citation=self.metric.source,
                inputs_description="predictions: texts; references: a text or a list of texts each",
                features=[
                    datasets.Features(shared | {"references": references})
                    for references in (datasets.Sequence(text), text)
                ],
            )

        def add_batch(self, *, predictions: Any = None, references: Any = None, **columns: Any) -> None:
            """Add answers and what they are held against."""
            try:
                evaluate.Metric.add_batch(self, predictions=predictions, references=references, **columns)
            except (ValueError, TypeError):  # its message quotes the texts
                raise _mismatch() from None

        def add(self, *, prediction: Any = None, reference: Any = None, **columns: Any) -> None:
            """Add one answer and what it is held against."""
            try:
                evaluate.Metric.add(self, prediction=prediction, reference=reference, **columns)
            except (ValueError, TypeError):
                raise _mismatch() from None

        def _compute(self, predictions: list[str], references: list[Any], **columns: list[str]) -> dict[str, Any]:
            total = self.metric.zero
            for place, (prediction, given) in enumerate(zip(predictions, references, strict=True)):
                row = {column: values[place] for column, values in columns.items()}
                example = Example(
                    id=str(place),
                    inputs={"input": row.get("sources", "")},
                    references=(given,) if isinstance(given, str) else tuple(given),
                    facts=json.loads(row.get("facts", "{}")),
                )
                total = add(total, self.metric.score(prediction, example))
            values = {measure.name: self.metric.value(total, measure) for measure in self.metric.measures}
            return {**values, "n": total[0], "unscored": total[1]}

    return KommunbenchMetric


def _mismatch() -> DataError:
    return DataError(
        Fault(
            "predictions, references and what else the metric reads must be texts, as many of each",
            do="give a list of texts each; references may be a list of lists",
        )
    )
