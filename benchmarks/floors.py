"""Floors on real Swedish public-sector text: what the training-free baselines reach, set by set.

    python benchmarks/floors.py [OUT]

Builds a federation from each set in ../shared/data (tests/shared_folder.py), runs the real engine on it, and writes the
numbers, never any text, to results/published/floors.md. Every row of a set is asked, for nothing is trained.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from kommunbench import __version__  # noqa: E402
from kommunbench.report.rows import Report, Row  # noqa: E402
from kommunbench.report.wording import NOTHING, interval, lacking, number  # noqa: E402
from kommunbench.report.write import read_report  # noqa: E402
from shared_folder import SETS, SHARED, build  # noqa: E402

OUT = ROOT / "results" / "published" / "floors.md"


class Floor(NamedTuple):
    """A baseline on a set."""

    set: str
    model: str
    note: str


FLOORS = (
    Floor("summarization_sou", "lead", "the first two sentences"),
    Floor("summarization_ingress", "lead", "the first two sentences"),
    Floor("summarization_sou", "textrank", "the two sentences that share most with the others"),
    Floor("summarization_ingress", "textrank", "the two sentences that share most with the others"),
    Floor("qa_swequad_mc", "retrieval", "the line nearest the question, by BM25"),
    Floor("simplification_section", "copy", "the text as it is"),
    Floor("simplification_section", "plain_rules", "plain words by rule, long sentences parted"),
    Floor("translation_pud", "copy", "the Swedish sentence as it is, against English"),
)


def words(floor: Floor, folder: str, results: str) -> list[str]:
    """The command that measures a floor, with `folder` for the federation's."""
    common = ["federation=folder", f"federation.path={folder}", "strategy=none", "tracking=off", "scorecard=[]"]
    chosen = [f"tasks=[{SETS[floor.set]}]", f"models=[{floor.model}]"]
    return ["run", *common, *chosen, f"results={results}", "name=floor", "engine.workers=1", "quorum=1"]


def measure(floor: Floor) -> Report:
    """Run a floor in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        data, results = Path(temporary, "data"), Path(temporary, "results")
        build(data, sets=[floor.set], split="test")
        command = [sys.executable, "-m", "kommunbench", *words(floor, str(data), str(results))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return read_report(results / "floor" / "report.json")


def section(floor: Floor, report: Report) -> Iterator[str]:
    """A table of every measure, and below it the primary one site by site."""
    pooled = [row for row in report.rows if row.site_group == "all"]
    primary = next(row for row in pooled if row.primary)
    yield f"## {floor.set}: {floor.model}, {floor.note}\n"
    yield f"Task `{primary.task}`, {primary.n} rows from {primary.sites} of {len(report.roster)} sites."
    lacks = lacking(primary, "en")
    yield (f"Not in the numbers: {lacks} (sites).\n" if lacks != NOTHING else "")
    yield f"```sh\nkommunbench {shlex.join(words(floor, 'DIR', 'results'))}\n```\n"
    yield "| measure | value | 95 %, these sites | 95 %, the mean of sites like these | unscored |"
    yield "|---|--:|--:|--:|--:|"
    for row in pooled:
        yield _line(f"{row.metric}{' *' if row.primary else ''}", row) + f" {row.unscored} |"
    yield f"\n| site | n | {primary.metric} |\n|---|--:|--:|"
    for site in report.roster:
        own = report.by_key.get((*primary.key[:5], f"site/{site.name}", 0, primary.seed))
        if own is not None:
            value = (
                number(own.value, own.unit, "en") if own.value is not None else lacking(own, "en").removeprefix("1 ")
            )
            yield f"| {site.name} | {own.n or NOTHING} | {value} |"
    yield ""


def _line(label: str, row: Row) -> str:
    cells = (
        number(row.value, row.unit, "en"),
        interval(row.low, row.high, row.unit, "en"),
        interval(row.low_new_site, row.high_new_site, row.unit, "en"),
    )
    return f"| {label} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure every floor and write the page."""
    if not SHARED.is_dir():
        sys.exit(f"skipped: no real text at {SHARED}")
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    parts = [
        "# Floors on real text\n",
        "What training-free baselines reach on real Swedish public-sector text. A model that does not clear them has",
        "not learned the task. Numbers only: the text is no part of the project. Sites are ministries and agencies, as",
        "the sets have them; a site with fewer than ten rows gives no number. `*` ranks systems on the task.\n",
        f"Made by `python benchmarks/floors.py` with kommunbench {__version__}. It writes each set to a folder DIR,",
        "every row as a test row, and runs the command that is shown. SARI ranks nothing: it gives an empty answer",
        "about a third, as all it deletes counts as right. `lattlast` ranks by chrF++, which gives silence 0.\n",
    ]
    for floor in FLOORS:
        parts += section(floor, measure(floor))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(parts), encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
