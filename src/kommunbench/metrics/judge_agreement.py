"""Does the judge say what people say? Cohen's kappa with quadratic weights, from sums.

With p a person's number and j the judge's for the same answer, over n answers: the weighted table of what was said
adds up to sum (p - j)^2, and the one that chance would give to sum p^2 + sum j^2 - 2 (sum p)(sum j) / n. Kappa is 1
less the first over the second. So five sums say what a table of 25 cells would, and there are no small cells to hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric
from kommunbench.core.spec import CRITERIA
from kommunbench.metrics.judgements import judged_of
from kommunbench.metrics.ratings import BEST, GOOD, WORST, every_criterion

_PARTS = ("person", "judge", "person_square", "judge_square", "distance")
_HIGH = (BEST, BEST, BEST**2, BEST**2, (BEST - WORST) ** 2)
_LOW = (WORST, WORST, WORST**2, WORST**2, 0)
_GOOD = ("person_good", "judge_good")


class JudgeAgreement(Metric):
    """Only answers that both somebody and the judge have given a number by every criterion are scored.

    Of several raters the middle number counts, the lower of two. 1 is full agreement, 0 what chance would give; people
    themselves seldom have more than `agreement_*` says of them. Undefined where neither side varies.
    """

    name = "judge_agreement"
    source = "Cohen 1968, weighted kappa with quadratic weights, of the judge and the middle one of the site's raters"
    fields = tuple(
        Field(f"{criterion}_{part}", high=high, low=low)
        for criterion in CRITERIA
        for part, high, low in zip(_PARTS, _HIGH, _LOW, strict=True)
    ) + tuple(Field(f"{criterion}_{part}", high=1, support=True) for criterion in CRITERIA for part in _GOOD)
    measures = tuple(Measure(f"judge_kappa_{criterion}", unit="kappa") for criterion in CRITERIA)

    @override
    def tally(self, prediction: str, example: Example) -> tuple[int, ...] | None:
        """By criterion the sums for kappa; then, by criterion, whether each side gave at least 4."""
        rated, judged = every_criterion(example), [judged_of(example, criterion) for criterion in CRITERIA]
        if rated is None:
            return None
        sums, good = list[int](), list[int]()
        for person, judge in zip(map(median_low, rated), judged, strict=True):
            if judge is None:
                return None
            sums += [person, judge, person**2, judge**2, (person - judge) ** 2]
            good += [int(person >= GOOD), int(judge >= GOOD)]
        return (*sums, *good)

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """Kappa of the measure's criterion; None where nothing was given twice, or everything was given alike."""
        criterion, n = measure.name.removeprefix("judge_kappa_"), total[0]
        person, judge, *squares, distance = (self.part(total, [f"{criterion}_{part}"]) for part in _PARTS)
        by_chance = n * sum(squares) - 2 * person * judge
        return 1 - n * distance / by_chance if n and by_chance > 1e-9 * n * n else None


METRIC = JudgeAgreement()
