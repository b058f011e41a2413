"""What the coordinator reads of a site that refused or was away: what, and what to do now, wherever it is told."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kommunbench.cli.progress import Progression
from kommunbench.core.answer import Code
from kommunbench.report.codes import remedy, sentence
from kommunbench.report.record import Received, RosterSite
from kommunbench.report.roster import site_rows
from kommunbench.report.rows import Report
from kommunbench.report.tables import absence_table
from kommunbench.report.terminal import _absences

TOLD = {
    Code.VERSION_MISMATCH: ("en annan version av kommunbench", "installera samma version", "runs resume"),
    Code.FOREIGN_BUNDLE: ("främmande programkod", "oförändrad kommunbench", "inget av koden kördes"),
    Code.TASK_NOT_APPROVED: ("inte godkänt uppgiften", "skicka dem uppgiftens fil", "site task approve"),
    Code.MODEL_NOT_APPROVED: ("inte godkänt modellen", "lägger in samma modell", "site model add"),
    Code.OVER_LIMIT: ("större än policyn tillåter", "be om mindre, vänta", "site.yaml"),
    Code.BUDGET_SPENT: ("budgeten för differentiell integritet", "be om mindre epsilon", "bara organisationen"),
}


@pytest.mark.parametrize("code", TOLD)
def test_the_coordinator_reads_what_and_what_to_do_wherever_it_is_told_who_is_missing(
    report: Report, code: Code
) -> None:
    """In the report's table (page and Markdown), in the terminal, and in the line while the run goes on."""
    ale = RosterSite(name="ale", title="Ale kommun")
    rows = site_rows([ale], [Received(site="ale", moment="round-000", status="refused", code=code)])
    report = report.model_copy(update={"roster": rows})
    (told,) = absence_table(report, "sv").rows
    console = Console(width=400, file=io.StringIO())
    for line in _absences(report, "sv"):
        console.print(line)
    for words in TOLD[code]:
        assert words in told[3]
        assert words in console.file.getvalue()  # type: ignore[attr-defined]
    live = Progression()
    live.take({"time": 1.0, "kind": "reply", "moment": "round-000", "site": "ale", "status": "refused",
               "code": code.name, "absence": None})  # fmt: skip
    do = remedy(code.name)
    assert do is not None
    assert live.troubles == [f"round-000: ale {sentence(code).en} ({code.name}): {do.en}"]


@pytest.mark.parametrize("absence", ["offline", "lost", "late"])
def test_who_is_away_is_told_with_what_to_do(absence: str) -> None:
    live = Progression()
    live.take({"time": 1.0, "kind": "reply", "moment": "round-000", "site": "ale", "status": "missing",
               "code": "OK", "absence": absence})  # fmt: skip
    assert absence.upper() in live.troubles[0]
    assert "kommunbench runs resume" in live.troubles[0]
