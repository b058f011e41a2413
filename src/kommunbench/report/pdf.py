"""A bundle of evidence on paper: Markdown for reading and searching, PDF for filing.

Fonts are DejaVu's, which matplotlib carries, so that å, ä, ö and dashes are right and nothing is fetched. The same
bundle gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kommunbench import __version__
from kommunbench.report.evidence import BLANK, Bundle
from kommunbench.report.markdown import section_text
from kommunbench.report.tables import Table

if TYPE_CHECKING:
    from fpdf import FPDF

FONT = "DejaVu"
DIGEST = re.compile(r"[0-9a-f]{32}|::")
"""Digests and names of tests are set in smaller letters."""
MARGIN_MM = 18


def bundle_markdown(bundle: Bundle) -> str:
    """The bundle as Markdown."""
    return "\n\n".join([f"# {bundle.title}", *bundle.lead, *map(section_text, bundle.sections)]) + "\n"


def bundle_pdf(bundle: Bundle) -> bytes:
    """The bundle as PDF, A4."""
    page = _page(bundle)
    page.add_page()
    page.set_font(FONT, "B", 17)
    page.multi_cell(0, 8, bundle.title, new_x="LMARGIN", new_y="NEXT")
    page.ln(2)
    for paragraph in bundle.lead:
        _paragraph(page, paragraph)
    for number, section in enumerate(bundle.sections, start=1):
        _heading(page, f"{number}. {section.title}")
        for paragraph in section.text:
            _paragraph(page, paragraph)
        for point in section.points:
            _paragraph(page, f"•  {point}")
        for table in section.tables:
            _table(page, table)
        if section.code:
            page.set_font(FONT, "", 9)
            page.set_fill_color(240)
            page.multi_cell(0, 6, section.code, fill=True, new_x="LMARGIN", new_y="NEXT")
            page.ln(2)
    return bytes(page.output())


def _page(bundle: Bundle) -> FPDF:
    import matplotlib as mpl
    from fpdf import FPDF

    class Paper(FPDF):
        """A4 with a foot on every page."""

        def footer(self) -> None:
            """Title, version and page."""
            self.set_y(-14)
            self.set_font(FONT, "", 7)
            self.set_text_color(90)
            self.cell(0, 5, f"{bundle.title}  ·  kommunbench {__version__}  ·  sida {self.page_no()} av {{nb}}")
            self.set_text_color(0)

    paper = Paper(format="A4")
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    paper.add_font(FONT, "", fonts / "DejaVuSans.ttf")
    paper.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    paper.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
    paper.set_auto_page_break(True, margin=20)
    paper.set_title(bundle.title)
    paper.set_lang("sv-SE")
    paper.set_creator(f"kommunbench {__version__}")
    paper.set_creation_date(datetime.fromisoformat(bundle.made))
    return paper


def _heading(page: FPDF, text: str) -> None:
    if page.will_page_break(48):
        page.add_page()
    page.ln(3)
    page.set_font(FONT, "B", 12)
    page.multi_cell(0, 7, text, new_x="LMARGIN", new_y="NEXT")
    page.ln(1)


def _paragraph(page: FPDF, text: str) -> None:
    page.set_font(FONT, "", 9.5)
    page.multi_cell(0, 5, text, align="L", new_x="LMARGIN", new_y="NEXT")
    page.ln(1.5)


def _table(page: FPDF, table: Table) -> None:
    from fpdf.enums import TableBordersLayout
    from fpdf.fonts import FontFace

    if page.will_page_break(28):
        page.add_page()
    page.ln(1)
    page.set_font(FONT, "B", 9)
    page.multi_cell(0, 5, table.caption, new_x="LMARGIN", new_y="NEXT")
    page.set_font(FONT, "", 8)
    align = tuple("RIGHT" if side == "r" else "LEFT" for side in table.align)
    head, small = FontFace(emphasis="BOLD", fill_color=(232, 236, 242)), FontFace(size_pt=6)
    with page.table(
        col_widths=_widths(table), text_align=align, line_height=4.6, headings_style=head, padding=(0.8, 1.4),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
    ) as drawn:  # fmt: skip
        for cells in (table.header, *table.rows):
            row = drawn.row()
            for cell in cells:
                row.cell(cell, style=small if DIGEST.search(cell) else None)
    page.ln(2)


def _widths(table: Table) -> Sequence[float]:
    """Shares of the page by each column's longest cell, none under a ninth; half of it for what is filled in."""
    if any(BLANK in row for row in table.rows):
        return (1, 1)
    columns = zip(table.header, *table.rows, strict=True)
    longest = [min(max(8, *map(len, column)), 60) for column in columns]
    return [max(size / sum(longest), 0.11) for size in longest]
