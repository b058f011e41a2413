from __future__ import annotations

from kommunbench.core.model import Decoding, ModelCard, Query
from kommunbench.models.copy import Copy


def test_the_text_as_it_is() -> None:
    queries = [Query("fråga", {"input": text}, "lattlast") for text in ("En text.\n\nTvå  stycken.", "Å 3 §")]
    answers = Copy(ModelCard(name="copy", family="copy")).generate(queries, Decoding(max_new_tokens=1))
    assert [answer.text for answer in answers] == ["En text.\n\nTvå  stycken.", "Å 3 §"]


def test_a_task_without_an_input_of_that_name_has_its_first_copied() -> None:
    query = Query("", {"template": " Ansökan om [belopp] ", "notes": "88 000 kronor"}, "template_document")
    assert (
        Copy(ModelCard(name="copy", family="copy")).generate([query], Decoding(max_new_tokens=1))[0].text
        == "Ansökan om [belopp]"
    )
