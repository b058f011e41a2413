"""The paragraph of the guideline that is nearest the question, by BM25: the floor for answering from a guideline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults

ABSTENTION = "Står inte i riktlinjen."
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"^(?:(\d+(?:\s?[a-z])?)\s?§|§\s?(\d+(?:\s[a-z]\b)?)|((?:\d+\.)*\d+)[.)]?)\s+")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "att av de den det du en ett för från får gör har hur i inte jag kan man med men måste ni när och om på ska "
        "skall som till under ut vad var vem vi vid vilka vilken vilket är",
    )
)


class Retrieval:
    """Answers from `context` and `question`: the best paragraph's text, then its number as '(4 §)'.

    A paragraph is a line. Words are lower-cased with the commonest function words left out; scores are Lucene's BM25
    (k1 1.5, b 0.75; Kamphuis et al. 2020) by bm25s. Where no word of the question is in the guideline, it abstains.
    """

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        ModelError.raise_if(option_faults(card, {}))
        self.card = card

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query, in order."""
        return [Completion(_answer(query.inputs["context"], query.inputs["question"])) for query in queries]


def _answer(context: str, question: str) -> str:
    import bm25s

    paragraphs = [line.strip() for line in context.splitlines() if line.strip()]
    tokens = [content_words(paragraph) for paragraph in paragraphs]
    wanted = [word for word in content_words(question) if any(word in paragraph for paragraph in tokens)]
    if not wanted:
        return ABSTENTION
    index = bm25s.BM25(k1=1.5, b=0.75)
    index.index(tokens, show_progress=False)
    best = paragraphs[int(index.get_scores(wanted).argmax())]
    number = _NUMBER.match(best)
    if number is None:
        return best
    return f"{best[number.end() :]} ({next(group for group in number.groups() if group)} §)"


def content_words(text: str) -> list[str]:
    """Words in order, lower-cased, without the commonest function words."""
    return [word for word in _WORD.findall(text.lower()) if word not in _COMMON]


FAMILY = Retrieval
