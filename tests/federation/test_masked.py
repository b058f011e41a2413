"""Masked sums over the real apps: the plain run's numbers to the last bit, and a lost site is survived."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from flwr.common.serde import message_from_proto
from flwr.proto.message_pb2 import Message as ProtoMessage

from federated_folder import rows, settings_for, write_sites
from kommunbench.core.answer import Code
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.registry import find, names
from kommunbench.core.spec import COST, Request
from kommunbench.federation.rounds import pooled
from kommunbench.release import Ledger, verify
from kommunbench.report.build import build_report
from kommunbench.report.masked import TOO_FEW
from kommunbench.report.notes import notes
from kommunbench.report.record import Received, RunFolder
from masked_run import SECAGG, SIZES, WORDS, ReplayingGrid, five_sites, losing, run_here


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return five_sites(tmp_path_factory.mktemp("masked") / "data")


@pytest.fixture(scope="module")
def plain(five: Path) -> RunFolder:
    """The same run with every site's own sums in sight."""
    return run_here(settings_for(five, *WORDS, "name=plain"))


def the_sum(folder: RunFolder, moment: str) -> Received:
    return next(received for received in folder.received(moment) if received.site == MASKED_SUM)


def needs_reading(key: tuple[object, ...]) -> bool:
    """The slot's metric needs a tagger or an encoder, and no site here has one."""
    found = [find("metrics", part).needs for part in key if isinstance(part, str) and part in names("metrics")]
    return any(need not in (None, COST) for need in found)


def given(received: Received) -> set[int]:
    """How many sites stand behind each number, but for those that nobody can read."""
    slots = zip(received.slots, received.given_by, strict=True)
    return {count for (key, _, _), count in slots if not needs_reading(key)}


def sums_of(folder: RunFolder, moment: str) -> dict[str, tuple[int, ...]]:
    """Every slot of a moment, added up over whoever has numbers in it."""
    found: dict[str, tuple[int, ...]] = {}
    for received in folder.received(moment):
        for key, code, values in received.slots:
            if code is Code.OK:
                name = json.dumps(key)
                found[name] = tuple(map(sum, zip(values, found.get(name, (0,) * len(values)), strict=True)))
    return found


def test_sums_are_the_plain_run_s_to_the_last_bit_and_no_site_s_own_are_seen(five: Path, plain: RunFolder) -> None:
    crossed: list[bytes] = []
    masked = run_here(settings_for(five, *SECAGG, "name=masked"), wiretap=crossed)
    for moment in ("round-000", "close"):
        assert sums_of(masked, moment) == sums_of(plain, moment) != {}
        assert given(the_sum(masked, moment)) == {4}
    assert pooled(masked) == pooled(plain)
    by_site = {received.site: received for received in masked.received("round-000")}
    assert all(not by_site[site].slots and by_site[site].status == "ok" for site in SIZES)
    assert len(crossed) == 2 * 5 * 5
    own = {values for received in plain.received("round-000") for _, code, values in received.slots if code is Code.OK}
    told = [reply_values(content) for content in crossed]
    assert not any(value in values for row in own for value in row if value > 1000 for values in told)
    for site in SIZES:
        ledger = Ledger(masked.path / "ledger" / site / "ledger.jsonl")
        assert not verify(ledger.path)
        lines = ledger.entries()
        assert [line["step"] for line in lines] == ["open", "share", "mask", "confirm", "unmask"] * 2
        assert {line["mode"] for line in lines} == {"secagg"}
        readable = [key for key, _, _ in the_sum(masked, "round-000").slots if not needs_reading(key)]
        assert lines[2]["released"] == (0 if site == "liten" else len(readable))
        givers = [] if site == "liten" else [sorted(SIZES.keys() - {"liten"})]
        assert [company["sites"] for company in (*lines[3]["company"], *lines[8]["company"])] == 2 * givers
        assert not list((masked.path / "sites" / site / "secagg" / "masked").glob("[0-9a-f]*.json"))


def reply_values(content: bytes) -> set[int]:
    message = message_from_proto(ProtoMessage.FromString(content))
    return set(message.content.array_records["release"]["values"].numpy().tolist())


@pytest.mark.parametrize("step", ["open", "share", "mask", "confirm", "unmask"])
def test_a_site_that_is_lost_at_any_step_is_survived(five: Path, plain: RunFolder, step: str) -> None:
    """Before its vector is in, the others' sum is what is left; after that its numbers are in it."""
    folder = run_here(settings_for(five, *SECAGG, f"name=lost-{step}"), losing("åvik", step))
    without = {received.site: received for received in plain.received("round-000") if received.site != "åvik"}
    survivors = {site: received.status for site, received in _by_site(folder).items() if site != MASKED_SUM}
    in_sum = step in ("confirm", "unmask")
    assert survivors == {site: "ok" if site != "åvik" or in_sum else "failed" for site in SIZES}
    expected = dict(sums_of(plain, "round-000"))
    if not in_sum:
        expected = {}
        for received in without.values():
            for key, code, values in received.slots:
                if code is Code.OK:
                    name = json.dumps(key)
                    expected[name] = tuple(map(sum, zip(values, expected.get(name, (0,) * len(values)), strict=True)))
    assert sums_of(folder, "round-000") == expected


def test_a_closed_sum_stays_closed_and_a_late_site_cannot_join_it(five: Path) -> None:
    settings = settings_for(five, *SECAGG, "name=late")
    away = lambda site, request: site == "åvik"  # noqa: E731
    first = sums_of(run_here(settings, away), "round-000")
    crossed: list[bytes] = []
    folder = run_here(settings, wiretap=crossed, again=True)
    assert (sums_of(folder, "round-000"), crossed) == (first, [])
    assert _by_site(folder)["åvik"].status == "failed"


def test_the_same_numbers_are_not_summed_again_with_one_site_more(five: Path) -> None:
    """The later sum less the earlier one would be that site's own."""
    first = run_here(settings_for(five, *SECAGG, "name=without"), lambda site, request: site == "åvik")
    settings = settings_for(five, *SECAGG, "name=with")

    def with_the_same_ledgers(site: str, request: Request) -> bool:
        if not (settings.folder / "ledger").exists():
            shutil.copytree(first.path / "ledger", settings.folder / "ledger")
        return False

    second = run_here(settings, with_the_same_ledgers)
    assert sums_of(first, "round-000")
    assert sums_of(second, "round-000") == {}
    assert set(the_sum(second, "round-000").given_by) == {0}
    report = build_report(second)
    assert {row.value for row in report.rows} == {None}
    assert {row.reason for row in report.rows} == {TOO_FEW}
    assert (report.cost.untold, report.cost.examples) == (1, 0)
    assert any("Costs are missing" in note for note in notes(report, "en"))
    assert (build_report(first).cost.untold, the_sum(first, "round-000").costed) == (0, 3)


def test_what_fewer_sites_give_than_min_sites_is_not_in_the_sum(tmp_path: Path) -> None:
    data = {site: {"lattlast": rows("lattlast", size, size)} for site, size in SIZES.items()}
    for site in ("ekby", "norr"):
        data[site]["summarization"] = rows("summarization", SIZES[site])
    words = (*SECAGG, "tasks=[lattlast,summarization]", "privacy.min_sites=3")
    folder = run_here(settings_for(write_sites(tmp_path / "data", data), *words, "name=few"))
    slots = zip(the_sum(folder, "round-000").slots, the_sum(folder, "round-000").given_by, strict=True)
    for (key, code, values), sites in slots:
        if needs_reading(key):
            continue
        short = key[0][0] == "summarization"
        assert (code, sites) == ((Code.TOO_FEW_SITES, 0) if short else (Code.OK, 4))
        assert any(values) is not short
    report = build_report(folder)
    assert {row.value is None for row in report.rows if row.task == "summarization"} == {True}
    assert {row.withheld for row in report.rows if row.task == "summarization"} == {5}


def test_a_site_takes_no_key_that_it_does_not_know_itself(five: Path) -> None:
    settings = settings_for(five, *SECAGG, "name=stranger")
    peers = settings.folder / "sites" / "ekby" / "peers.yaml"

    def forget_norr(site: str, request: Request) -> bool:
        lines = peers.read_text(encoding="utf-8").splitlines(keepends=True)
        peers.write_text("".join(line for line in lines if not line.startswith("norr")), encoding="utf-8")
        return False

    folder = run_here(settings, forget_norr)
    ekby = _by_site(folder)["ekby"]
    assert (ekby.status, ekby.code) == ("refused", Code.UNKNOWN_KEY)
    assert given(the_sum(folder, "round-000")) == {3}


def test_each_step_is_taken_once(five: Path) -> None:
    ReplayingGrid.replays.clear()
    run_here(settings_for(five, *SECAGG, "name=replayed"), kind=ReplayingGrid)
    assert {step for step, _ in ReplayingGrid.replays} == {"share", "mask", "confirm", "unmask"}
    assert {code for _, code in ReplayingGrid.replays} == {Code.SUM_CLOSED}


def test_fewer_than_the_threshold_leave_no_sum_and_the_run_says_so(five: Path) -> None:
    few = lambda site, request: site in ("ekby", "norr", "åvik")  # noqa: E731
    folder = run_here(settings_for(five, *SECAGG, "name=alone", "privacy.min_sites=3", "quorum=1"), few)
    assert (the_sum(folder, "round-000").status, sums_of(folder, "round-000")) == ("refused", {})


def test_a_site_that_wants_sums_alone_gives_a_plain_run_nothing(tmp_path: Path) -> None:
    data = write_sites(tmp_path / "data", {site: {"lattlast": rows("lattlast", 12)} for site in ("ekby", "norr")})
    (data / "ekby" / "site.yaml").write_text("min_sites: 2\n")
    folder = run_here(settings_for(data, *WORDS, "name=plain-refused", "quorum=1"))
    ekby = _by_site(folder)["ekby"]
    assert (ekby.status, ekby.code) == ("refused", Code.TOO_FEW_SITES)
    assert not any(any(values) for _, _, values in ekby.slots)


def _by_site(folder: RunFolder, moment: str = "round-000") -> dict[str, Received]:
    return {received.site: received for received in folder.received(moment)}
