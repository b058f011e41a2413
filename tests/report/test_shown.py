"""What people see: Markdown in two languages, the terminal, the pictures, runs side by side."""

from __future__ import annotations

import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from fabricate import Fabricated, fabricate
from kommunbench.core.errors import DataError
from kommunbench.report.build import build_report
from kommunbench.report.compare import compare, compare_json, compare_table, differences
from kommunbench.report.figures import figures
from kommunbench.report.markdown import markdown
from kommunbench.report.page import page
from kommunbench.report.record import RunFolder
from kommunbench.report.rows import Report
from kommunbench.report.terminal import print_leaderboard
from kommunbench.report.wording import Language, interval, number, p_value
from kommunbench.report.write import read_report, write_report


def terminal(report: Report, language: Language, width: int = 80) -> str:
    buffer = io.StringIO()
    print_leaderboard(report, Console(file=buffer, width=width), language)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return build_report(fabricate(tmp_path_factory.mktemp("results") / "stopped", close=False))


def test_every_output_of_a_synthetic_federation_says_so(report: Report) -> None:
    assert "synthetic data" in markdown(report, "en")
    assert "syntetiska data" in markdown(report, "sv")
    assert "syntetiska data" in page(report, {})
    assert "synthetic data" in page(report, {})
    assert "synthetic data" in terminal(report, "en")
    assert "syntetiska data" in terminal(report, "sv")
    for svg in figures(report).values():
        assert "syntetiska data · synthetic data" in svg


def test_a_federation_of_real_text_does_not(report: Report) -> None:
    real = report.model_copy(update={"synthetic": False, "note": None})
    texts = (markdown(real), terminal(real, "sv"), page(real, {}), *figures(real).values())
    assert not any("syntetisk" in text or "synthetic" in text for text in texts)


def assert_tables_are_whole(text: str) -> None:
    """Every line of a pipe table has as many cells, and is as wide, as the others."""
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert blocks
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
        assert len({len(line) for line in block.splitlines()}) == 1


def test_markdown_tables_are_whole(report: Report) -> None:
    assert_tables_are_whole(markdown(report, "en"))
    assert_tables_are_whole(markdown(report, "sv"))


def test_markdown_tells_who_is_missing_and_why(report: Report) -> None:
    text = markdown(report, "sv")
    assert re.search(
        r"Stenvikens kommun +\| Sammanfattning, Svar ur riktlinje, Lättläst +\| undanhållet +\| för få exempel", text
    )
    assert re.search(r"Region Östersken +\| Svar ur riktlinje +\| nekat +\| har inte godkänt uppgiften", text)
    assert re.search(r"Norrhults kommun +\| hela svaret +\| uteblivet +\| svarade inte +\| omgång 1", text)
    assert "```sh\nkommunbench run\n```" in text


def test_a_suppressed_cell_is_a_word_never_a_number(report: Report) -> None:
    rows = [line for line in markdown(report, "en").splitlines() if line.startswith("| Stenvikens kommun")]
    assert rows
    assert not any(re.search(r"\d\.\d", line) for line in rows)


def test_a_run_without_its_closing_message_says_what_lacks(unfinished: Report) -> None:
    assert not unfinished.complete
    assert "The run is not finished" in markdown(unfinished)
    assert {standing.tie_group for standing in unfinished.leaderboards[0].standings} == {None}
    assert "(1)" in terminal(unfinished, "en")
    assert figures(unfinished).keys() == {"answering.svg", "curves.svg", "pareto.svg", "sites.svg"}


@pytest.mark.parametrize("width", [80, 110])
def test_the_terminal_keeps_values_and_intervals_whole(report: Report, width: int) -> None:
    text = terminal(report, "en", width)
    best = report.by_key[report.leaderboards[0].standings[0].row.key]
    assert f"{best.value:.3f}" in text
    assert f"{best.low:.3f}–{best.high:.3f}" in text
    assert "1=" in text
    assert "too few examples to be released" in text
    assert max(map(len, text.splitlines())) <= width


def test_figures_are_whole_xml_with_text_that_stays_text(report: Report) -> None:
    drawn = figures(report)
    assert drawn.keys() == {"answering.svg", "curves.svg", "forest.svg", "pareto.svg", "sites.svg"}
    for svg in drawn.values():
        root = ET.fromstring(svg)
        assert root.get("role") == "img"
        assert root.get("aria-label")
    words = "".join(ET.fromstring(drawn["sites.svg"]).itertext())
    assert all(title in words for title in ("Region Älgmark", "Region Östersken", "Lövviks kommun", "Lättläst"))
    assert figures(report) == drawn


def test_writing_leaves_every_file_and_reading_gives_the_same(fabricated: Fabricated, tmp_path: Path) -> None:
    folder = RunFolder(shutil.copytree(fabricated.folder.path, tmp_path / "pilot"))
    written = write_report(folder)
    names = {"report.json", "report.md", "report.sv.md", "report.html", "card.md", "figures"}
    assert names <= {path.name for path in folder.path.iterdir()}
    assert read_report(folder.path / "report.json") == written
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    write_report(folder)
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


def test_a_report_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="makes one"):
        read_report(tmp_path / "none" / "report.json")
    with pytest.raises(DataError, match="not a run's folder"):
        build_report(RunFolder(tmp_path))


class Page(HTMLParser):
    """Checks nesting and collects what a page refers to."""

    void = {"meta", "input", "img", "br"}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(report: Report) -> None:
    text = page(report, figures(report))
    found = Page(text)
    assert found.open == []
    assert not {tag for tag, _ in found.tags} & {"script", "link", "iframe"}
    sources = [attrs[name] for _, attrs in found.tags for name in ("src", "href") if name in attrs]
    assert all(source.startswith(("data:image/svg+xml;base64,", "#")) for source in sources)
    assert "@import" not in text
    assert not re.search(r"url\((?!data:)", text)
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {source[1:] for source in sources if source.startswith("#")} <= set(ids)


def test_the_page_is_accessible(report: Report) -> None:
    found = Page(page(report, figures(report)))
    tags = [tag for tag, _ in found.tags]
    assert all(attrs.get("alt") for tag, attrs in found.tags if tag == "img")
    assert tags.count("details") == 8  # four figures in two languages, each with its tables behind it
    assert tags.count("img") == 10  # and one whose tables stand above it
    assert tags.count("table") == tags.count("caption")
    assert all("scope" in attrs for tag, attrs in found.tags if tag == "th")
    regions = [attrs for _, attrs in found.tags if attrs.get("role") == "region"]
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in regions)
    assert [attrs["lang"] for tag, attrs in found.tags if tag == "section"] == ["sv", "en"]
    assert tags.count("legend") == 1


def test_names_cannot_break_the_page_or_the_terminal(report: Report) -> None:
    evil = "<script>alert(1)</script> [red]|"
    other = report.model_copy(
        update={"run": evil, "roster": tuple(site.model_copy(update={"title": evil}) for site in report.roster)}
    )
    assert "<script" not in page(other, {})
    assert "<script>alert(1)</script> [red]|" in terminal(other, "en", 200)
    assert_tables_are_whole(markdown(other))


def test_numbers_in_words() -> None:
    assert number(0.1234, "share", "sv") == "0,123"
    assert number(-0.05, "share", "en", sign=True) == "−0.050"
    assert number(43.128, "lix", "sv") == "43,13"
    assert interval(0.1, 0.25, "share", "sv") == "0,100–0,250"
    assert interval(-0.1, 0.25, "share", "en", sign=True) == "−0.100 to +0.250"
    assert number(None, "share", "en") == interval(None, 1.0, "share", "en") == "–"
    assert p_value(0.0001, "sv") == "< 0,001"


def test_runs_side_by_side(report: Report, unfinished: Report) -> None:
    lines = compare([report, unfinished])
    assert len(lines) == 11
    line = next(line for line in lines if (line.task, line.model, line.stage) == ("lattlast", "nano", "federated"))
    assert [row.round for row in line.rows] == [3, 3]
    assert line.rows[0].value == line.rows[1].value
    table = compare_table([report, unfinished], "sv")
    assert table.header[-2:] == ("pilot", "stopped")
    assert "oparat" in table.caption
    assert differences([report, unfinished]) == []
    found = json.loads(compare_json([report, unfinished]))
    assert (found["runs"], found["paired"]) == (["pilot", "stopped"], False)


def test_runs_that_differ_say_how(report: Report) -> None:
    other = report.model_copy(
        update={
            "roster": report.roster[:3],
            "rows": tuple(row.model_copy(update={"n": row.n + 1}) for row in report.rows if row.task != "lattlast"),
            "tasks": tuple(task.model_copy(update={"digest": "0"}) for task in report.tasks),
        }
    )
    assert len(differences([report, other])) == 3 + 1 + 1
    missing = [line for line in compare([report, other]) if line.task == "lattlast"]
    assert missing
    assert all(line.rows[1] is None for line in missing)


def test_runs_of_other_seeds_are_laid_side_by_side_and_it_is_said(report: Report) -> None:
    rows = tuple(row if row.stage == "base" else row.model_copy(update={"seed": 7}) for row in report.rows)
    other = report.model_copy(update={"rows": rows})
    for cached in ("by_key", "seeds", "trained"):
        other.__dict__.pop(cached, None)
    lines = [line for line in compare([report, other]) if line.stage == "federated"]
    assert len(lines) == 3
    assert all(line.rows[0] and line.rows[1] and line.rows[1].seed == 7 for line in lines)
    (line,) = differences([report, other])
    assert "not the same seeds" in line
    assert "synthetic texts are others" in line
    assert not any("seeds" in line for line in differences([report, report]))
