"""What models read out of answers before a metric counts them: by whom, and what becomes of it where nobody can."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest

from kommunbench.core.answer import Code
from kommunbench.core.example import Example
from kommunbench.core.metric import add
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.core.registry import find
from kommunbench.core.spec import PromptRef
from kommunbench.core.task import load_task
from kommunbench.models.reader import reader_digests
from kommunbench.report.codes import Outcome, outcome
from kommunbench.site.evaluate import Way, evaluate
from kommunbench.site.evaluations import KeptEvaluations
from kommunbench.site.readings import Answered, Readers, Took

DECODING = Decoding(max_new_tokens=16)
WAY = Way(PromptRef(name="plain", variant="plain"))
TRIAGE = load_task("triage")


def examples() -> list[Example]:
    return [
        Example(raw["id"], {"input": raw["input"]}, tuple(raw["references"]),
                facts={"label": raw["label"], "labels": list(TRIAGE.labels)})
        for raw in TRIAGE.examples
    ]  # fmt: skip


class Sure:
    """Says gata; finds each label as likely as its place in the list says, and counts what it was asked."""

    def __init__(self) -> None:
        self.card, self.digest, self.asked = ModelCard(name="sure", family="constant"), "0" * 64, 0

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:
        return [Completion("Enhet: gata. Prioritet: gul.") for _ in queries]

    def log_likelihoods(self, questions: Sequence[tuple[str, Sequence[str]]], decoding: Decoding) -> list[list[float]]:
        self.asked += len(questions)
        assert all("Meddelande:" in prompt for prompt, _ in questions)
        return [[math.log(1 + place) for place, _ in enumerate(beginnings)] for _, beginnings in questions]


class Mute:
    """As sure, and says so to nobody."""

    card, digest, generate = ModelCard(name="mute", family="constant"), "0" * 64, Sure.generate


class Broken(Sure):
    """Fails when asked, with a text in its message."""

    def log_likelihoods(self, questions: Sequence[tuple[str, Sequence[str]]], decoding: Decoding) -> list[list[float]]:
        raise ValueError("HEMLIG")


def test_the_answering_model_says_how_sure_it_is() -> None:
    model = Sure()
    result = evaluate(TRIAGE, WAY, examples(), model, DECODING, Readers())
    total, metric = result.total("label_calibration"), find("metrics", "label_calibration")
    share = 3 / 36  # gata is third of eight: 3 / (1 + 2 + ... + 8)
    assert model.asked == 3
    assert total[:2] == (3, 0)
    brier = metric.value(total, metric.measure("label_brier"))
    assert brier == pytest.approx(((1 - share) ** 2 + 2 * share**2) / 3, abs=1e-12)
    assert metric.value(total, metric.measure("label_ece")) == pytest.approx(abs(1 / 3 - share), abs=1e-12)


def test_a_model_that_says_nothing_of_it_leaves_the_metric_unavailable_and_the_others_as_they_are() -> None:
    result = evaluate(TRIAGE, WAY, examples(), Mute(), DECODING, Readers())
    assert result.total("label_calibration") is Code.NO_READING
    assert set(result.per_example["label_calibration"]) == {find("metrics", "label_calibration").unscored}
    assert result.total("label")[0] == 3


def test_a_reading_that_fails_is_a_failure_and_is_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = evaluate(TRIAGE, WAY, examples(), Broken(), DECODING, Readers())
    assert result.total("label_calibration") is Code.READING_FAULT
    assert outcome(Code.READING_FAULT) is Outcome.FAILED
    assert outcome(Code.NO_READING) is Outcome.UNAVAILABLE
    assert result.total("label")[0] == 3
    assert "reading what label_calibration needs: ValueError" in caplog.text
    assert "HEMLIG" not in caplog.text
    kept = KeptEvaluations(tmp_path)
    kept.save("a" * 64, result)
    assert kept.find("a" * 64, ["label"]) is not None
    assert kept.find("a" * 64, TRIAGE.metrics) is None, "so the next run reads again"


def test_what_answers_took_is_summed_to_the_last_unit_and_tokens_are_the_models_own() -> None:
    answers = [Completion("gata", 30 + place, 1 + place) for place in range(3)]
    made = Answered([Query("", {}, "triage")] * 3, answers, examples(), Mute(), DECODING, took=Took(1_000_001, 7))
    metric = find("metrics", "cost")
    tallies = [metric.score("gata", one) for one in made.examples_for(metric)]
    assert reduce(add, tallies) == (3, 0, 30 + 31 + 32, 1 + 2 + 3, 1_000_001, 7, 3)
    total = reduce(add, tallies)
    values = [metric.value(total, measure) for measure in metric.measures]
    assert values == [31, 2, 1.000001 / 3, 0.007 / 3]


def test_energy_that_no_machine_tells_is_not_0() -> None:
    made = Answered([Query("", {}, "triage")], [Completion("gata", 30, 1)], examples()[:1], Mute(), DECODING,
                    took=Took(5, None))  # fmt: skip
    metric = find("metrics", "cost")
    (one,) = made.examples_for(metric)
    assert metric.value(metric.score("gata", one), metric.measure("cost_joules")) is None
    assert metric.score("gata", Example("x", {})) == metric.unscored


def test_every_evaluation_measures_what_it_took() -> None:
    result = evaluate(TRIAGE, WAY, examples(), Sure(), DECODING, Readers())
    n, unscored, _, _, microseconds, *_ = result.sum("cost")
    assert (n, unscored) == (3, 0)
    assert 0 < microseconds <= (result.milliseconds + 1) * 1000


def write_readers(conf: Path, tagger: Path) -> None:
    (conf / "readers").mkdir(parents=True)
    (conf / "readers" / "tagger.yaml").write_text(f"path: {tagger}\n", encoding="utf-8")


@pytest.fixture
def tagger(tmp_path: Path) -> Path:
    """One that knows a few words, in NLTK's form."""
    words = {"Nämnden": "NN", "beslutade": "VB|PRT", "om": "PP", "avgiften": "NN", "inte": "AB", ".": "MAD"}
    folder = tmp_path / "words"
    folder.mkdir()
    for part, stated in (("weights", {}), ("tagdict", words), ("classes", sorted({*words.values(), "JJ"}))):
        (folder / f"swe.{part}.json").write_text(json.dumps(stated), encoding="utf-8")
    return folder


def test_a_tagger_is_the_sites_own_and_the_very_one_that_the_run_is_read_with(
    tmp_path: Path, tagger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_readers(tmp_path / "conf", tagger)
    task, wanted = load_task("lattlast"), reader_digests((tmp_path / "conf",))
    answered = Answered([], [Completion("Nämnden beslutade om avgiften. Nämnden beslutade inte.")], [Example("x", {})],
                        Mute(), DECODING, Readers.of(task, (tmp_path / "conf",), wanted))  # fmt: skip
    metric = find("metrics", "nominal_ratio")
    (example,) = answered.examples_for(metric)
    assert metric.score("", example) == (1, 0, 4, 3)
    others = [Readers.of(task, (tmp_path / "conf",), {"tagger": "0" * 64}), Readers.of(task, (tmp_path,), wanted),
              Readers.of(task, (tmp_path / "conf",), {}), Readers.of(TRIAGE, (tmp_path / "conf",), wanted)]  # fmt: skip
    assert others == [Readers()] * 4
    assert "not the one that the run's numbers are read with" in caplog.text
    (unread,) = replace(answered, readers=Readers()).examples_for(metric)
    assert metric.score("", unread) == metric.unscored
