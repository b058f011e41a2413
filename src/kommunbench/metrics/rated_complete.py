"""Everything that matters is in the answer, as staff at the site judged it."""

from __future__ import annotations

from kommunbench.metrics.ratings import Rated, measures_of


class RatedComplete(Rated):
    """The criterion `complete`."""

    name = "rated_complete"
    criterion = "complete"
    measures = measures_of("complete")


METRIC = RatedComplete()
