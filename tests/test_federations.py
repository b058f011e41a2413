"""The federations of conf/federation/: their sites, how fast they compose, and what every output says of the data."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from rich.console import Console

from federated_folder import run
from kommunbench.cli.compose import make_plan
from kommunbench.config.hydra import compose_settings
from kommunbench.config.settings import SyntheticFederation
from kommunbench.core.errors import ConfigError
from kommunbench.core.task import task_names
from kommunbench.report.build import build_report
from kommunbench.report.record import RunFolder
from kommunbench.report.terminal import print_leaderboard
from kommunbench.report.write import write_report
from kommunbench.tracking.nodes import make_nodes

UNTRAINED = ("strategy=none", "models=[lead]", "tasks=[summarization]", "tracking=off")


def synthetic(*words: str) -> SyntheticFederation:
    federation = compose_settings([*UNTRAINED, *words]).federation
    assert isinstance(federation, SyntheticFederation)
    return federation


@pytest.mark.parametrize("name", ["pilot", "goteborgsregionen", "sverige"])
def test_every_site_has_every_task(name: str) -> None:
    for site in synthetic(f"federation={name}").sites.values():
        assert set(site.sizes) == set(task_names())


def test_the_whole_country_is_planned_within_seconds() -> None:
    started = time.process_time()
    settings = compose_settings([*UNTRAINED, "federation=sverige"])
    plan = make_plan(settings)
    assert time.process_time() - started < 10
    kinds = [site.kind for site in plan.info.roster]
    assert (kinds.count("municipality"), kinds.count("region")) == (290, 21)


def test_a_name_is_its_key_and_named_sites_come_after_generated_ones() -> None:
    words = "federation.sites={egenby: {title: Egenby kommun, kind: municipality, sizes: {}}}"
    sites = synthetic("federation=sverige", "federation.generate.municipalities=2", f"+{words}").sites
    assert [name == site.name for name, site in sites.items()] == [True] * 24
    assert list(sites)[-1] == "egenby"


def test_a_federation_of_nobody_and_a_range_upside_down_are_refused_by_name() -> None:
    words = ["federation=sverige", "federation.generate.municipalities=0", "federation.generate.regions=0"]
    with pytest.raises(ConfigError, match=r"federation\.sites: .*at least one site"):
        compose_settings([*UNTRAINED, *words])
    with pytest.raises(ConfigError) as caught:
        compose_settings([*UNTRAINED, "federation=sverige", "federation.generate.sizes.lattlast.test=[9,3]"])
    assert [fault.where for fault in caught.value.faults] == ["federation.generate.sizes.lattlast.test"]


@pytest.mark.slow
def test_a_handful_of_generated_sites_answers(tmp_path: Path) -> None:
    few = ("federation.generate.municipalities=4", "federation.generate.regions=1", "max_examples=12")
    folder = run(compose_settings([*UNTRAINED, "federation=sverige", *few, f"results={tmp_path}", "name=few"]))
    report = build_report(folder)
    assert report.complete
    assert [site.status for site in report.roster] == ["ok"] * 5
    (board,) = report.leaderboards
    row = report.by_key[board.standings[0].row.key]
    assert (row.n, row.sites) == (5 * 12, 5)


def test_real_names_with_invented_text_are_told_in_every_output(tmp_path: Path) -> None:
    settings = compose_settings([*UNTRAINED, "federation=goteborgsregionen", f"results={tmp_path}", "name=gr"])
    folder = RunFolder(settings.folder)
    folder.write_info(make_plan(settings).info)
    report = write_report(folder)
    assert len(report.roster) == 13
    shown = io.StringIO()
    print_leaderboard(report, Console(file=shown, width=200))
    texts = {
        name: (folder.path / name).read_text() for name in ("report.json", "report.md", "report.sv.md", "report.html")
    }
    texts |= {
        "terminal": shown.getvalue(),
        "mlflow": make_nodes(folder, folder.info(), report)[0].tags["mlflow.note.content"],
    }
    for name, text in texts.items():
        assert "syntetiska data" in text, name
        assert "real municipality" in text or "verklig kommun" in text, name
