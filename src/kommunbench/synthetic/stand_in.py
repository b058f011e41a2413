"""A stand-in for a site's own data, out of its released statistics and nothing else.

    rows = stand_in(statistics)     # {"triage": [{"id": ..., "input": ..., ...}, ...], ...}

The function has one argument, and a `Statistics` holds integers alone: what a stand-in says cannot come from a text.
The words are those of the generators that make invented organisations. The statistics choose among what they write:

1. of some invented houses, the one whose sentences and words are most like the site's in length;
2. for each row a kind (label, direction, answerable or not) in the site's proportions, and a length for each field out
   of the site's bins, and of the rows that the house writes the one that fits best;
3. where a text is to be longer than the house writes any, more of its texts after it (`LONGER`), with their reference.

It says nothing that is true of the site but sizes, lengths, style and the mix of kinds, and a generator cannot write
shorter than it writes. `kommunbench site synth` shows how near it came.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, NamedTuple

import numpy as np

from kommunbench.core.example import SPLITS, Example, Split
from kommunbench.core.registry import find, names
from kommunbench.core.task import Task, load_task
from kommunbench.release.statistics import METRICS, Statistics, TaskStatistics, Texts
from kommunbench.synthetic.organisation import Organisation, Recipe, Sizes, source
from kommunbench.synthetic.profile import REFERENCE, kind_of, kinds_of, tally_of, texts_of

HOUSES, TRIED = 12, 12
"""Invented houses to choose from, and rows by which each is judged."""
POOL, MOST = 5, 60
"""Rows to choose from for each that is wanted, and at most to look for so many of a kind that is rare."""
FILL = 60
"""Texts to make others longer with, where they are another task's."""
COMPARED = 48
"""Rows that are held against what a row should be."""
LONGEST = 20_000
"""Words of a text at most, whatever the statistics say."""
STYLE = 0.3
"""How much a row's style counts beside its length."""
UNKNOWN_SHARES = (6, 1, 3)
"""Train, validation and test, where the site's own numbers are held back."""


class Longer(NamedTuple):
    """How a text is made longer.

    Args:
        field: of the row.
        more: the task, and the field of its rows, that the texts after it are from.
        between: what stands between two texts, and between their references; None where the answer stays as it is.
        whole: every text's reference follows; else as many, from the first, as the references should be long.
    """

    field: str
    more: tuple[str, str]
    between: tuple[str, str | None]
    whole: bool = True


LONGER = {
    "summarization": Longer("input", ("summarization", "input"), ("\n\n", " "), whole=False),
    "lattlast": Longer("input", ("lattlast", "input"), (" ", "\n")),
    "translation": Longer("input", ("translation", "input"), (" ", " ")),
    "guideline_qa": Longer("context", ("lattlast", "input"), ("\n", None)),
}
"""Tasks whose answer to two texts is the answers to both; and guidelines, by paragraphs that answer no question."""
_PARAGRAPH = re.compile(r"^(?:(\d+) §|§ (\d+))", re.MULTILINE)


class _Candidate(NamedTuple):
    """A row, its place in `kinds_of`, and for each field (words, words a sentence, share of long words)."""

    row: dict[str, Any]
    kind: int
    measured: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a row should be: its kind where that matters, and words by field where they are known."""

    kind: int | None
    words: Mapping[str, float]


def stand_in(statistics: Statistics) -> dict[str, list[dict[str, Any]]]:
    """Rows by task, as in a site's `<task>.jsonl`: the same for the same statistics. Tasks without a generator lack.

    Raises:
        TaskError: a task of the statistics is not installed.
    """
    known = [name for name in statistics.tasks if name in names("synthetic")]
    return {name: _rows(load_task(name), statistics.tasks[name], statistics) for name in known}


def _rows(task: Task, about: TaskStatistics, statistics: Statistics) -> list[dict[str, Any]]:
    rng = source("stand-in", statistics.seed, task.name)
    sizes = _sizes(about)
    house = _house(task, about, statistics)
    wanted = _wanted(task, about, sum(sizes), rng)
    rows: list[dict[str, Any]] = []
    for split, size in zip(SPLITS, sizes, strict=True):
        mine = wanted[len(rows) : len(rows) + size]
        pool = _pool(_written(task, house, split, MOST * size, statistics.seed), mine)
        if (how := LONGER.get(task.name)) is None:
            rows += [one.row for one, _ in _best(about, pool, mine, rng)]
            continue
        more = how.more[0]
        fill = pool if more == task.name else list(_written(load_task(more), house, split, FILL, statistics.seed))
        rows += _longer(how, about, (pool, fill), mine, rng)
    lacking = round(len(rows) * _share(about.fields.get(REFERENCE)))
    for at in rng.sample(range(len(rows)), lacking):
        rows[at] = rows[at] | {"references": []}
    return rows


def _pool(written: Iterator[_Candidate], wanted: Sequence[_Wanted]) -> list[_Candidate]:
    """Rows to choose from: so many for each that is wanted, of each kind that is."""
    needed = Counter({kind: POOL * count for kind, count in Counter(each.kind for each in wanted).items()})
    pool: list[_Candidate] = []
    for one in written:
        needed.subtract((one.kind, None))
        pool.append(one)
        if len(pool) >= POOL * len(wanted) and max(needed.values()) <= 0:
            break
    return pool


def _sizes(about: TaskStatistics) -> tuple[int, ...]:
    """Rows a split: those that are known, and of the rest the usual shares."""
    rest = max(about.rows - sum(count or 0 for count in about.splits), 0)
    unknown = [share if count is None else 0 for count, share in zip(about.splits, UNKNOWN_SHARES, strict=True)]
    ends = [round(rest * sum(unknown[:at]) / (sum(unknown) or 1)) for at in range(len(unknown) + 1)]
    return tuple(count if count is not None else ends[at + 1] - ends[at] for at, count in enumerate(about.splits))


def _share(texts: Texts | None) -> float:
    """The share of rows that lack the text."""
    return texts.lacking / (texts.texts + texts.lacking) if texts and texts.texts + texts.lacking else 0.0


def _house(task: Task, about: TaskStatistics, statistics: Statistics) -> Organisation:
    """Of the invented houses the one that writes most like the site."""
    houses = [
        Organisation(name=f"stand-in-{number}", title="Stand-in", kind=statistics.kind, sizes={})
        for number in range(HOUSES)
    ]
    means = {name: texts.words / texts.texts for name, texts in about.fields.items() if texts.texts}
    offs = [
        sum(_off(each, about, means, 1.0) for each in _written(task, house, "train", TRIED, statistics.seed))
        for house in houses
    ]
    return houses[int(np.argmin(offs))]


def _written(task: Task, house: Organisation, split: Split, size: int, seed: int) -> Iterator[_Candidate]:
    """So many rows of the house, of all kinds."""
    sizes = Sizes(**{name: size if name == split else 0 for name in SPLITS})
    recipe = Recipe(subject_focus=0, unanswerable_low=0.4, unanswerable_high=0.4)
    writing = house.model_copy(update={"sizes": {task.name: sizes}})
    for row in find("synthetic", task.name)(writing, split, seed, recipe):
        example = _example(task, row)
        measured = {name: _measured(text) for name, text in texts_of(task, example).items() if text is not None}
        yield _Candidate(row, kind_of(task, example), measured)


def _example(task: Task, row: Mapping[str, Any]) -> Example:
    facts = {name: row[name] for name in task.facts}
    return Example(row["id"], {name: row[name] for name in task.inputs}, tuple(row["references"]), facts=facts)


def _measured(text: str) -> tuple[float, float, float]:
    _, _, words, sentences, long_words = tally_of(text, METRICS[:1])[METRICS[0]]
    return words, words / max(sentences, 1), long_words / max(words, 1)


def _wanted(task: Task, about: TaskStatistics, rows: int, rng: random.Random) -> list[_Wanted]:
    """Kinds and lengths in the statistics' proportions, in no order."""
    kinds = _kinds(len(kinds_of(task)), about, rows)
    rng.shuffle(kinds)
    lengths = {name: _lengths(texts, rows) for name, texts in about.fields.items()}
    for each in lengths.values():
        rng.shuffle(each)
    return [_Wanted(kinds[at], {name: each[at] for name, each in lengths.items() if each}) for at in range(rows)]


def _kinds(known: int, about: TaskStatistics, rows: int) -> list[int | None]:
    """A kind a row; None where any will do."""
    counts = about.kinds[:known]
    hidden = [place for place, count in enumerate(counts) if count is None]
    rest = max(about.rows - sum(count or 0 for count in about.kinds), 0) if hidden else 0
    weights = [rest / len(hidden) if count is None else count for count in counts]
    if not sum(weights):
        return [None] * rows
    ends = np.round(np.cumsum(weights) / sum(weights) * rows).astype(int)
    return [int(np.searchsorted(ends, at, side="right")) for at in range(rows)]


def _lengths(texts: Texts, rows: int) -> list[float]:
    """So many lengths in words, evenly over the bins' distribution, and in a bin evenly by ratio."""
    bins = _closed(texts)
    total = sum(count for _, _, count in bins)
    found: list[float] = []
    for at in range(rows):
        place = (at + 0.5) / rows * total
        for low, high, count in bins:
            if place <= count:
                found.append(exp(log(low) + (log(high) - log(low)) * place / count))
                break
            place -= count
    return found


def _closed(texts: Texts) -> list[tuple[float, float, int]]:
    """The bins from one word up, the last one no wider than what the sum of all words leaves for it on average."""
    bins = [(max(low, 1), max(high, 2), count) for low, high, count in texts.lengths if count]
    if not bins:
        return []
    low, high, count = bins[-1]
    others = sum((least + most) / 2 * number for least, most, number in bins[:-1])
    mean = min((texts.words - others) / count, LONGEST)
    return [*bins[:-1], (low, min(high, max(2 * mean - low, low * 1.1)), count)]


def _off(candidate: _Candidate, about: TaskStatistics, words: Mapping[str, float], style: float) -> float:
    """How far a row is from what is wanted: lengths and sentence lengths by ratio, long words by share."""
    off = 0.0
    for name, (own, sentence, long_words) in candidate.measured.items():
        if name in words:
            off += abs(log(max(own, 1) / max(words[name], 1)))
        if (texts := about.fields.get(name)) and texts.words and texts.sentences:
            off += style * abs(log(max(sentence, 1) / (texts.words / texts.sentences)))
            off += style * 4 * abs(long_words - texts.long_words / texts.words)
    return off


def _best(
    about: TaskStatistics, pool: list[_Candidate], wanted: Sequence[_Wanted], rng: random.Random
) -> Iterator[tuple[_Candidate, _Wanted]]:
    """For each wanted row the one of the pool that fits best; each is used once."""
    left = rng.sample(pool, len(pool))
    for each in wanted:
        fitting = [at for at, one in enumerate(left) if each.kind in (None, one.kind)][:COMPARED] or [0]
        offs = [_off(left[at], about, each.words, STYLE) for at in fitting]
        yield left.pop(fitting[int(np.argmin(offs))]), each


def _longer(
    how: Longer,
    about: TaskStatistics,
    texts: tuple[list[_Candidate], list[_Candidate]],
    wanted: Sequence[_Wanted],
    rng: random.Random,
) -> Iterator[dict[str, Any]]:
    """Those rows, each with more texts after its own until it is as long as it should be."""
    pool, fill = texts
    for one, should in _best(about, pool, wanted, rng):
        left = should.words.get(how.field, 0.0) - one.measured[how.field][0]
        said = should.words.get(REFERENCE, 0.0) - one.measured[REFERENCE][0]
        parts, answers = [one.row[how.field]], [one.row["references"][0]]
        alike = [each for each in fill if how.between[1] is None or each.kind == one.kind]
        while left > (other := rng.choice(alike)).measured[how.more[1]][0] / 2:
            left -= other.measured[how.more[1]][0]
            parts.append(other.row[how.more[1]])
            if how.whole or said > other.measured[REFERENCE][0] / 2:
                answers.append(other.row["references"][0])
            said = said - other.measured[REFERENCE][0] if len(answers) == len(parts) else 0.0
        if how.between[1] is None:
            first = 1 + max((int(a or b) for a, b in _PARAGRAPH.findall(parts[0])), default=0)
            parts[1:] = [f"{number} § {text}" for number, text in enumerate(parts[1:], start=first)]
            answers = answers[:1]
        row = dict(one.row) | {how.field: how.between[0].join(parts)}
        yield row | {"references": [(how.between[1] or "").join(answers)]}
