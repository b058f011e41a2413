"""Those it is written for can read and understand it, as staff at the site judged it."""

from __future__ import annotations

from kommunbench.metrics.ratings import Rated, measures_of


class RatedPlain(Rated):
    """The criterion `plain`."""

    name = "rated_plain"
    criterion = "plain"
    measures = measures_of("plain")


METRIC = RatedPlain()
