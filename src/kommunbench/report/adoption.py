"""'Should we adopt this model?' for one municipality: its own numbers, alone against together, and what it costs.

The advice is a rule, and stated: the difference at the site itself by its paired test after Holm; an untrained
system that is at least as good there stands in the way of a yes. The last line is what a new site like the others would
see, for a site without numbers of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.report.rows import Leaderboard, PairRow, Report, Row, SiteRow
from kommunbench.report.tables import SITES_SHOWN, Table, primary_label, task_of, without_empty
from kommunbench.report.wording import NOTHING, Language, count, interval, number, pick, say


def adoption_text(language: Language) -> str:
    """How to read the tables."""
    return say(
        language,
        "Rådet gäller varje organisation för sig, på huvudmåttet: ”ja” när det är statistiskt säkerställt att modellen "
        "efter gemensam träning är bättre där än före (parat test, Holm) och inget system som inte tränats är minst "
        "lika bra där. Rådet säger inget om juridik, arbetsmiljö eller vad utrustningen kostar.",
        "The advice is for each site by itself, on the primary measure: 'yes' where the model after training together "
        "is surely better there than before (paired test, Holm) and no untrained system is at least as good there. It "
        "says nothing of law, working conditions or the price of hardware.",
    )


def adoption_tables(report: Report, language: Language, site: str = "") -> Iterator[Table]:
    """A table a task with what was trained together, a line a site; or one site's alone."""
    for pair in _gains(report):
        task = task_of(report, pair.left.task)
        sites = [one for one in report.roster if not site or one.name == site][:SITES_SHOWN]
        rows = [_line(report, pair, one, language) for one in sites]
        ends = interval(pair.low_one_new_site, pair.high_one_new_site, pair.unit, language, sign=True)
        new = say(language, "en ny organisation som dessa", "a new site like these")
        rows.append((new, *[NOTHING] * 4, ends, NOTHING, NOTHING))
        header = say(
            language,
            "Organisation|Före|Tränad ensam|Tränad gemensamt|Skillnad mot före|95 %|Bästa otränade|Råd",
            "Site|Before|Trained alone|Trained together|Against before|95 %|Best untrained|Advice",
        )
        caption = f"{pick(language, task.title)}: {primary_label(task)}, {pair.left.model}"
        yield without_empty(Table(caption, tuple(header.split("|")), tuple(rows), "lrrrrrll"))


def site_cost_table(site: SiteRow, language: Language) -> Table:
    """What the run took of one site."""
    lines = (
        (
            say(language, "Sekunder, från fråga till svar", "Seconds, from request to reply"),
            count(round(site.seconds), language),
        ),
        (say(language, "Bedömda svar", "Answers scored"), _answers(site, language)),
        (say(language, "Hämtat, kB", "Received, kB"), count(site.bytes_in // 1000, language)),
        (say(language, "Skickat, kB", "Sent, kB"), count(site.bytes_out // 1000, language)),
        (say(language, "Energi", "Energy"), say(language, "uppges bara för alla", "told of all sites alone")),
    )
    header = (say(language, "Vad", "What"), say(language, "Hur mycket", "How much"))
    return Table(say(language, "Vad det kostade er", "What it took of you"), header, lines, "lr")


def _answers(site: SiteRow, language: Language) -> str:
    """How many; a site that held something back does not say, and that is no 0."""
    if not site.examples and any(absence.outcome == "suppressed" for absence in site.absences):
        return say(language, "uppges inte: något hölls inne", "not told: something was held back")
    return count(site.examples, language)


def advice(report: Report, pooled: PairRow, site: str, language: Language) -> str:
    """Yes, no or not sure for one site and task, with the reason."""
    pair = next((one for one in report.pairs if _same(one, pooled) and one.left.site_group == f"site/{site}"), None)
    if pair is None or pair.difference is None:
        return say(language, "inget eget tal", "no number of its own")
    if pair.better == "right":
        return say(language, "nej: säkerställt sämre här", "no: surely worse here")
    best, own = _best_untrained(report, pooled, site), _at(report, pooled, site, pooled.left.stage)
    if best is not None and own is not None and not _better(own, best):
        return say(language, f"nej: {best.model} är minst lika bra här", f"no: {best.model} is at least as good here")
    if pair.better == "left":
        return say(language, "ja: säkerställt bättre här", "yes: surely better here")
    if pooled.better == "left":
        return say(language, "osäkert här; bättre över alla", "not sure here; better over all")
    return say(language, "osäkert", "not sure")


def _line(report: Report, pooled: PairRow, site: SiteRow, language: Language) -> tuple[str, ...]:
    pair = next(
        (one for one in report.pairs if _same(one, pooled) and one.left.site_group == f"site/{site.name}"), None
    )
    best = _best_untrained(report, pooled, site.name)
    cells = [_value(_at(report, pooled, site.name, stage), language) for stage in ("base", "local", "federated")]
    return (
        site.title,
        *cells,
        number(pair.difference, pair.unit, language, sign=True) if pair else NOTHING,
        interval(pair.low, pair.high, pair.unit, language, sign=True) if pair else NOTHING,
        f"{_value(best, language)} {best.model}" if best else NOTHING,
        advice(report, pooled, site.name, language),
    )


def _gains(report: Report) -> list[PairRow]:
    """The first declared gain, over all sites, of each task that anyone has answered.

    Pairs are declared before a run, so one that was interrupted early has them without a number to advise from.
    """
    found: dict[str, PairRow] = {}
    answered = {board.task for board in report.leaderboards}
    for pair in report.pairs:
        trained = (pair.left.stage, pair.right.stage) == ("federated", "base") and pair.left.model == pair.right.model
        pooled = pair.left.task in answered and pair.left.site_group == "all"
        if trained and pooled and pair.primary and pair.left.prompt == pair.right.prompt:
            found.setdefault(pair.left.task, pair)
    return list(found.values())


def _same(one: PairRow, other: PairRow) -> bool:
    """The same two systems on the same measure, at whatever sites."""
    return all(
        mine.key[:5] == theirs.key[:5] and mine.key[6:] == theirs.key[6:]
        for mine, theirs in ((one.left, other.left), (one.right, other.right))
    )


def _at(report: Report, pooled: PairRow, site: str, stage: str) -> Row | None:
    """The trained model's row at a site, in one stage; of several rounds the last."""
    mine = [
        row
        for row in report.rows
        if (row.task, row.metric, row.model, row.prompt) == pooled.left.key[:4]
        and row.stage == stage and row.site_group == f"site/{site}"
        and row.seed in (pooled.left.seed, pooled.right.seed)
    ]  # fmt: skip
    return max(mine, key=lambda row: row.round, default=None)


def _best_untrained(report: Report, pooled: PairRow, site: str) -> Row | None:
    """The best at a site of the systems that nobody has to train."""
    board: Leaderboard = next(one for one in report.leaderboards if one.task == pooled.left.task)
    keys = [one.row for one in board.standings if one.row.model not in report.trained]
    rows = [report.row(key.model_copy(update={"site_group": f"site/{site}"})) for key in keys]
    known = [row for row in rows if row is not None and row.value is not None]
    return next((row for row in known if not any(_better(other, row) for other in known)), None)


def _better(one: Row, other: Row) -> bool:
    sign = -1 if one.direction == "lower" else 1
    return sign * (one.value or 0.0) > sign * (other.value or 0.0)


def _value(row: Row | None, language: Language) -> str:
    return NOTHING if row is None else number(row.value, row.unit, language)
