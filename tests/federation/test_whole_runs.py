"""Whole runs over the real apps: sums are exact, and one site's trouble is its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from federated_folder import BASELINES, TASKS, rows, run, settings_for, write_sites
from kommunbench.core.errors import FederationError
from kommunbench.core.spec import Code
from kommunbench.federation.rounds import pooled


def test_pooled_equals_centralised_to_the_last_bit_for_every_metric(data: Path, tmp_path: Path) -> None:
    apart = run(settings_for(data, *BASELINES, "name=apart", "batch_size=3"))
    everyone = {task: [row for size in (18, 23, 31) for row in rows(task, size, size)] for task in TASKS}
    together = write_sites(tmp_path / "one" / "data", {"alla": everyone})
    whole = run(settings_for(together, *BASELINES, "name=whole", "batch_size=64", "quorum=1"))
    assert pooled(apart) == pooled(whole)
    assert len(pooled(apart)) == 14  # 5 + 4 + 5 metrics, one baseline a task
    assert all(total[0] + total[1] == 72 for total in pooled(apart).values())


def test_a_site_without_a_policy_sends_a_code_and_no_number(data: Path) -> None:
    (data / "ekby" / "site.yaml").write_text("min_examples: many\n")
    folder = run(settings_for(data, *BASELINES, "name=refused"))
    answers = {received.site: received for received in folder.received("round-000")}
    assert answers["ekby"].status == "refused"
    assert answers["ekby"].code is Code.POLICY_BROKEN
    assert not any(any(values) for _, _, values in answers["ekby"].slots)
    assert answers["åvik"].status == answers["öster"].status == "ok"
    assert {total[0] + total[1] for total in pooled(folder).values()} == {23 + 31}


def test_a_site_without_the_file_says_no_data_for_that_task_alone(data: Path) -> None:
    (data / "ekby" / "lattlast.jsonl").unlink()
    folder = run(settings_for(data, *BASELINES, "name=nodata"))
    ekby = next(received for received in folder.received("round-000") if received.site == "ekby")
    codes = {(key[0][0], code) for key, code, _ in ekby.slots}
    assert ("lattlast", Code.NO_DATA) in codes
    assert ("summarization", Code.OK) in codes


def test_too_few_examples_are_refused_and_never_look_like_zero(data: Path) -> None:
    write_sites(data, {"ekby": {"lattlast": rows("lattlast", 9)}})
    folder = run(settings_for(data, *BASELINES, "name=few"))
    ekby = next(received for received in folder.received("round-000") if received.site == "ekby")
    lattlast = [(code, values) for key, code, values in ekby.slots if key[0][0] == "lattlast"]
    assert {code for code, _ in lattlast} == {Code.TOO_FEW_EXAMPLES}
    assert {total[0] for (cell, _), total in pooled(folder).items() if cell.task == "lattlast"} == {23 + 31}


def test_a_bad_line_is_counted_and_the_others_are_used(data: Path) -> None:
    with (data / "ekby" / "lattlast.jsonl").open("a") as handle:
        handle.write('{"id": "trasig", "input": 7}\n')
    folder = run(settings_for(data, *BASELINES, "name=badline"))
    assert {total[0] for (cell, _), total in pooled(folder).items() if cell.task == "lattlast"} == {72}
    log = (folder.path / "sites" / "ekby" / "site.log").read_text()
    assert "lattlast.jsonl:19" in log


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
