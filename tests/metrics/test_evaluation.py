"""kommunbench's metrics through Hugging Face `evaluate`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import evaluate
import pytest
from scoring import row, total

from kommunbench.core.errors import ConfigError, DataError
from kommunbench.core.registry import find
from kommunbench.metrics.evaluation import as_evaluate

ROWS = [
    row("Åsa går hem kl. 14.30. (2 §)", "Åsa går hem. (2 §)", source="Åsa går hem kl. 14.30 varje dag."),
    row("", "Står inte i riktlinjen.", source="1 § Ring."),
    row("Det kostar 35 kronor", "Det kostar 3,5 kronor", "Det är dyrt", source="Priset är 3,5 kronor."),
]


@pytest.mark.parametrize("name", ["rouge", "chrf", "exact_match", "token_f1", "citation", "abstention", "lix"])
def test_evaluate_agrees_with_the_tally(name: str) -> None:
    module, metric = as_evaluate(name), find("metrics", name)
    assert isinstance(module, evaluate.Metric)
    pooled = total(metric, ROWS)
    for answer, example in ROWS[:1]:
        module.add(prediction=answer, reference=list(example.references))
    module.add_batch(
        predictions=[answer for answer, _ in ROWS[1:]], references=[list(example.references) for _, example in ROWS[1:]]
    )
    expected = {measure.name: metric.value(pooled, measure) for measure in metric.measures}
    assert module.compute() == {**expected, "n": pooled[0], "unscored": pooled[1]}


@pytest.mark.parametrize("name", ["sari", "copied", "grounding", "kept", "compression"])
def test_metrics_of_the_source_take_sources(name: str) -> None:
    metric = find("metrics", name)
    pooled = total(metric, ROWS)
    result = as_evaluate(name, sources=True).compute(
        predictions=[answer for answer, _ in ROWS],
        references=[list(example.references) for _, example in ROWS],
        sources=[example.inputs["input"] for _, example in ROWS],
    )
    assert {key: result[key] for key in result if key not in ("n", "unscored")} == {
        measure.name: metric.value(pooled, measure) for measure in metric.measures
    }


def test_facts_travel_as_json() -> None:
    result = as_evaluate("citation", facts=True).compute(
        predictions=["Ring. (7 §)"], references=["Ring."], facts=['{"citation": "7 §"}']
    )
    assert result["citation_correct"] == 1


def test_a_wrong_call_quotes_no_text() -> None:
    with pytest.raises(DataError) as caught:
        as_evaluate("rouge").compute(predictions=["HEMLIG text", "HEMLIG"], references=["HEMLIG"])
    assert "HEMLIG" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'rouge'"):
        as_evaluate("rogue")


@pytest.mark.slow  # imports evaluate afresh
def test_nothing_is_left_in_any_cache(tmp_path: Path) -> None:
    code = (
        "from kommunbench.metrics.evaluation import as_evaluate\n"
        "as_evaluate('rouge').compute(predictions=['HEMLIG'], references=['HEMLIG'])\n"
        "as_evaluate('rouge').add_batch(predictions=['HEMLIG'], references=['HEMLIG'])\n"
    )
    environment = os.environ | {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-B", "-c", code], env=environment, check=True, cwd=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
