"""report.html: the report as one file that needs nothing else, in both languages, on a screen or on paper.

No script: the language is chosen by two radio buttons and CSS, tables behind figures open as `details`, colours follow
the reader's own light or dark setting.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from kommunbench.report.cost_tables import ANSWERING
from kommunbench.report.pareto import PARETO
from kommunbench.report.rows import Report
from kommunbench.report.sections import CURVES, FOREST, SITES, STAGES, Section, sections
from kommunbench.report.tables import Span, Table
from kommunbench.report.wording import Language, pick, say

CSS = Path(__file__).with_suffix(".css")
SPAN_AT = 3
"""Column of the drawn interval in a leaderboard, after the value."""
LANGUAGES: tuple[Language, Language] = ("sv", "en")


def page(report: Report, figures: Mapping[str, str]) -> str:
    """The whole page, with `figures` (SVG by file name) inside it. It opens in Swedish."""
    bodies = "\n".join(_report(report, figures, language) for language in LANGUAGES)
    return f"""<!doctype html>
<html lang="sv">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(report.run)} – kommunbench</title>
<style>
{CSS.read_text(encoding="utf-8")}</style>
</head>
<body>
<main>
<fieldset class="language">
<legend>Språk · Language</legend>
<label lang="sv"><input type="radio" name="language" id="sv" checked>Svenska</label>
<label lang="en"><input type="radio" name="language" id="en">English</label>
</fieldset>
{bodies}
</main>
</body>
</html>
"""


def _report(report: Report, figures: Mapping[str, str], language: Language) -> str:
    found = sections(report, language)
    title = f"{say(language, 'Rapport', 'Report')}: {escape(report.run)}"
    answered = sum(site.status in ("ok", "partly") for site in report.roster)
    facts = say(
        language,
        f"Federation {report.federation}, {answered} av {len(report.roster)} organisationer, {report.started_at[:10]}",
        f"Federation {report.federation}, {answered} of {len(report.roster)} sites, {report.started_at[:10]}",
    )
    parts = [
        f'<section class="report" lang="{language}">',
        f"<h1>{title}</h1>",
        f'<p class="facts">{escape(facts)}</p>',
    ]
    if report.note:
        parts.append(f'<p class="note">{escape(pick(language, report.note))}</p>')
    links = "".join(f'<li><a href="#{_id(language, at)}">{escape(one.title)}</a></li>' for at, one in enumerate(found))
    parts.append(f'<nav aria-label="{say(language, "Innehåll", "Contents")}"><ul>{links}</ul></nav>')
    for at, section in enumerate(found):
        parts += _section(section, _id(language, at), figures, language)
    return "\n".join([*parts, "</section>"])


def _id(language: Language, at: int) -> str:
    return f"{language}-{at + 1}"


def _section(section: Section, name: str, figures: Mapping[str, str], language: Language) -> Iterator[str]:
    yield f'<h2 id="{name}">{escape(section.title)}</h2>'
    for paragraph in section.text:
        yield f"<p>{_inline(paragraph)}</p>"
    if section.points:
        yield '<ul class="points">' + "".join(f"<li>{_inline(point)}</li>" for point in section.points) + "</ul>"
    for table in section.tables:
        yield _table(table, section.title, language)
    if section.figure in figures:
        data = base64.b64encode(figures[section.figure].encode()).decode()
        alt = escape(_alt(section.figure, language))
        yield f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{alt}"></figure>'
    if section.behind:
        words = say(language, "Talen bakom bilden", "The numbers behind the figure")
        inner = "\n".join(_table(table, section.title, language) for table in section.behind)
        yield f"<details><summary>{words}</summary>\n{inner}\n</details>"
    if section.code:
        yield f"<pre><code>{escape(section.code)}</code></pre>"


def _alt(figure: str, language: Language) -> str:
    words = {
        CURVES: ("Huvudmåttet omgång för omgång för varje uppgift.", "The primary measure by round, for every task."),
        FOREST: (
            "Skillnaden efter gemensam träning hos varje organisation och hos alla, med 95-procentiga intervall.",
            "The difference after training together at every site and at all, with 95 % intervals.",
        ),
        PARETO: (
            "Huvudmåttet mot träningens sekunder och mot det som skickats, för varje uppgift.",
            "The primary measure against seconds of training and against what was sent, for every task.",
        ),
        STAGES: (
            "Huvudmåttet för modellen som den är, tränad ensam, tillsammans och på ett ställe, för varje grupp.",
            "The primary measure of the model as it is, trained alone, together and in one place, for each group.",
        ),
        ANSWERING: (
            "Huvudmåttet mot sekunder per svar, för varje uppgift.",
            "The primary measure against seconds an answer, for every task.",
        ),
        SITES: ("Huvudmåttet för varje organisation och system.", "The primary measure for every site and system."),
    }
    below = say(language, "Talen står i tabellen intill.", "The numbers are in the table beside it.")
    return f"{say(language, *words[figure])} {below}"


def _table(table: Table, about: str, language: Language) -> str:
    """A table in a region that can be scrolled by keyboard where it is too wide; `about` is its section's title."""
    sides = [' class="r"' if side == "r" else "" for side in table.align]
    heads = [f'<th scope="col"{side}>{escape(head)}</th>' for head, side in zip(table.header, sides, strict=True)]
    if table.spans:
        heads.insert(SPAN_AT, f'<th scope="col">{say(language, "0 till 1", "0 to 1")}</th>')
    lines = []
    for index, row in enumerate(table.rows):
        cells = [f"<td{side}>{escape(cell)}</td>" for cell, side in zip(row, sides, strict=True)]
        lead = _leading(table)
        cells[lead] = f'<th scope="row"{sides[lead]}>{escape(row[lead])}</th>'
        if table.spans:
            cells.insert(SPAN_AT, f"<td>{_span(table.spans[index])}</td>")
        strong = ' class="strong"' if index in table.strong else ""
        lines.append(f"<tr{strong}>{''.join(cells)}</tr>")
    caption = escape(table.caption)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(about)}: {caption}">'
        f"<table><caption>{caption}</caption>"
        f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table></div>"
    )


def _leading(table: Table) -> int:
    """The column that names a row: the system in a leaderboard, else the first."""
    return 1 if table.spans else 0


def _span(span: Span | None) -> str:
    """Both intervals drawn on 0..1; their numbers stand beside, so a screen reader passes it by."""
    if span is None:
        return ""
    drawn = "".join(
        f'<{tag} style="left:{low * 100:.1f}%;width:{(high - low) * 100:.1f}%"></{tag}>'
        for tag, low, high in (("u", *span.new_site), ("i", *span.these))
    )
    return f'<span class="span" aria-hidden="true">{drawn}</span>'


def _inline(text: str) -> str:
    """Escaped text with **strong** words."""
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))
