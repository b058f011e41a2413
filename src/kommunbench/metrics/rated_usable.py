"""Staff could use the answer as it stands, as staff at the site judged it."""

from __future__ import annotations

from kommunbench.metrics.ratings import Rated, measures_of


class RatedUsable(Rated):
    """The criterion `usable`."""

    name = "rated_usable"
    criterion = "usable"
    measures = measures_of("usable")


METRIC = RatedUsable()
