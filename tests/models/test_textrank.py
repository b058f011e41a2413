"""TextRank against PageRank worked out by hand on a small graph, and what it does with short texts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.textrank import TextRank, ranked

SENTENCES = [
    "Badhuset stänger i maj.",
    "Kommunen lagar badhuset och taket under våren.",
    "Taket på badhuset läcker, säger kommunen.",
    "Biblioteket har öppet.",
]


def test_ranks_are_the_stationary_distribution_of_the_walk() -> None:
    """The random walk solved as a linear system: an oracle that iterates nothing."""
    words = [{"badhuset", "stänger", "maj"}, {"kommunen", "lagar", "badhuset", "taket", "våren"},
             {"taket", "badhuset", "läcker", "säger", "kommunen"}, {"biblioteket", "öppet"}]  # fmt: skip
    weights = np.zeros((4, 4))
    for left, right in ((0, 1), (0, 2), (1, 2)):
        shared = len(words[left] & words[right])
        weights[left, right] = weights[right, left] = shared / (
            math.log(len(words[left])) + math.log(len(words[right]))
        )
    walk = np.full((4, 4), 0.25)
    for row in range(3):
        walk[row] = weights[row] / weights[row].sum()
    matrix = np.eye(4) - 0.85 * walk.T
    ranks = np.linalg.solve(matrix, np.full(4, 0.15 / 4))
    assert ranked(SENTENCES) == np.argsort(-ranks, kind="stable").tolist()


def answer(text: str, **options: int) -> str:
    model = TextRank(ModelCard(name="textrank", family="textrank", options=options))
    (found,) = model.generate([Query("", {"input": text}, "summarization")], Decoding(max_new_tokens=1))
    return found.text


def test_the_best_come_in_the_order_of_the_text() -> None:
    assert answer(" ".join(SENTENCES), sentences=2) == f"{SENTENCES[1]} {SENTENCES[2]}"


@pytest.mark.parametrize("text", ["", "En mening.", "Ja. Nej. Nja."])
def test_a_text_without_pairs_is_its_beginning(text: str) -> None:
    assert answer(text) == " ".join(text.split(" ")[:2])
