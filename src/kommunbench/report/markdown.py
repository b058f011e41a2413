"""report.md: the report for reading in a text editor or on a forge."""

from __future__ import annotations

from kommunbench.report.rows import Report
from kommunbench.report.sections import Section, sections
from kommunbench.report.tables import Table
from kommunbench.report.wording import Language, pick, say


def markdown(report: Report, language: Language = "en") -> str:
    """The whole report as Markdown with pipe tables."""
    parts = [f"# {say(language, 'Rapport', 'Report')}: {report.run}"]
    if report.note:
        parts.append(f"> **{pick(language, report.note)}**")
    parts += [_section(section) for section in sections(report, language)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
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
