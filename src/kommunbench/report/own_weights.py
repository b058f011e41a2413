"""Who leads at one site, by the run's scorecards and by the site's own weights, on the site's own numbers.

What is best is the site's to say: its weights stand in its site.yaml, are read when it looks at a report, and are never
sent. The first card is the run's first, and the others are held against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kommunbench.core.errors import ConfigError
from kommunbench.core.task import Bilingual, Task
from kommunbench.core.weights import EVERY_TASK, PRIMARY, Weights
from kommunbench.report.rows import Report, ScorecardRow
from kommunbench.report.scorecard import Scorecard, scorecards
from kommunbench.report.scorecard_check import check_scorecards
from kommunbench.report.scorecard_tables import scorecard_table, scorecard_text
from kommunbench.report.tables import Table
from kommunbench.report.wording import Language, say

OWN = Bilingual(sv="Era egna vikter", en="Your own weights")
ALIKE = Scorecard(
    name="primary",
    title=Bilingual(sv="Alla uppgifter lika", en="All tasks alike"),
    weights={EVERY_TASK: {PRIMARY: {"weight": 1}}},
)
"""What others are held against in a run without scorecards."""


@dataclass(frozen=True, slots=True)
class SiteCards:
    """A site's cards: on its own numbers, and the own weights on everybody's."""

    here: tuple[ScorecardRow, ...]
    everywhere: tuple[ScorecardRow, ...]


def site_cards(report: Report, cards: Sequence[Scorecard], site: str, weights: Weights) -> SiteCards:
    """The leaderboard under each card at `site`; the site's own weights come last.

    Args:
        cards: the run's own.
        weights: the site's; empty where it states none. Tasks that the run lacks do not count.
    """
    stated = tuple(cards) or (ALIKE,)
    own = (Scorecard(name="own", title=OWN, weights=weights),) if weights else ()
    return SiteCards(
        scorecards((*stated, *own), report.tasks, report.rows, f"site/{site}"),
        scorecards((stated[0], *own), report.tasks, report.rows) if own else (),
    )


def check_weights(weights: Weights, tasks: Mapping[str, Task], where: str) -> None:
    """Whether the weights fit the tasks of a run.

    Raises:
        ConfigError: every task or measure in `where` that is nowhere, and each measure that lacks its ends.
    """
    own = [Scorecard(name="own", title=OWN, weights=weights)] if weights else []
    ConfigError.raise_if(replace(fault, where=f"{where}: weights") for fault in check_scorecards(own, tasks))


def own_weights_text(cards: SiteCards, language: Language) -> Iterator[str]:
    """What the tables are, and how often the winner changes."""
    yield from scorecard_text(cards.here, language)
    if any(card.name == "own" for card in cards.here):
        yield say(
            language,
            "Era egna vikter står i er `site.yaml` och kan vara ändrade efter körningen; kortens är det inte.",
            "Your own weights are in your `site.yaml` and may have changed since the run; those of the cards have not.",
        )
    else:
        yield say(
            language,
            "Egna vikter skrivs i `site.yaml` under `weights` och läses med `--weights site.yaml`.",
            "Weights of your own are written in `site.yaml` under `weights` and read with `--weights site.yaml`.",
        )


def own_weights_tables(cards: SiteCards, report: Report, language: Language) -> Iterator[Table]:
    """A table a card, the site's own numbers first."""
    for card in cards.here:
        yield scorecard_table(card, report, language)
    for card in cards.everywhere:
        if card.name == "own":
            table = scorecard_table(card, report, language)
            over = say(language, "över alla organisationer", "over all sites")
            yield replace(table, caption=f"{table.caption}, {over}")
