"""Scorecards as tables: who leads by whose weights, and how often that changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kommunbench.report.rows import Report, RowKey, ScorecardRow, ScorecardStanding
from kommunbench.report.tables import Table, task_of
from kommunbench.report.wording import NOTHING, Language, number, pick, say, system


def scorecard_text(cards: Sequence[ScorecardRow], language: Language) -> Iterator[str]:
    """What a scorecard is, and whether the winner depends on it; the first card is what the others are held against."""
    yield say(
        language,
        "Vad som är bäst beror på vad som räknas. Varje poängkort väger måtten på sitt sätt, bestämt före körningen. "
        "Poängen går från 0 till 1 och har inget eget intervall. **Andra vikter**: hur ofta systemet kommer först när "
        "samma mått vägs på alla andra sätt.",
        "What is best depends on what counts. Each scorecard weighs the measures its own way, stated before the run. "
        "Scores go from 0 to 1 and have no interval of their own. **Other weights**: how often the system comes first "
        "when the same measures are weighed in every other way.",
    )
    judged = [card for card in cards if card.changes is not None]
    if len(judged) > 1:
        others = len(judged) - len({card.seed for card in judged})
        changed = sum(bool(card.changes) for card in judged)
        yield say(
            language,
            f"Andra kort som har en annan etta än det första: {changed} av {others}.",
            f"Other cards that are led by another system than the first: {changed} of {others}.",
        )


def scorecard_table(card: ScorecardRow, report: Report, language: Language) -> Table:
    """Best first, with what the score is made of in the caption."""
    rows = tuple(
        (
            str(one.rank or NOTHING),
            system(_key(one), report, language),
            number(one.score, "share", language),
            number(one.wins, "share", language),
            _why(one, language),
        )
        for one in card.standings
    )
    weights: dict[str, list[str]] = {}
    for part in card.parts:
        weight = f"{part.metric} {number(part.weight, 'weight', language)}"
        weights.setdefault(pick(language, task_of(report, part.task).title), []).append(weight)
    parts = "; ".join(f"{title}: {', '.join(found)}" for title, found in weights.items())
    seeds = len({other.seed for other in report.scorecards}) > 1
    seed = say(language, f", frö {card.seed}", f", seed {card.seed}") if seeds else ""
    head = say(language, "Plats|System|Poäng ↑|Andra vikter|Saknas", "Place|System|Score ↑|Other weights|Lacking")
    strong = frozenset(index for index, one in enumerate(card.standings) if one.rank == 1)
    return Table(f"{pick(language, card.title)}{seed} ({parts})", tuple(head.split("|")), rows, "llrrl", strong)


def _key(one: ScorecardStanding) -> RowKey:
    return RowKey(
        task="", metric="", model=one.model, prompt=one.prompt, stage=one.stage, site_group="all", round=one.round,
        seed=one.seed,
    )  # fmt: skip


def _why(one: ScorecardStanding, language: Language) -> str:
    """The first thing that a system has no value for; many do some of the tasks alone."""
    if one.reason is None:
        return NOTHING
    return say(language, "har inte alla mått", one.reason)
