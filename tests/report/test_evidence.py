"""The bundle for a data-protection officer: the records' facts in right Swedish, blanks where no record can know."""

from __future__ import annotations

import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from federated_folder import settings_for
from kommunbench.core.answer import Code, Memory
from kommunbench.core.dp import DpSettings, PrivateSteps
from kommunbench.core.errors import DataError
from kommunbench.core.masking import MASKED_SUM
from kommunbench.release import Identity, Ledger, ReleasePolicy, let_out
from kommunbench.report.controls import CONTROLS
from kommunbench.report.evidence import BLANK, LEGAL, run_bundle
from kommunbench.report.pdf import bundle_markdown, bundle_pdf
from kommunbench.report.record import RunFolder
from kommunbench.report.site_evidence import SiteRecords, site_bundle
from masked_run import SECAGG, five_sites, losing, run_here
from release import doorway as d
from signed_run import home, signed_run

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return signed_run(tmp_path_factory.mktemp("runs") / "pilot-1")


def records(run: RunFolder, site: str) -> SiteRecords:
    return SiteRecords(home(run, site) / "ledger.jsonl", Identity.of(home(run, site)).public, ReleasePolicy())


def text_of(pdf: bytes) -> str:
    """The PDF's words with every break as one space."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def squeezed(text: str) -> str:
    """Without white space: long words are broken over lines."""
    return re.sub(r"\s", "", text)


def test_the_coordinators_pdf_holds_the_records_facts(run):
    bundle = run_bundle(run)
    pdf = bundle_pdf(bundle)
    text = text_of(pdf)
    spec = run.info().spec
    for fact in ("Underlag för dataskydd: pilot-1", "Åvik kommun", "Kontrollen hittade inga fel", "3 av 3"):
        assert fact in text
    for digest in (spec.digest, *(task.digest for task in spec.tasks), *run.journal.keys().values()):
        assert digest in squeezed(text)
    assert text.count(BLANK) >= len(LEGAL)
    assert pdf == bundle_pdf(bundle)


def test_the_least_number_of_examples_is_the_one_in_the_answers(run):
    (table,) = next(
        section for section in run_bundle(run).sections if section.title.startswith("Vad som lämnade")
    ).tables
    assert [(row[0], row[2]) for row in table.rows] == [("Ekby kommun", "40"), ("Åvik kommun", "60")]


def test_a_changed_run_is_not_called_whole(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "pilot-1")
    (tmp_path / "pilot-1" / "releases" / "close" / "ekby.json").unlink()
    text = bundle_markdown(run_bundle(RunFolder(tmp_path / "pilot-1")))
    assert "Kontrollen hittade fel" in text
    assert "hittade inga fel" not in text


def test_a_run_of_masked_sums_shows_sums_and_says_that_no_sites_own_are_known(tmp_path):
    folder = run_here(settings_for(five_sites(tmp_path / "data"), *SECAGG, "name=masked"), losing("åvik", "mask"))
    text = bundle_markdown(run_bundle(folder))
    assert "Kontrollen hittade inga fel" in text
    assert "Vad en enskild organisation bidrog med syns inte här" in text
    sums = [each for each in folder.received() if each.site == MASKED_SUM]
    given = [count for each in sums for count in each.given_by if count]
    assert f"{len(given)} tal över minst {min(given)} organisationer" in text
    assert re.search(r"\| åvik *\| *1 av 2 \|", text)


def test_the_sites_pdf_holds_its_ledgers_facts_and_its_own_alone(run):
    found = records(run, "ekby")
    text = text_of(bundle_pdf(site_bundle("pilot-1", found)))
    lines = Ledger(found.ledger).entries()
    assert "avslutning 0" in text
    assert found.public in squeezed(text)
    assert "7" * 64 in squeezed(text)
    assert lines[0]["spec"] in squeezed(text)
    assert "åvik" not in text.lower()
    assert "en annan och visas därför inte" not in text


def test_a_private_runs_epsilon_and_what_its_weights_remember_are_the_ledgers(tmp_path):
    """Two rounds of private training through the real door; the last line has what both cost together."""
    home, dp = tmp_path / "ekby", DpSettings(name="sgd", epsilon=3.0)
    ledger = Ledger(home / "ledger.jsonl", Identity.of(home))
    spec = d.make_spec(dp=dp, rounds=2)
    for number, (epsilon, others) in enumerate(((1.25, 30), (2.125, 130))):
        steps = PrivateSteps(noise_multiplier=1.5, sample_rate=0.1, steps=5, epsilon=epsilon, delta=dp.delta)
        memory = Memory(exposure_bits=1.5, auc=0.53, tpr=0.02, members=40, non_members=others)
        request = d.train_request(spec=spec, seed=number)
        answer = replace(d.trained(request), private_steps=steps, memory=memory)
        release = let_out(d.make_policy(training="allow", adapters="allow"), request, answer, d.weights(), ledger)
        assert release.adapter_code is Code.OK
    text = bundle_markdown(site_bundle("pilot-1", SiteRecords(ledger.path, Identity.of(home).public)))
    assert re.search(r"\| *2 *\| *2,125 *\| *1e-05 *\|", text)
    assert re.search(r"\| *1 *\| *1,50 *\| *0,530 *\| *0,020 *\| *40 och 30 *\| ja *\|", text)
    assert "färre än 100 andra exempel" in text
    assert "har ingen förbrukning av epsilon" not in text


def test_another_policy_than_the_one_that_held_is_not_shown(run):
    found = records(run, "ekby")
    text = bundle_markdown(site_bundle("pilot-1", SiteRecords(found.ledger, found.public, ReleasePolicy(min_cell=9))))
    assert "en annan och visas därför inte" in text
    assert "min_cell" not in text


def test_a_changed_ledger_is_not_called_whole(run, tmp_path):
    shutil.copytree(home(run, "ekby"), tmp_path / "ekby")
    path = tmp_path / "ekby" / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    text = bundle_markdown(site_bundle("pilot-1", SiteRecords(path, Identity.of(tmp_path / "ekby").public)))
    assert "Kontrollen av liggaren hittade fel" in text


def test_a_run_that_the_ledger_does_not_know_has_no_bundle(run):
    with pytest.raises(DataError, match="no line about a run"):
        site_bundle("pilot-2", records(run, "ekby"))


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_every_control_names_a_test_that_there_is(control):
    file, _, name = control.test.partition("::")
    assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8")
