"""How like a stand-in is to the real text, and what of the real text is in it. Worked out at the site; it stays there.

Real and made examples of a task are compared by the same counts. Nothing here quotes a text: the longest run of words
that both have is given by its length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kommunbench.core import swedish
from kommunbench.core.example import SPLITS, Example
from kommunbench.core.registry import find
from kommunbench.core.task import Task
from kommunbench.privacy.memorisation import Canaries
from kommunbench.synthetic.profile import count, kinds_of, texts_of

Sequences = list[list[str]]
NGRAMS = (1, 2, 3)
COUNTS = ("rows", *SPLITS)
QUANTILES = {"words_low": 0.1, "words_middle": 0.5, "words_high": 0.9}
STYLE = {"sentence_length": "words", "long_words": "share", "lix": "lix"}
"""Measures of style, with their units."""


class Both(NamedTuple):
    """One number of the real examples and of the stand-in's; None where there is nothing to make it of.

    Args:
        what: of COUNTS, QUANTILES (words of a text) or STYLE; `kind`, a share; `moved`, the share of the stand-in's
            examples that would have to change kind (total variation distance).
        field: the task's, or the kind.
        unit: `whole`, `words`, `share` or `lix`.
    """

    what: str
    field: str
    real: float | None
    made: float | None
    unit: str


class Overlap(NamedTuple):
    """N-grams of words: the share of the real text's that the stand-in has too, as they run, and the other way."""

    n: int
    of_real: float
    of_made: float


@dataclass(frozen=True, slots=True)
class Leakage:
    """What of the real text is in the stand-in.

    Args:
        longest_words, longest_characters: the longest run of words that is in both, case and punctuation aside.
        nearest, nearest_median: cosine distance (0: the same words, 1: none shared; words and pairs, by tf-idf) from a
            made example to the real one nearest to it: the least, and the median over the stand-in.
        own, own_median: the same from a real example to another real one, to hold it against; None with one alone.
        planted, found: canaries put into a copy of the real text, and those of them in what was made of its statistics.
    """

    longest_words: int
    longest_characters: int
    nearest: float
    nearest_median: float
    own: float | None
    own_median: float | None
    planted: int
    found: int


def fidelity(task: Task, real: Sequence[Example], made: Sequence[Example]) -> Iterator[Both]:
    """Rows, lengths, style and mix of kinds, real against made."""
    one, other = count(task, real), count(task, made)
    for name, left, right in zip(COUNTS, (one.rows, *one.splits), (other.rows, *other.splits), strict=True):
        yield Both(name, "", left, right, "whole")
    mixes = [np.array(each.kinds) / (each.rows or 1) for each in (one, other)]
    for at, kind in enumerate(kinds_of(task)):
        yield Both("kind", kind, float(mixes[0][at]), float(mixes[1][at]), "share")
    if kinds_of(task):
        yield Both("moved", "", 0.0, float(np.abs(mixes[0] - mixes[1]).sum() / 2), "share")
    for field in one.fields:
        lengths = [_lengths(task, examples, field) for examples in (real, made)]
        for name, share in QUANTILES.items():
            middles = [float(np.quantile(each, share)) if each else None for each in lengths]
            yield Both(name, field, middles[0], middles[1], "whole")
        for name, unit in STYLE.items():
            styles = [_style(name, each.fields[field].tallies) for each in (one, other)]
            yield Both(name, field, styles[0], styles[1], unit)


def _style(name: str, tallies: Mapping[str, Sequence[int]]) -> float | None:
    """Words a sentence, LIX, or the share of long words, of a field's tallies."""
    if name == "sentence_length":
        _, _, words, sentences, _ = tallies["lix"]
        return words / sentences if sentences else None
    metric = find("metrics", name)
    value: float | None = metric.value(tallies[name], metric.measure(name))
    return value


def _lengths(task: Task, examples: Sequence[Example], field: str) -> list[int]:
    texts = (texts_of(task, example)[field] for example in examples)
    return [len(swedish.words(text)) for text in texts if text is not None]


def overlaps(task: Task, real: Sequence[Example], made: Sequence[Example]) -> tuple[Overlap, ...]:
    """How much of the words, pairs and triples of words is in both."""
    texts, others = _sequences(task, real), _sequences(task, made)
    found = []
    for n in NGRAMS:
        one, other = (Counter(gram for words in each for gram in _grams(words, n)) for each in (texts, others))
        found.append(Overlap(n, _shared(one, other), _shared(other, one)))
    return tuple(found)


def leakage(task: Task, real: Sequence[Example], made: Sequence[Example], canaries: tuple[int, int]) -> Leakage:
    """The other table; `canaries` are how many were planted and found."""
    longest = longest_shared(_sequences(task, real), _sequences(task, made))
    near, own = _distances(task, real, made)
    return Leakage(
        len(longest), len(" ".join(longest)),
        float(near.min()), float(np.median(near)),
        float(own.min()) if len(own) else None, float(np.median(own)) if len(own) else None,
        *canaries,
    )  # fmt: skip


def longest_shared(one: Sequences, other: Sequences) -> tuple[str, ...]:
    """The longest run of words that is in a text of each; empty where they share no word.

    A run that is shared has all shorter ones in it: its length is doubled while it is, and then found by halving.
    """
    high, found = 1, _shared_run(one, other, 1)
    while found and (longer := _shared_run(one, other, 2 * high)):
        high, found = 2 * high, longer
    low, high = (high, 2 * high - 1) if found else (0, 0)
    while low < high:
        n = (low + high + 1) // 2
        shared = _shared_run(one, other, n)
        low, high, found = (n, high, shared) if shared else (low, n - 1, found)
    return found


def _shared_run(one: Sequences, other: Sequences, n: int) -> tuple[str, ...]:
    """A run of n words that is in both; empty where there is none."""
    known = {gram for words in one for gram in _grams(words, n)}
    return next((gram for words in other for gram in _grams(words, n) if gram in known), ())


def planted(task: Task, examples: Sequence[Example], canaries: Canaries) -> list[Example]:
    """A copy of the examples with each canary in every field of one of them, as a row of a table."""
    copy = list(examples)
    for at, (word, code) in enumerate(canaries.planted):
        place = at * len(copy) // len(canaries.planted)
        one, row = copy[place], f"\n| {word} | {code} |"
        inputs = {name: text + row if name in task.inputs else text for name, text in one.inputs.items()}
        copy[place] = replace(one, inputs=inputs, references=tuple(text + row for text in one.references))
    return copy


def canaries_in(canaries: Canaries, rows: Sequence[object]) -> int:
    """How many canaries' digits are in the rows, whatever stands between them."""
    digits = ["".join(filter(str.isdigit, str(row))) for row in rows]
    return sum(any("".join(code.split()) in row for row in digits) for _, code in canaries.planted)


def _sequences(task: Task, examples: Sequence[Example]) -> Sequences:
    return [swedish.tokens(text) for example in examples for text in texts_of(task, example).values() if text]


def _grams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[at:] for at in range(n)), strict=False)


def _shared(one: Counter[tuple[str, ...]], other: Counter[tuple[str, ...]]) -> float:
    return sum(count for gram, count in one.items() if gram in other) / (one.total() or 1)


def _distances(
    task: Task, real: Sequence[Example], made: Sequence[Example]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """From each made example to the nearest real one, and from each real one to the nearest other."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    whole = [[" ".join(filter(None, texts_of(task, example).values())) for example in each] for each in (real, made)]
    weighed = TfidfVectorizer(tokenizer=swedish.tokens, token_pattern=None, lowercase=False, ngram_range=(1, 2))
    weighed.fit([*whole[0], *whole[1]])
    places, others = (weighed.transform(each) for each in whole)
    nearest = NearestNeighbors(metric="cosine", algorithm="brute").fit(places)
    near = nearest.kneighbors(others, n_neighbors=1)[0][:, 0]
    own = nearest.kneighbors(n_neighbors=1)[0][:, 0] if len(real) > 1 else np.zeros(0)
    return near, own
