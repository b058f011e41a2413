import re

from houses import all_rows

from kommunbench.core.example import Example
from kommunbench.core.registry import find
from kommunbench.synthetic.template_document import MISSING


def test_the_reference_keeps_its_template_and_empty_notes_fill_nothing():
    metric = find("metrics", "template")
    for row in all_rows("template_document", "test"):
        facts = {"sections": row["sections"], "fields": row["fields"]}
        example = Example(row["id"], {"notes": row["notes"]}, facts=facts)
        tally = dict(zip(metric.names, metric.score(row["references"][0], example), strict=True))
        assert tally["present"] == tally["sections"] == 3
        assert tally["filled"] == tally["fields"]
        assert (tally["in_order"], tally["unfinished"]) == (1, 0)
        blank = dict(zip(metric.names, metric.score(row["template"], example), strict=True))
        assert (blank["filled"], blank["unfinished"]) == (0, 1)


def test_a_blank_has_its_value_from_the_notes_or_is_said_to_be_missing():
    missing = 0
    for row in all_rows("template_document"):
        for value in row["fields"].values():
            missing += value == MISSING
            assert value == MISSING or value.lower() in row["notes"].lower()
    assert 0.2 < missing / len(all_rows("template_document")) < 0.5


def test_a_missing_value_is_not_in_the_notes():
    patterns = {
        "belopp": r"(?:Det handlar om|Summan är|talar om är) \d|är beräknat",
        "datum": r"siktar|Datumet|dagen|Dagen",
    }
    for row in all_rows("template_document"):
        for blank, pattern in patterns.items():
            if row["fields"].get(blank) == MISSING:
                assert not re.search(pattern, row["notes"])
