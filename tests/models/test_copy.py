from __future__ import annotations

from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.copy import Copy


def test_the_text_as_it_is() -> None:
    queries = [Query("fråga", {"input": text}, "lattlast") for text in ("En text.\n\nTvå  stycken.", "Å 3 §")]
    answers = Copy(ModelCard(name="copy", family="copy")).generate(queries, Decoding(max_new_tokens=1))
    assert [answer.text for answer in answers] == ["En text.\n\nTvå  stycken.", "Å 3 §"]
