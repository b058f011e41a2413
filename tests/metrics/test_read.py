"""Metrics of what a site's own tagger and encoder read: against plain counts, and unscored where nobody read."""

from __future__ import annotations

import random
import re
import statistics
from collections import Counter
from collections.abc import Callable

import pytest
from scoring import Scored, row, total, value

from kommunbench.core.registry import find
from metric_oracles import N

SUC = {"NN|UTR|SIN": 1, "PP": 1, "PC|PRF": 1, "PN": -1, "AB|POS": -1, "VB|PRS": -1, "PM|NOM": 0, "JJ": 0, "MAD": 0}
UD = {"NOUN": 1, "ADP": 1, "PRON": -1, "ADV": -1, "VERB": -1, "AUX": -1, "PROPN": 0, "ADJ": 0, "PUNCT": 0}
counts = pytest.mark.parametrize("count", [40, pytest.param(N, marks=pytest.mark.slow)])


@counts
@pytest.mark.parametrize("tagset", [SUC, UD], ids=["suc", "ud"])
def test_nominal_ratio_is_one_count_over_the_other(
    real_rows: Callable[[str, int], Scored], tagset: dict[str, int], count: int
) -> None:
    chance, rows, seen = random.Random(2), [], Counter[int]()
    for answer, _ in real_rows("translation_pud", count):
        tags = chance.choices(list(tagset), k=len(re.findall(r"\w+|[^\w\s]", answer)))
        seen.update(tagset[tag] for tag in tags)
        rows.append(row(answer, tags=tags))
    assert value(find("metrics", "nominal_ratio"), "nominal_ratio", rows) == pytest.approx(
        seen[1] / seen[-1], abs=1e-12
    )


@counts
def test_bertscore_is_the_mean_and_the_standard_deviation(count: int) -> None:
    chance, metric = random.Random(3), find("metrics", "bertscore")
    found = [tuple(chance.uniform(-1, 1) for _ in range(3)) for _ in range(count)]
    rows = [row("svar", "svar", similarity=one) for one in found]
    for place, part in enumerate(("precision", "recall", "f1")):
        mean = statistics.fmean(one[place] for one in found)
        assert value(metric, f"bertscore_{part}", rows) == pytest.approx(mean, abs=1e-12)
    spread = statistics.pstdev(one[2] for one in found)
    assert value(metric, "bertscore_spread", rows) == pytest.approx(spread, abs=1e-11)


@pytest.mark.parametrize(("name", "facts"), [
    ("nominal_ratio", {}), ("nominal_ratio", {"tags": "NN"}), ("nominal_ratio", {"tags": [1]}),
    ("bertscore", {}), ("bertscore", {"similarity": (1, 1)}), ("bertscore", {"similarity": (0.1, 0.2, 1.5)}),
])  # fmt: skip
def test_what_nobody_read_is_unscored_and_never_0(name: str, facts: dict[str, object]) -> None:
    metric = find("metrics", name)
    pooled = total(metric, [row("Avgiften höjs.", "Avgiften höjs.", **facts)])
    assert pooled == metric.unscored
    assert all(metric.value(pooled, measure) is None for measure in metric.measures)
