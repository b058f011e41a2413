"""Whether the answer cites the right paragraph."""

from __future__ import annotations

from collections.abc import Sequence

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import Field, Measure, Metric

MOST_CITATIONS = 10**4


class Citation(Metric):
    """Paragraphs cited ('2 §', '4 kap. 2 §') against those of the reference.

    Correct is an answer that cites all of them and no other; precision and recall are over the paragraphs of all
    answers. The reference's citations are read from `facts["citation"]` (text, or a list of it) where the row has it,
    else from the reference that fits the answer best. Unscored where neither cites a paragraph.
    """

    name = "citation"
    source = "citation precision and recall (Gao 2023, ALCE), paragraphs found by rules"
    fields = (
        Field("correct", high=1),
        Field("right", high=MOST_CITATIONS),
        Field("cited", high=MOST_CITATIONS),
        Field("expected", high=MOST_CITATIONS),
    )
    measures = (
        Measure("citation_correct", ("correct",), proportion=True),
        Measure("citation_precision", ("right",), ("cited",)),
        Measure("citation_recall", ("right",), ("expected",)),
    )

    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Correct or not, and the counts of paragraphs right, cited and expected."""
        expected = _expected(example)
        if not expected:
            return None
        cited = swedish.citations(prediction)
        best = max(expected, key=lambda wanted: (2 * len(cited & wanted) / (len(cited) + len(wanted)), sorted(wanted)))
        return (int(cited == best), len(cited & best), len(cited), len(best))


METRIC = Citation()


def _expected(example: Example) -> list[frozenset[str]]:
    given = example.facts.get("citation")
    texts = example.references if not given else [given if isinstance(given, str) else ", ".join(map(str, given))]
    return [cited for cited in map(swedish.citations, texts) if cited]
