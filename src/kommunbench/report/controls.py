"""Technical controls that a bundle of evidence may name, each with the test of kommunbench's own that proves it."""

from __future__ import annotations

from typing import NamedTuple


class Control(NamedTuple):
    """What the code sees to, in Swedish; the test is `file::name` below tests/."""

    name: str
    sv: str
    test: str


CONTROLS = (
    Control(
        "numbers",
        "Bara heltal i en ordning som bestämts före läsningen av text; ingen plats för ord i svaret",
        "release/test_sealed.py::test_the_payload_is_as_documented",
    ),
    Control(
        "text",
        "Ord som planterats i alla fält återfinns inte i något som skickas, loggas eller sparas utanför platsen",
        "test_canary.py::test_no_word_of_an_example_leaves_a_site",
    ),
    Control(
        "few",
        "Tal med för få poängsatta exempel bakom sig hålls inne",
        "release/test_review.py::test_fewer_scored_than_min_examples_stay",
    ),
    Control(
        "cell",
        "Små antal av ett visst slag hålls inne, även när de kan räknas fram som en rest",
        "release/test_review.py::test_a_small_kind_of_example_and_its_complement_hold_the_metric_back",
    ),
    Control(
        "policy",
        "Organisationens egen policy gäller; ett uppdrag kan bara göra den strängare",
        "release/test_policy_holds.py::test_what_leaves_breaks_no_rule_of_the_policy_whatever_a_run_asks_for",
    ),
    Control(
        "rounding",
        "Tal avrundas före utlämnande där policyn säger det, och reglerna prövas på de oavrundade talen",
        "release/test_rounding.py::test_the_rules_see_the_numbers_before_they_are_rounded",
    ),
    Control(
        "ledger",
        "En rad i liggaren är säkrad på disk innan svaret lämnar platsen; ändrade och borttagna rader syns",
        "release/test_ledger.py::test_a_changed_line_is_found",
    ),
    Control(
        "receipts",
        "Varje svar är signerat av organisationen; ändrade tal, kvitton och rader syns",
        "report/test_verify.py::test_any_flipped_byte_is_found",
    ),
    Control(
        "report",
        "Rapportens tal kan göras om ur svaren, till sista byten",
        "report/test_verify.py::test_a_report_that_the_answers_do_not_give_is_found",
    ),
)


def control(name: str) -> Control:
    """The control of that name. Raises KeyError."""
    return {each.name: each for each in CONTROLS}[name]
