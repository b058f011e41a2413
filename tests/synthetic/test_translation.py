import re

from houses import all_rows

from kommunbench.core.swedish import numbers
from kommunbench.metrics.language import identify


def test_the_reference_is_in_the_language_that_was_asked_for():
    rows = all_rows("translation")
    known = [(identify(row["references"][0]), row["language"]) for row in rows]
    assert {language for _, language in known} == {"sv", "en", "ar"}
    assert sum(told == wanted for told, wanted in known) > 0.97 * len(known)


def test_source_and_target_differ_and_swedish_is_one_of_them():
    for row in all_rows("translation"):
        assert row["source"] != row["target"]
        assert "svenska" in (row["source"], row["target"])


def test_names_and_figures_are_the_same_in_both_texts():
    """Latin names and figures; months are words, so of dates only day and year are compared."""

    def figures(text: str) -> list[str]:
        return sorted(re.findall(r"\d+", text))

    for row in all_rows("translation"):
        assert figures(row["input"]) == figures(row["references"][0])
        for place in re.findall(r"[A-ZÅÄÖ]\w+(?:hult|torp|ryd|hamra|lunda|qvist|gren)\b", row["references"][0]):
            assert place in row["input"]
    assert any(numbers(row["input"]) for row in all_rows("translation"))


def test_a_glossary_term_in_the_text_is_translated_by_the_glossary():
    found = 0
    for row in all_rows("translation"):
        for entry in row["glossary"].split(", "):
            term, translated = entry.split(" = ")
            if re.search(rf"\b{term}\b", row["input"], re.IGNORECASE):
                found += 1
                assert translated.lower() in row["references"][0].lower()
    assert found > 100


def test_a_negation_stays_one():
    negations = {"sv": r"\binte\b", "en": r"\bnot\b", "ar": "لا|لم"}
    languages = {"svenska": "sv", "engelska": "en", "arabiska": "ar"}
    for row in all_rows("translation"):
        if row["target"] != "arabiska" and row["source"] != "arabiska":
            left = re.search(negations[languages[row["source"]]], row["input"])
            assert bool(left) == bool(re.search(negations[row["language"]], row["references"][0]))
