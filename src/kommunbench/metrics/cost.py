"""What it took to answer: tokens read and written, seconds and, where the machine tells it, energy, an answer."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import override

from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric

MOST_TOKENS = 10**7
MOST_US = 10**11
"""Microseconds: over a day for one answer is no measurement."""
MOST_MJ = 10**11
"""Millijoules: some 28 kWh."""


class Cost(Metric):
    """Sums of what the site counted and measured while the model answered; scoring the answers is not in them.

    Answers are made many at once, so time and energy of all are dealt out evenly: their means are what is meant. They
    depend on the machine, and two runs differ in them. An answer that was taken over from before has what it took then.
    """

    name = "cost"
    source = "tokens by the model's own tokenizer; a monotonic clock; Linux's power capping counters (RAPL)"
    needs = "cost"
    fields = (
        Field("tokens_read", high=MOST_TOKENS),
        Field("tokens_written", high=MOST_TOKENS),
        Field("seconds", high=MOST_US, scale=10**6),
        Field("joules", high=MOST_MJ, scale=10**3),
        Field("metered", high=1),
    )
    measures = (
        Measure("cost_tokens_read", ("tokens_read",), unit="tokens", direction="none"),
        Measure("cost_tokens_written", ("tokens_written",), unit="tokens", direction="none"),
        Measure("cost_seconds", ("seconds",), unit="seconds", direction="lower"),
        Measure("cost_joules", ("joules",), ("metered",), unit="J", direction="lower"),
    )

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Tokens read and written, microseconds, millijoules and whether those are known."""
        cost = example.facts.get("cost")
        if cost is None:
            return None
        read, written, microseconds, millijoules = cost
        return read, written, microseconds, millijoules or 0, int(millijoules is not None)


METRIC = Cost()
