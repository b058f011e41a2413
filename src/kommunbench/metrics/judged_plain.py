"""Those whom the answer is for can read it, as the site's judge has it."""

from __future__ import annotations

from kommunbench.metrics.judgements import Judged, measures_of


class JudgedPlain(Judged):
    """The criterion `plain`."""

    name = "judged_plain"
    criterion = "plain"
    measures = measures_of("plain")


METRIC = JudgedPlain()
