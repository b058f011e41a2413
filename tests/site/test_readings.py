"""What models read out of answers before a metric counts them: by whom, and what becomes of it where nobody can."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from kommunbench.core.answer import Code
from kommunbench.core.example import Example
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.core.registry import find
from kommunbench.core.spec import PromptRef
from kommunbench.core.task import load_task
from kommunbench.models.reader import reader_digests
from kommunbench.site.evaluate import Way, evaluate
from kommunbench.site.readings import Answered, Readers

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


@pytest.mark.parametrize("kind", [Mute, Broken])
def test_a_model_that_says_nothing_of_it_leaves_the_metric_unavailable_and_the_others_as_they_are(
    kind: type[Sure], caplog: pytest.LogCaptureFixture
) -> None:
    result = evaluate(TRIAGE, WAY, examples(), kind(), DECODING, Readers())
    assert result.total("label_calibration") is Code.NO_READING
    assert set(result.per_example["label_calibration"]) == {find("metrics", "label_calibration").unscored}
    assert result.total("label")[0] == 3
    assert "HEMLIG" not in caplog.text
    assert ("label_calibration needs could not be read" in caplog.text) is (kind is Broken)


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
