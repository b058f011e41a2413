"""A run's folder with two sites' signed answers, made through the real door in this process, for tests to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kommunbench.core.answer import Code
from kommunbench.core.spec import Request
from kommunbench.federation.records import write_release
from kommunbench.release import Identity, Ledger, let_out, unpack, unpack_cost
from kommunbench.report.record import Received, RosterSite, RunFolder, RunInfo
from release import doorway as d

SITES = ("ekby", "åvik")


def home(folder: RunFolder, site: str) -> Path:
    """The site's own folder in this simulation."""
    return folder.path / "sites" / site


def signed_run(path: Path) -> RunFolder:
    """Two moments of evaluation and a closing message, answered by both sites."""
    folder = RunFolder(path)
    roster = tuple(RosterSite(name=name, title=f"{name.capitalize()} kommun", kind="municipality") for name in SITES)
    info = RunInfo(
        spec=d.make_spec(), federation="folder", synthetic=False, roster=roster, engine="local", strategy="none",
        tasks=(d.QA, d.SHORT), started_at="2026-03-01T10:15:00+01:00", command="kommunbench run",
    )  # fmt: skip
    folder.write_info(info)
    work = [d.make_request(cells=cells) for cells in (d.CELLS[:2], d.CELLS[2:])]
    for moment, request in zip(("round-000", "round-001"), work, strict=True):
        for number, site in enumerate(SITES):
            answer_with(folder, site, moment, request, 40 + 20 * number)
    for number, site in enumerate(SITES):
        answer_with(folder, site, "close", d.close_request(), 40 + 20 * number)
    return folder


def answer_with(folder: RunFolder, site: str, moment: str, request: Request, n: int) -> None:
    """One site's answer over `n` examples, released and kept as the coordinator keeps it."""
    folder.keep_request(request)
    ledger = Ledger(home(folder, site) / "ledger.jsonl", Identity.of(home(folder, site)))
    marks = {"guideline_qa": "7" * 64, "summarization": "8" * 64}
    release = let_out(d.make_policy(), request, replace(d.make_answer(request, n), registrations=marks), None, ledger)
    assert write_release(release)
    slots = tuple(unpack(request, release.values, release.codes, release.cost))
    received = Received(site=site, moment=moment, status="ok", code=Code(release.code), slots=slots,
                        adapter_code=release.adapter_code, cost=unpack_cost(release.cost), bytes_out=900)  # fmt: skip
    folder.keep(received, release.receipt)
