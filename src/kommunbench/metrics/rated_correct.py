"""The answer agrees with its source and with the facts, as staff at the site judged it."""

from __future__ import annotations

from kommunbench.metrics.ratings import Rated, measures_of


class RatedCorrect(Rated):
    """The criterion `correct`."""

    name = "rated_correct"
    criterion = "correct"
    measures = measures_of("correct")


METRIC = RatedCorrect()
