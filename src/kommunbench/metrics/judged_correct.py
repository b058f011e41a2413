"""The answer agrees with its source and with the facts, as the site's judge has it."""

from __future__ import annotations

from kommunbench.metrics.judgements import Judged, measures_of


class JudgedCorrect(Judged):
    """The criterion `correct`."""

    name = "judged_correct"
    criterion = "correct"
    measures = measures_of("correct")


METRIC = JudgedCorrect()
