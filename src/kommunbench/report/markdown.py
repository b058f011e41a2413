"""report.md: the report for reading in a text editor or on a forge."""

from __future__ import annotations

from kommunbench.core.errors import DataError, Fault
from kommunbench.core.registry import did_you_mean
from kommunbench.report.adoption import adoption_tables, adoption_text, site_cost_table
from kommunbench.report.cost_tables import answering_tables, answering_text
from kommunbench.report.own_weights import SiteCards, own_weights_tables, own_weights_text
from kommunbench.report.rows import Report
from kommunbench.report.sections import Section, sections
from kommunbench.report.tables import Table, about
from kommunbench.report.wording import Language, pick, say


def markdown(report: Report, language: Language = "en") -> str:
    """The whole report as Markdown with pipe tables."""
    parts = [f"# {say(language, 'Rapport', 'Report')}: {report.run}"]
    if report.note:
        parts.append(f"> **{pick(language, report.note)}**")
    parts += [section_text(section) for section in sections(report, language)]
    return "\n\n".join(parts) + "\n"


def site_page(report: Report, site: str, language: Language = "en", cards: SiteCards | None = None) -> str:
    """'Should we adopt this model?' for one site, as Markdown; with `cards` also who leads there by whose weights.

    Raises:
        DataError: no such site was invited.
    """
    found = next((one for one in report.roster if one.name == site), None)
    if found is None:
        known = tuple(one.name for one in report.roster)
        raise DataError(Fault(f"no site {site!r} in {report.run}", "--site", did_you_mean(site, known)))
    title = say(language, "Ska vi använda modellen?", "Should we adopt the model?")
    parts = [f"# {title} {found.title}"]
    if report.note:
        parts.append(f"> **{pick(language, report.note)}**")
    advice = [*adoption_tables(report, language, site)]
    if not advice:
        parts.append(say(language, "Körningen tränade ingen modell.", "The run trained no model."))
    parts += [adoption_text(language), *map(_table, advice), _table(site_cost_table(found, language))]
    if answers := [*answering_tables(report, language, f"site/{site}")]:
        parts.append(f"## {say(language, 'Vad ett svar tar hos er', 'What an answer takes at your site')}")
        parts += [answering_text(report, language), *map(_table, answers)]
    if cards and any(one.score is not None for card in cards.here for one in card.standings):
        parts.append(f"## {say(language, 'Med vems vikter', 'By whose weights')}")
        parts += [*own_weights_text(cards, language), *map(_table, own_weights_tables(cards, report, language))]
    lacks = [f"- {about(one, report, language)}: {one.sv if language == 'sv' else one.en}" for one in found.absences]
    if lacks:
        parts.append("\n".join([say(language, "Det här saknas från er:", "This is lacking from you:"), "", *lacks]))
    return "\n\n".join(parts) + "\n"


def section_text(section: Section) -> str:
    """One section as Markdown."""
    parts = [f"## {section.title}", *section.text]
    if section.points:
        parts.append("\n".join(f"- {point}" for point in section.points))
    parts += [_table(table) for table in section.tables]
    if section.figure:
        parts.append(f"![{section.title}](figures/{section.figure})")
    parts += [_table(table) for table in section.behind]
    if section.code:
        parts.append(f"```sh\n{section.code}\n```")
    return "\n\n".join(parts)


def _table(table: Table) -> str:
    """A pipe table with padded columns, so that the source reads as well as the page."""
    rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in (table.header, *table.rows)]
    rows[1:] = [
        tuple(f"**{cell}**" if column in (1, 2) else cell for column, cell in enumerate(row))
        if index in table.strong
        else row
        for index, row in enumerate(rows[1:])
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "| "
        + " | ".join(_pad(cell, width, side) for cell, width, side in zip(row, widths, table.align, strict=True))
        + " |"
        for row in rows
    ]
    rules = ["-" * (width + 1) + (":" if side == "r" else "-") for width, side in zip(widths, table.align, strict=True)]
    return "\n".join([f"### {table.caption}", "", lines[0], "|" + "|".join(rules) + "|", *lines[1:]])


def _pad(cell: str, width: int, side: str) -> str:
    return cell.rjust(width) if side == "r" else cell.ljust(width)
