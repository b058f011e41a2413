"""Rows to score: real Swedish text where it is at hand, with answers of all kinds of quality made from it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from scoring import SHARED, Scored

from kommunbench.core.example import Example
from metric_oracles import N


@pytest.fixture(scope="session")
def real_rows() -> Callable[[str, int], Scored]:
    """`real_rows(set, n)`: n rows of a set of real text, each with an answer made from it by chance, seeded.

    The set `all` is every row with a reference of every set; asked for 1,000 or more of it, they all come.
    """

    def load(name: str, count: int) -> Scored:
        files = sorted(SHARED.glob("*/*.jsonl" if name == "all" else f"{name}/*.jsonl"))
        if not files:
            pytest.skip("no real text at ../shared/data")
        chance = random.Random(7)
        lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        lines = [line for line in lines if line.get("references")]
        chance.shuffle(lines)
        if name == "all" and count >= N:
            count = max(count, len(lines))
        rows: Scored = []
        while len(rows) < count:
            for line in lines[: count - len(rows)]:
                inputs = {key: line[key] for key in ("input", "context", "question") if key in line}
                references = tuple(line["references"])
                answer = _answer(chance, next(iter(inputs.values())), references[0])
                rows.append((answer, Example(str(len(rows)), inputs, references)))
        return rows

    return load


def _answer(chance: random.Random, source: str, reference: str) -> str:
    """A lead, a copy, a part or a mixture of source and reference, nothing, or the reference with words dropped."""
    kept = [word for word in reference.split() if chance.random() < 0.8]
    words = source.split()
    return chance.choice(
        (
            " ".join(words[: chance.randint(1, 120)]),
            source,
            "",
            reference,
            " ".join(kept),
            " ".join(chance.sample(words, len(words))),
            " ".join(words[: chance.randint(1, 40)] + kept),
            " ".join(reversed(kept)),
        )
    )
