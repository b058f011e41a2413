"""What is known of answers beside their text before a metric counts them: confidence, tags, likeness, what they took.

A metric that `needs` a reading gets it as a fact of the example, under the need's own name. The answering model itself
says how sure it is, in a pass of its own that only such a metric asks for. A tagger and an encoder are the site's own
(`models/reader.py`); a run says by digest which ones its numbers are read with, since numbers that others read cannot
be added to them. What nothing here can read is left away: the metric then counts the example as unscored. What an
answer took was counted and measured while it was made.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from kommunbench.core import swedish
from kommunbench.core.digests import digest
from kommunbench.core.errors import ModelError
from kommunbench.core.example import Example
from kommunbench.core.metric import Metric
from kommunbench.core.model import Completion, Decoding, Encoder, Likely, Model, Query, Tagger
from kommunbench.core.task import Task
from kommunbench.metrics.calibration import Calibration
from kommunbench.models.reader import (
    ENCODER,
    READERS,
    TAGGER,
    ReaderCard,
    open_reader,
    reader_cards,
    reader_digest,
)

log = logging.getLogger("kommunbench.site")

NAMES = {"tags": TAGGER, "similarity": ENCODER}
"""Which of the site's own models gives what a metric needs; the answering model itself gives `confidence`."""
_TOKEN = re.compile(r"\w+(?:[-'’:]\w+|(?<=\d)[.,]\d+)*|[^\w\s]")
"""Words as `swedish.words` has them, and every punctuation mark by itself: how treebanks divide a sentence."""


@dataclass(frozen=True, slots=True)
class Readers:
    """The site's own models that read answers, by name; opened when a metric asks for them."""

    cards: Mapping[str, ReaderCard] = field(default_factory=dict)
    digest: str = ""
    """SHA-256 over all of them, since others read something else; empty where there are none."""

    @classmethod
    def of(cls, task: Task, conf: tuple[Path, ...], wanted: Mapping[str, str]) -> Readers:
        """Those that the task's metrics need and that the run asks for, by digest, and that the site has."""
        needed = {NAMES[metric.needs] for metric in task.find_metrics() if metric.needs in NAMES}
        if not needed & wanted.keys():
            return cls()
        try:
            cards = {name: card for name, card in reader_cards(conf).items() if name in needed & wanted.keys()}
            found = {name: reader_digest(name, card) for name, card in cards.items()}
        except ModelError as error:
            log.error("%s", error)
            return cls()
        for name in found.keys() & wanted.keys():
            if found[name] != wanted[name]:
                log.error("the %s here is not the one that the run's numbers are read with", name)
        same = {name: one for name, one in found.items() if one == wanted[name]}
        return cls({name: cards[name] for name in same}, digest(same) if same else "")

    def open(self, name: str) -> object | None:
        """The reader of that name, or None where there is none. Raises ModelError where it cannot be opened."""
        return _opened(name, self.cards[name], self.digest) if name in self.cards else None


@lru_cache(maxsize=len(READERS))
def _opened(name: str, card: ReaderCard, digest: str) -> object:  # noqa: ARG001
    """Once a process, and anew when a file of it has changed."""
    return open_reader(name, card)


class Took(NamedTuple):
    """What making all answers together took: microseconds, and millijoules where the machine tells them."""

    microseconds: int = 0
    millijoules: int | None = None

    def share(self, place: int, of: int) -> tuple[int, int | None]:
        """An even share of both, such that all `of` shares add up to the whole."""
        even = [None if whole is None else whole // of + (place < whole % of) for whole in self]
        return even[0] or 0, even[1]


NOTHING_TOOK = Took()


@dataclass(frozen=True, slots=True)
class Answered:
    """What was asked and answered, and who can read it."""

    queries: Sequence[Query]
    completions: Sequence[Completion]
    examples: Sequence[Example]
    model: Model
    decoding: Decoding
    readers: Readers = Readers()
    took: Took = NOTHING_TOOK

    def examples_for(self, metric: Metric) -> Sequence[Example]:
        """The examples with the fact that the metric needs, where it can be had."""
        if metric.needs is None:
            return self.examples
        found: Mapping[int, object] = {
            "confidence": self._confidences,
            "tags": self._tags,
            "similarity": self._similarities,
            "cost": self._costs,
        }[metric.needs](metric)
        return [
            replace(example, facts={**example.facts, metric.needs: found[place]}) if place in found else example
            for place, example in enumerate(self.examples)
        ]

    def _confidences(self, metric: Metric) -> Mapping[int, object]:
        """How sure the model is of what it chose, 0..1."""
        if not isinstance(self.model, Likely) or not isinstance(metric, Calibration):
            return {}
        choices = {
            place: choice
            for place, (completion, example) in enumerate(zip(self.completions, self.examples, strict=True))
            if (choice := metric.choice(completion.text, example)) is not None
        }
        questions = [(self.queries[place].prompt, choice.beginnings) for place, choice in choices.items()]
        logs = self.model.log_likelihoods(questions, self.decoding)
        return {place: choice.confidence(found) for (place, choice), found in zip(choices.items(), logs, strict=True)}

    def _costs(self, metric: Metric) -> Mapping[int, object]:  # noqa: ARG002
        """Tokens read and written, and a share of the time and the energy."""
        return {
            place: (completion.prompt_tokens, completion.new_tokens, *self.took.share(place, len(self.completions)))
            for place, completion in enumerate(self.completions)
        }

    def _tags(self, metric: Metric) -> Mapping[int, object]:  # noqa: ARG002
        """The tag of every word and mark, sentence by sentence."""
        tagger = self.readers.open(TAGGER)
        if not isinstance(tagger, Tagger):
            return {}
        return {
            place: [
                tag for sentence in swedish.sentences(completion.text) for tag in tagger.tags(_TOKEN.findall(sentence))
            ]
            for place, completion in enumerate(self.completions)
        }

    def _similarities(self, metric: Metric) -> Mapping[int, object]:  # noqa: ARG002
        """(precision, recall, F1) of each answer that has references."""
        encoder = self.readers.open(ENCODER)
        if not isinstance(encoder, Encoder):
            return {}
        places = [place for place, example in enumerate(self.examples) if example.references]
        pairs = [(self.completions[place].text, self.examples[place].references) for place in places]
        return dict(zip(places, encoder.similarities(pairs), strict=True))
