"""OVIX: how varied the words of a text are."""

from __future__ import annotations

import math
from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric

OVIX_SCALE = 10**9


class Ovix(Metric):
    """Mean word variation index of the answers: ln O / ln(2 - ln T / ln O), O words of which T different, lower-cased.

    Below 60 few different words, above 70 many. It is infinite where all words differ and undefined for fewer than two
    words: such answers are unscored. Different words cannot be added up over texts, so this is a mean of values, in
    units of 1e-9 an answer, rounded half to even.
    """

    name = "ovix"
    source = "Hultman, Westman 1977, Gymnasistsvenska"
    fields = (Field("ovix", high=10**9 * OVIX_SCALE, scale=OVIX_SCALE),)
    measures = (Measure("ovix", ("ovix",), unit="ovix", direction="none"),)

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """The answer's OVIX; None where it is infinite or undefined."""
        words = [word.lower() for word in swedish.words(prediction)]
        different = len(set(words))
        if different == len(words):
            return None
        variation = math.log(len(words)) / math.log(2 - math.log(different) / math.log(len(words)))
        return (round(variation * OVIX_SCALE),)


METRIC = Ovix()
