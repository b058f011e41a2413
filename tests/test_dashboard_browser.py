"""The real dashboard in a real browser. Pictures stay in the test's temporary folder (`--basetemp` chooses it)."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from browser import Browser, needs_browser
from fabricate import fabricate
from kommunbench.report.write import write_report
from kommunbench.tracking import TrackingSettings, find_experiment, log_run

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs and an interrupted one."""
    folder = tmp_path_factory.mktemp("dashboard")
    for seed, name in enumerate(("pilot-a", "pilot-b", "pilot-c")):
        run = fabricate(folder / name, trouble=seed > 0, close=seed < 2, seed=seed)
        write_report(run)
        run.write("figures/made.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><rect/></svg>')
        samples = (
            {"at_ms": 1772440200000 + 5000 * n, "values": {"cpu_utilization_percentage": 90.0 + n}} for n in range(9)
        )
        run.write("machine.jsonl", "\n".join(map(json.dumps, samples)))
        if seed < 2:
            run.write("adapter/adapter_config.json", json.dumps({"r": 8, "run": name}))
        log_run(run, TrackingSettings())
    return folder


@pytest.fixture(scope="module")
def address(results: Path) -> Iterator[str]:
    """The running dashboard, started as a person would and ended by Ctrl-C."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "from kommunbench.cli.dashboard import app; app()"
    options = ["--results", str(results), "--port", str(port), "--no-open"]
    process = subprocess.Popen([sys.executable, "-c", code, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        found = next((match[0] for line in lines if (match := re.search(r"http://\S+", line))), None)
        assert found, (results / "dashboard.log").read_text()
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert "The dashboard has ended." in process.stdout.read()
        with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
            probe.connect(("127.0.0.1", port))
    finally:
        process.kill()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    browser = Browser(tmp_path)
    yield browser
    browser.driver.quit()


def test_a_person_finds_their_way_from_the_run_list_to_a_comparison(results, address, browser):
    driver = browser.driver
    driver.get(address)
    browser.see("pilot-a", "pilot-b", "pilot-c", "primary/lattlast", "gain/lattlast")
    assert "Welcome to MLflow Assistant" not in driver.execute_script("return document.body.innerText")
    browser.picture("runs")

    browser.click("pilot-b")
    browser.see("federated less base", "gain/summarization", "nano plain federated", "Finished")
    browser.picture("run")
    browser.click("Artifacts")
    browser.click("report.md")
    browser.see("report.md", "Leaderboard")
    browser.picture("report")
    browser.click("figures")
    browser.click("made.svg")
    browser.see("made.svg")
    browser.picture("figure")

    browser.click("System metrics")
    browser.see("cpu_utilization_percentage")
    browser.picture("machine")

    browser.click("Overview")
    browser.click("nano plain federated")
    browser.see("primary/summarization")
    browser.picture("system")
    browser.click("Model metrics")
    browser.see("guideline_qa", "Step")
    browser.picture("curves")

    experiment = find_experiment(TrackingSettings().store(results))
    driver.get(
        f"{address}#/compare-runs?runs={quote(json.dumps(systems(results)))}&experiments=%5B%22{experiment}%22%5D"
    )
    browser.see("Parallel Coordinates Plot", "nano plain federated", "lead plain base", "standing/leads")
    browser.picture("compare")

    driver.get(f"{address}#/models/kommunbench-pilot-nano?workflowType=machine_learning")
    browser.see("kommunbench-pilot-nano", "champion")
    browser.picture("model")

    assert browser.complaints == []
    strangers = {url for url in browser.asked if not url.startswith((address, "data:", "blob:", "about:", "chrome:"))}
    assert strangers == set(), "the page asked someone else"


def systems(results: Path) -> list[str]:
    """Ids of every system of the second run."""
    from mlflow import MlflowClient

    client = MlflowClient(TrackingSettings().store(results))
    query = "tags.`kommunbench.level` = 'system' and tags.`kommunbench.run` = 'pilot-b'"
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run.info.run_id for run in client.search_runs(experiments, query)]
