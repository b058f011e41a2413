"""The sentences that are most like all the others: TextRank, a floor for summaries of texts without a lead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.copy import main_text
from kommunbench.models.lead import split_sentences
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults
from kommunbench.models.retrieval import content_words

MOST = 400
"""Sentences that are ranked, from the start: pairs grow with the square."""


class TextRank:
    """Answers with the `sentences` (an option, 1 or more, default 2) that rank highest, in the order of the text.

    Mihalcea and Tarau 2004: sentences are joined by the words that they share, over the logarithms of their lengths,
    and ranked by PageRank (networkx; damping 0.85). Words are lower-cased, without the commonest function words.
    """

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        faults = option_faults(card, {"sentences": int})
        self.card, self.count = card, card.options.get("sentences", 2)
        if isinstance(self.count, int) and self.count < 1:
            faults.append(Fault("sentences is a whole number from 1", f"models.{card.name}.options"))
        ModelError.raise_if(faults)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query, in order."""
        return [Completion(_summary(main_text(query.inputs), int(self.count))) for query in queries]


def _summary(text: str, count: int) -> str:
    sentences = split_sentences(text)[:MOST]
    best = sorted(ranked(sentences)[:count])
    return " ".join(sentences[place] for place in best)


def ranked(sentences: Sequence[str]) -> list[int]:
    """Places of the sentences, the highest rank first; equal ranks in the order of the text."""
    import networkx

    words = [set(content_words(sentence)) for sentence in sentences]
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(sentences)))
    for left in range(len(sentences)):
        for right in range(left):
            shared = len(words[left] & words[right])
            if shared and (scale := math.log(len(words[left])) + math.log(len(words[right]))) > 0:
                graph.add_edge(left, right, weight=shared / scale)
    ranks = networkx.pagerank(graph, alpha=0.85) if sentences else {}
    return sorted(range(len(sentences)), key=lambda place: (-round(ranks[place], 9), place))


FAMILY = TextRank
