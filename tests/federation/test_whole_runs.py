"""Whole runs over the real apps: sums are exact, and one site's trouble is its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from federated_folder import BASELINES, TASKS, rows, run, settings_for, write_sites
from kommunbench.core.answer import Code
from kommunbench.core.errors import FederationError
from kommunbench.core.registry import find
from kommunbench.core.spec import Request, RunSpec
from kommunbench.federation import rounds
from kommunbench.federation.rounds import pooled
from kommunbench.release import Ledger
from kommunbench.release.approval import Approvals
from kommunbench.report.record import Received, RunFolder


def test_pooled_equals_centralised_to_the_last_bit_for_every_metric(data: Path, tmp_path: Path) -> None:
    apart = run(settings_for(data, *BASELINES, "costs=false", "name=apart", "batch_size=3"))
    everyone = {task: [row for size in (18, 23, 31) for row in rows(task, size, size)] for task in TASKS}
    together = write_sites(tmp_path / "one" / "data", {"alla": everyone})
    whole = run(settings_for(together, *BASELINES, "costs=false", "name=whole", "batch_size=64", "quorum=1"))
    assert pooled(apart) == pooled(whole)
    assert len(pooled(apart)) == 14  # 5 + 4 + 5 metrics, one baseline a task
    assert all(total[0] + total[1] == 72 for total in pooled(apart).values())


def test_each_site_s_trouble_is_its_own(data: Path) -> None:
    """Four sites in one run: a broken policy, a missing file, too few examples, a bad line."""
    (data / "ekby" / "site.yaml").write_text("min_examples: many\n")
    (data / "åvik" / "lattlast.jsonl").unlink()
    write_sites(data, {"liten": {"summarization": rows("summarization", 20), "lattlast": rows("lattlast", 9)}})
    with (data / "öster" / "lattlast.jsonl").open("a") as handle:
        handle.write('{"id": "trasig", "input": 7}\n')
    folder = run(settings_for(data, *BASELINES, "name=troubles"))
    answers = {received.site: received for received in folder.received("round-000")}

    def codes(site: str, task: str) -> set[Code]:
        return {code for key, code, _ in answers[site].slots if key[0][0] == task and not find("metrics", key[1]).needs}

    assert (answers["ekby"].status, answers["ekby"].code) == ("refused", Code.POLICY_BROKEN)
    assert not any(any(values) for _, _, values in answers["ekby"].slots)
    assert codes("åvik", "lattlast") == {Code.NO_DATA}
    assert codes("åvik", "summarization") == {Code.OK}
    assert codes("liten", "lattlast") == {Code.TOO_FEW_EXAMPLES}
    assert not any(any(values) for _, code, values in answers["liten"].slots if code is not Code.OK)
    totals = pooled(folder)
    assert {total[0] for (cell, _), total in totals.items() if cell.task == "lattlast"} == {31}
    assert {total[0] for (cell, _), total in totals.items() if cell.task == "summarization"} == {23 + 20 + 31}
    assert "lattlast.jsonl:32" in (folder.path / "sites" / "öster" / "site.log").read_text()


@pytest.mark.slow
def test_resuming_asks_only_what_is_outstanding_and_ends_the_same(data: Path) -> None:
    whole = run(settings_for(data, *BASELINES, "name=whole"))
    settings = settings_for(data, *BASELINES, "name=torn")

    crossed: list[bytes] = []

    def count(direction: str, content: bytes) -> None:
        if direction == "out":
            crossed.append(content)

    torn = run(settings, count)
    assert len(crossed) == 6
    for name in ("round-000/öster.json", "close/åvik.json"):
        (torn.path / "releases" / name).unlink()
    crossed.clear()
    run(settings, count)
    assert len(crossed) == 2
    assert pooled(torn) == pooled(whole)


@pytest.mark.slow
def test_a_site_whose_people_have_said_yes_gives_its_numbers_when_the_run_is_gone_on_with(data: Path) -> None:
    (data / "öster" / "site.yaml").write_text("results: approve\n", encoding="utf-8")
    settings = settings_for(data, "strategy=none", "models=[lead]", "tasks=[summarization]", "name=approved")
    folder = run(settings)
    at_home = Approvals(Ledger(folder.path / "ledger" / "öster" / "ledger.jsonl"))
    for moment in ("round-000", "close"):
        assert answer_of(folder, moment, "öster").code is Code.PENDING
        (waiting,) = (each for each in at_home.all() if each.decision == "waiting")
        at_home.decide(waiting.payload, "approved", "Berg")
        run(settings)
        assert answer_of(folder, moment, "öster").status == "ok"
    assert {total[0] for (_, metric), total in pooled(folder).items() if metric == "rouge"} == {18 + 23 + 31}


def answer_of(folder: RunFolder, moment: str, site: str) -> Received:
    return next(received for received in folder.received(moment) if received.site == site)


@pytest.mark.parametrize(
    ("answered", "owes", "owes_training"),
    [
        (Received(site="a", moment="m", status="ok"), False, False),
        (Received(site="a", moment="m", status="ok", adapter_code=Code.TRAINING_DENIED), False, False),
        (Received(site="a", moment="m", status="ok", adapter_code=Code.PENDING), False, True),
        (Received(site="a", moment="m", status="refused", code=Code.PENDING), True, True),
        (Received(site="a", moment="m", status="refused", code=Code.VERSION_MISMATCH), True, True),
        (Received(site="a", moment="m", status="missing", absence="late"), True, True),
    ],
)
def test_who_is_asked_again_when_a_run_is_gone_on_with(answered: Received, owes: bool, owes_training: bool) -> None:
    spec = RunSpec(run="r", kommunbench="0", seed=1, tasks=(), models=(), prompts=())
    assert rounds._owes(answered, Request(spec=spec)) is owes
    assert rounds._owes(answered, Request(spec=spec, train=True)) is owes_training


def test_fewer_sites_than_the_quorum_stop_the_run_with_what_to_do(data: Path) -> None:
    settings = settings_for(data, *BASELINES, "name=quorum", "quorum=3", "join_s=0")
    from kommunbench.cli.compose import make_plan, make_sites, node_config
    from kommunbench.federation.engines.local import LocalGrid, run_apps

    plan = make_plan(settings)
    Path(plan.folder).mkdir(parents=True)
    sites = make_sites(settings)[:2]
    with pytest.raises(FederationError, match=r"2 of 3 sites online, and the quorum is 3.*runs resume quorum"):
        run_apps(LocalGrid([node_config(site) for site in sites], 1), plan)


def test_a_missing_site_is_named_and_the_others_go_on(data: Path) -> None:
    settings = settings_for(data, *BASELINES, "name=absent", "join_s=0")
    from kommunbench.cli.compose import make_plan, make_sites, node_config
    from kommunbench.federation.engines.local import LocalGrid, run_apps
    from kommunbench.report.record import RunFolder

    plan = make_plan(settings)
    folder = RunFolder(Path(plan.folder))
    folder.write_info(plan.info)
    run_apps(LocalGrid([node_config(site) for site in make_sites(settings)[:2]], 2), plan)
    status = {received.site: received.status for received in folder.received("round-000")}
    assert status == {"ekby": "ok", "åvik": "ok", "öster": "missing"}
    shutil.rmtree(folder.path)
