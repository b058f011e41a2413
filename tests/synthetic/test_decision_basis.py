import re

from houses import all_rows

from kommunbench.core.example import Example
from kommunbench.core.registry import find
from kommunbench.core.swedish import citations


def test_the_basis_takes_no_decision():
    decision = re.compile(r"\b(?:bevilj|avsl|beslut|bör|föreslå[rs]|godkänn|tillstyrk|avstyrk)\w*")
    assert not [row for row in all_rows("decision_basis") if decision.search(row["references"][0])]


def test_every_rule_is_weighed_once_on_the_side_where_its_numbers_put_it():
    """The comparison is made again here, from the words of rules and application alone."""

    def tenths(text: str) -> int:
        return round(float(text.replace(",", ".")) * 10)

    for row in all_rows("decision_basis"):
        sections = row["references"][0].split("\n")
        good, bad = sections[5], sections[7]
        for number, name, kind, limit in re.findall(r"(\d+) § (.+?) ska vara (högst|minst) ([\d,]+)", row["rules"]):
            asked = re.search(rf"{name} är ([\d,]+) ", row["application"], re.IGNORECASE)[1].rstrip(",")
            fits = tenths(asked) <= tenths(limit) if kind == "högst" else tenths(asked) >= tenths(limit)
            assert (number in citations(good), number in citations(bad)) == (fits, not fits)


def test_the_reference_has_every_section_and_fact():
    metric = find("metrics", "template")
    for row in all_rows("decision_basis", "test"):
        facts = {"sections": row["sections"], "fields": row["fields"]}
        example = Example(row["id"], {"rules": row["rules"], "application": row["application"]}, facts=facts)
        tally = dict(zip(metric.names, metric.score(row["references"][0], example), strict=True))
        assert tally["present"] == tally["sections"] == 5
        assert tally["filled"] == tally["fields"] == 3
        assert (tally["in_order"], tally["unfinished"]) == (1, 0)


def test_a_property_has_a_block_that_no_register_has():
    assert all(re.search(r" 0:\d+$", row["fields"]["property"]) for row in all_rows("decision_basis"))
