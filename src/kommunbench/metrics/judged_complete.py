"""Everything that is needed is in the answer, as the site's judge has it."""

from __future__ import annotations

from kommunbench.metrics.judgements import Judged, measures_of


class JudgedComplete(Judged):
    """The criterion `complete`."""

    name = "judged_complete"
    criterion = "complete"
    measures = measures_of("complete")


METRIC = JudgedComplete()
