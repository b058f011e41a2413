import re

from houses import all_rows

from kommunbench.core.swedish import normalise


def test_the_letter_has_what_must_be_kept_and_so_has_the_record():
    for row in all_rows("citizen_answer"):
        for text in row["must_keep"]:
            assert f" {normalise(text)} " in f" {normalise(row['references'][0])} "
            assert text in row["case"]


def test_a_refusal_stays_a_refusal():
    refused = [row for row in all_rows("citizen_answer") if "avslag" in row["case"]]
    decided = [row for row in refused if "står inte i ditt ärende" not in row["references"][0]]
    assert len(decided) > 100
    assert all(re.search(r"\binte\b|\bnej\b", row["references"][0]) for row in decided)


def test_nothing_is_promised_that_is_not_decided():
    waiting = [row for row in all_rows("citizen_answer") if re.search(r"väntar på|utreds", row["case"])]
    assert len(waiting) > 100
    assert not [row for row in waiting if re.search(r"Du får (?!svar|besked)", row["references"][0])]


def test_what_the_record_does_not_say_is_not_made_up():
    silent = [row for row in all_rows("citizen_answer") if "står inte i ditt ärende" in row["references"][0]]
    assert len(silent) > 100
    assert all(row["question"].split()[0] in ("Vad", "Kan", "Vem", "Var") for row in silent)


def test_the_letter_is_addressed_to_the_person():
    for row in all_rows("citizen_answer"):
        assert row["must_keep"][0] in row["references"][0][:70]
