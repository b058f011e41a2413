"""The answer can be used in the work as it is, as the site's judge has it."""

from __future__ import annotations

from kommunbench.metrics.judgements import Judged, measures_of


class JudgedUsable(Judged):
    """The criterion `usable`."""

    name = "judged_usable"
    criterion = "usable"
    measures = measures_of("usable")


METRIC = JudgedUsable()
