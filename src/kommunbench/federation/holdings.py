"""Asking sites what of a run they hold, before anything is measured: one message, answered in codes.

A site's receipt for the answer has a digest of its data's registrations, which it keys itself: the same as a receipt of
another run has it where the same tasks' text has not changed since.
"""

from __future__ import annotations

from kommunbench.core.spec import Request
from kommunbench.federation.rounds import Rounds

MOMENT = "holdings"


def ask_holdings(rounds: Rounds) -> None:
    """Ask every site of the roster that is online now, and write what it says into the run's folder."""
    rounds.exchange(MOMENT, Request(spec=rounds.spec, action="holdings"), {})
