"""card.md: the run on one page for others to read, with what it does not say. In English: it is for publication.

Its headings follow what data sheets and model cards ask (Gebru et al. 2021, Mitchell et al. 2019): what it is for, what
was measured, on what, by whom, how surely, and what must not be concluded.
"""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.report.glossary import MEASURES
from kommunbench.report.rows import Report, Row
from kommunbench.report.tables import places, task_of
from kommunbench.report.wording import arrow, interval, number, system


def card(report: Report) -> str:
    """The whole card as Markdown."""
    return "\n\n".join(_parts(report)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    yield f"# Benchmark card: {report.run}"
    if report.note:
        yield f"> **{report.note.en}**"
    yield "## What it is for"
    yield (
        f"Comparing language models, and methods without one, on {len(report.tasks)} tasks of Swedish municipalities "
        f"and regions, across the {len(report.roster)} sites of the federation {report.federation}. It ranks systems "
        "on these tasks; it does not certify any of them for use."
    )
    yield "## What was measured"
    lines = ["| task | version | primary measure | what it says | digest |", "|---|---:|---|---|---|"]
    lines += [
        f"| {t.title.en} (`{t.name}`) | {t.version} | {t.primary} {arrow(t.direction)} | {_words(t.primary)} | "
        f"`{t.digest[:16]}` |"
        for t in report.tasks
    ]
    yield "\n".join(lines)
    yield "## Results"
    for board in report.leaderboards:
        yield f"### {task_of(report, board.task).title.en}" + (f", seed {board.seed}" if len(report.seeds) > 1 else "")
        yield _results(report, [report.by_key[one.row.key] for one in board.standings], places(board))
    if report.about:
        yield "\n".join(f"- **{name}**: {words.en}" for name, words in report.about.items())
    yield "## On what, and by whom"
    yield "\n".join(f"- {line}" for line in _sites(report))
    yield "## What must not be concluded"
    yield "\n".join(f"- {line}" for line in _limits(report))
    yield "## How to reproduce"
    yield (
        f"kommunbench {report.kommunbench}, commit `{report.git or 'not known'}`, specification "
        f"`{report.spec_digest}`, seed {report.seed}, strategy {report.strategy}, engine {report.engine}."
    )
    yield f"```sh\n{report.command}\n```"


def _words(measure: str) -> str:
    return MEASURES[measure][1] if measure in MEASURES else ""


def _results(report: Report, rows: list[Row], placed: list[str]) -> str:
    lines = ["| place | system | value | 95 %, these sites | 95 %, sites like these | n | unscored | sites |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for place, row in zip(placed, rows, strict=True):
        ends = interval(row.low, row.high, row.unit, "en")
        wider = interval(row.low_new_site, row.high_new_site, row.unit, "en")
        lines.append(
            f"| {place} | {system(row, report, 'en')} | {number(row.value, row.unit, 'en')} | {ends} | {wider} | "
            f"{row.n} | {row.unscored} | {row.sites} |"
        )
    return "\n".join([*lines, "", "Places with = cannot be told apart; in parentheses: not tested."])


def _sites(report: Report) -> Iterator[str]:
    kinds = {site.kind: sum(one.kind == site.kind for one in report.roster) for site in report.roster}
    names = {"municipality": "municipalities", "region": "regions", "other": "other organisations"}
    yield "Sites: " + ", ".join(f"{number_} {names[kind]}" for kind, number_ in kinds.items()) + "."
    statuses = {site.status: sum(one.status == site.status for one in report.roster) for site in report.roster}
    words = {"ok": "everything", "partly": "part of it", "suppressed": "held back", "missing": "nothing"}
    yield (
        "Sites by what they gave: "
        + ", ".join(f"{words.get(status, status)} {number_}" for status, number_ in statuses.items())
        + "."
    )
    yield "The text stayed at the sites. Sums of scores left, under each site's own policy; their ledgers say which."
    yield f"Protection of sums on their way: {report.privacy}."


def _limits(report: Report) -> Iterator[str]:
    if report.synthetic:
        yield "All text is synthetic: ranks and sizes of differences do not carry over to real cases."
    yield "Automatic measures compare with references. A high value is not a correct, lawful or fair answer."
    held = [row for row in report.rows if row.primary and row.site_group == "all" and (row.suppressed or row.refused)]
    if held:
        yield "Some sites held numbers back, and are in no value: small sites may be others than those measured."
    unscored = sum(row.unscored for row in report.rows if row.primary and row.site_group == "all")
    if unscored:
        yield f"{unscored} answers had no defined score and are in no value; they are counted above."
    if not report.complete:
        yield "The run was not finished: most intervals are missing."
    few = sum(site.status in ("ok", "partly") for site in report.roster)
    yield f"{few} sites answered. The interval for sites like these takes them for a sample, which nobody drew."
    if len(report.seeds) == 1:
        yield "Training was done with one seed: how much of a gain is luck was not measured."
    yield "Whether models had seen the references before was not looked for, nor how groups of people fare."
