"""What every metric is held against, and the page docs/metrics.md that says so."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kommunbench.core.metric import Field, Measure
from kommunbench.core.registry import find, names

N = 1000
PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"


class Oracle(NamedTuple):
    """An implementation or count that is not ours, and on how many answers the two are equal."""

    what: str
    n: int
    real: bool = True
    """Made of real Swedish sentences, from ../shared/data."""
    file: str = "test_oracles.py"


HAND = "counted by hand"
ORACLES = {
    "abstention": Oracle("scikit-learn: precision, recall, F1", N),
    "bleu": Oracle("sacrebleu, corpus_score", 2 * N, file="test_bleu.py"),
    "chrf": Oracle("sacrebleu, corpus_score", 3 * N, file="test_chrf.py"),
    "citation": Oracle("scikit-learn: micro precision and recall, subset accuracy", N),
    "compression": Oracle("a plain count", N),
    "copied": Oracle("the paper's algorithm, written out", N, file="test_source.py"),
    "exact_match": Oracle("a plain comparison of normalised texts", N),
    "grounding": Oracle("set arithmetic on the numbers and names found", N),
    "json_answer": Oracle("jsonschema, a schema a constraint", N, real=False),
    "kept": Oracle("set arithmetic on the numbers and names found", N),
    "label": Oracle("scikit-learn: accuracy, macro-F1", N, real=False),
    "language": Oracle(
        "the known language (right above .97, wrong below .01)",
        2 * N,
        file="test_facts.py",
    ),
    "lattlast_rules": Oracle(HAND, 24, real=False, file="test_style.py"),
    "lix": Oracle("a plain count of words, sentences and letters", N),
    "long_words": Oracle("a plain count of words and letters", N),
    "meaning": Oracle(HAND, 5, real=False, file="test_facts.py"),
    "ovix": Oracle("the formula (to 1e-9, its fixed point)", N),
    "rated_agreement": Oracle("the package krippendorff (to 1e-6)", 60, real=False, file="test_rated.py"),
    "rated_by_metric": Oracle("scipy: pearsonr (to 1e-9)", 60, real=False, file="test_rated.py"),
    **dict.fromkeys(
        ("rated_complete", "rated_correct", "rated_plain", "rated_usable"),
        Oracle(HAND, 3, real=False, file="test_rated.py"),
    ),
    "repetition": Oracle("a plain count of runs of three", N),
    "rouge": Oracle("rouge-score with a Swedish-safe tokenizer", 3 * N, file="test_rouge.py"),
    "s_passive": Oracle("a plain count of the words found", N),
    "sari": Oracle("the paper's formula in fractions, term by term", 2 * N, file="test_sari.py"),
    "sentence_length": Oracle("a plain count of words and sentences", N),
    "template": Oracle("documents put together with known parts left out", N),
    "token_f1": Oracle("a plain reading of SQuAD's F1", N, file="test_answers.py"),
}
INTRODUCTION = """# Metrics

Made by `python benchmarks/metrics_table.py`; a test holds it to the code. A metric adds integers: its fields, each
between stated bounds for one answer. A measure divides them once. `tests/metrics/` holds every one against an
implementation or a count that is not ours, equal to 1e-12 where nothing else is said, and adds it up over uneven sites
to the last bit of the whole. *Real* means answers made of real Swedish sentences (whole, cut, mixed with the reference,
words dropped); sets of fewer than 1,000 rows are filled up by perturbing again. Where the texts are not there, those
tests skip and say so.

| metric | measures (unit, what is better) | fields of one answer, with bounds | source | held against | n |
|---|---|---|---|---|--:|
"""
BETTER = {"higher": "↑", "lower": "↓", "none": ""}


def page() -> tuple[Path, str]:
    """Where the page is, and what it has to say."""
    return PAGE, INTRODUCTION + "\n".join(map(_line, names("metrics"))) + "\n"


def _line(name: str) -> str:
    metric, oracle = find("metrics", name), ORACLES[name]
    cells = (
        f"`{name}`",
        ", ".join(map(_measure, metric.measures)),
        _fields(metric.fields),
        metric.source,
        f"{oracle.what} ({oracle.file})",
        f"{oracle.n:,}" + (" real" if oracle.real else ""),
    )
    return f"| {' | '.join(cells)} |"


def _measure(measure: Measure) -> str:
    return f"{measure.name} ({measure.unit}{BETTER[measure.direction] and ' ' + BETTER[measure.direction]})"


def _fields(fields: tuple[Field, ...]) -> str:
    """Fields by their bounds: the first three named, then how many."""
    by_bounds: dict[str, list[str]] = {}
    for field in fields:
        bounds = f"{field.low / field.scale:g}..{field.high / field.scale:g}"
        by_bounds.setdefault(bounds, []).append(field.name)
    return "; ".join(
        f"{', '.join(found[:3])}{f' and {len(found) - 3} more' if len(found) > 3 else ''}: {bounds}"
        for bounds, found in by_bounds.items()
    )
