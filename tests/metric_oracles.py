"""What every metric is held against, and the page docs/metrics.md that says so."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kommunbench.core.metric import Field, Measure
from kommunbench.core.registry import find, names

N = 1000
EVERY = 2067
"""All rows of real text that have a reference."""
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
    "abstention_calibration": Oracle(
        "scikit-learn: brier_score_loss, calibration_curve", N, file="test_calibration.py"
    ),
    "abstention": Oracle("scikit-learn: precision, recall, F1", N),
    "bertscore": Oracle(
        "statistics: mean, deviation (of what it sums: bert-score, to 1e-5, its float32; test_readers.py)",
        N,
        real=False,
        file="test_read.py",
    ),
    "bleu": Oracle("sacrebleu, corpus_score", 2 * N, file="test_bleu.py"),
    "chrf": Oracle("sacrebleu, corpus_score", 3 * N, file="test_chrf.py"),
    "citation": Oracle("scikit-learn: micro precision and recall, subset accuracy", N),
    "compression": Oracle("a plain count", EVERY),
    "copied": Oracle("the paper's algorithm, written out", N, file="test_source.py"),
    "cost": Oracle("sums by hand; a clock around the model", 3, real=False, file="test_readings.py"),
    "exact_match": Oracle("a plain comparison of normalised texts", N),
    "grounding": Oracle("set arithmetic on the numbers and names found", EVERY),
    "json_answer": Oracle("jsonschema, a schema a constraint", N, real=False),
    "kept": Oracle("set arithmetic on the numbers and names found", EVERY),
    "label_calibration": Oracle(
        "scikit-learn: brier_score_loss, calibration_curve", N, real=False, file="test_calibration.py"
    ),
    "label": Oracle("scikit-learn: accuracy, macro-F1", N, real=False),
    "language": Oracle(
        "the known language (right above .97, wrong below .01)",
        2 * N,
        file="test_facts.py",
    ),
    "lattlast_rules": Oracle("another count by rule; by hand, 24 (test_style.py)", EVERY),
    "lix": Oracle("a plain count of words, sentences and letters", EVERY),
    "long_words": Oracle("a plain count of words and letters", EVERY),
    "meaning": Oracle("set arithmetic on dates, words and negations", EVERY),
    "nominal_ratio": Oracle("a plain count of tags (the tags: NLTK; test_readers.py)", N, file="test_read.py"),
    "ovix": Oracle("the formula (to 1e-9, its fixed point)", EVERY),
    "judge_agreement": Oracle(
        "scikit-learn: cohen_kappa_score, quadratic weights", N, real=False, file="test_judge_agreement.py"
    ),
    **dict.fromkeys(
        ("judged_complete", "judged_correct", "judged_plain", "judged_usable"),
        Oracle(HAND, 3, real=False, file="test_judge_agreement.py"),
    ),
    "rated_agreement": Oracle("the package krippendorff (to 1e-6)", 60, real=False, file="test_rated.py"),
    "rated_by_metric": Oracle("scipy: pearsonr (to 1e-9)", 60, real=False, file="test_rated.py"),
    **dict.fromkeys(
        ("rated_complete", "rated_correct", "rated_plain", "rated_usable"),
        Oracle(HAND, 3, real=False, file="test_rated.py"),
    ),
    "repetition": Oracle("a plain count of runs of three", EVERY),
    "rouge": Oracle("rouge-score with a Swedish-safe tokenizer", 3 * N, file="test_rouge.py"),
    "s_passive": Oracle("a plain count of the words found", EVERY),
    "sari": Oracle("the paper's formula in fractions, term by term", 2 * N, file="test_sari.py"),
    "sentence_length": Oracle("a plain count of words and sentences", EVERY),
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

Some need a reading by a model first, and are *not available* (never 0) where none gives it. Calibration needs
likelihoods of the answering model itself, which Hugging Face models give. `nominal_ratio` needs a tagger and
`bertscore` an encoder, in folders on the machines of coordinator and sites: each has `conf/readers/tagger.yaml`
(`path: /srv/tagger`, as NLTK's `PerceptronTagger.save_to_json` writes it) or `conf/readers/encoder.yaml` (`path:`,
`layer:`). A run names them by digest, and a site with another one is not added up. Nothing is downloaded.

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
