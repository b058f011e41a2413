"""Parts of speech by an averaged perceptron (Collins 2002, Honnibal 2013), as NLTK trains it and saves it: JSON.

The folder has `<name>.weights.json`, `<name>.tagdict.json` and `<name>.classes.json`, which is what
`nltk.tag.PerceptronTagger.save_to_json` writes. Its tags are those of the treebank that it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kommunbench.core.errors import Fault, ModelError
from kommunbench.models.reader import TAGGER, ReaderCard

PARTS = ("weights", "tagdict", "classes")


class PerceptronTagger:
    """NLTK's tagger from a folder; the same words get the same tags on every machine."""

    def __init__(self, card: ReaderCard) -> None:
        where = f"readers/{TAGGER}.yaml: path"
        try:
            from nltk.tag.perceptron import PerceptronTagger as Nltk
        except ImportError:
            raise ModelError(Fault("needs NLTK", where, "pip install 'kommunbench[tagger]'")) from None
        found = [sorted(card.path.expanduser().glob(f"*.{part}.json")) for part in PARTS]
        if any(len(paths) != 1 for paths in found):
            do = "the folder that nltk's PerceptronTagger.save_to_json wrote"
            raise ModelError(Fault("wants one each of " + ", ".join(f"*.{part}.json" for part in PARTS), where, do))
        try:
            stated = [json.loads(path.read_text(encoding="utf-8")) for (path,) in found]
        except (ValueError, OSError):
            raise ModelError(Fault("is not JSON in UTF-8", where)) from None
        self._tagger: Any = Nltk.decode_json_obj(stated)

    def tags(self, sentence: Sequence[str]) -> list[str]:
        """A tag for each word or punctuation mark."""
        return [tag for _, tag in self._tagger.tag(list(sentence))]


READER = PerceptronTagger
