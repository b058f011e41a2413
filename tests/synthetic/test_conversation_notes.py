import re

from houses import all_rows

from kommunbench.core.swedish import normalise


def test_the_note_has_who_when_what_and_so_has_the_talk():
    for row in all_rows("conversation_notes"):
        for value in row["fields"].values():
            assert f" {normalise(value)} " in f" {normalise(row['references'][0])} "
            assert value in row["input"]


def test_a_note_repeats_no_gossip_and_no_date_but_the_talks_own():
    gossip = 0
    for row in all_rows("conversation_notes"):
        for name in re.findall(r"[A-ZÅÄÖ]\w+ ([A-ZÅÄÖ]\w+) (?:i huset|har visst|är alltid|ska flytta)", row["input"]):
            gossip += 1
            assert name not in row["references"][0]
        mentioned = re.search(r"(?:fyllde år|Sedan|såldes) ((?:den )?\d\S+(?: \w+ \d{4}| \d{4})?)", row["input"])
        if mentioned:
            assert mentioned[1].rstrip(".") not in row["references"][0]
    assert gossip > 100


def test_what_was_turned_down_is_not_noted_as_agreed():
    refused = r"(?:Nej, det vill jag inte|Inte nu, nej|Helst inte|Nej tack)\."
    for row in all_rows("conversation_notes"):
        said_no = bool(re.search(refused, row["input"]))
        noted = bool(
            re.search(r"avstår|ordnas inte|vill inte|tackar nej|påbörjas inte|blir inte av", row["references"][0])
        )
        assert said_no == noted


def test_staff_and_person_have_different_names():
    assert all(row["fields"]["worker"] != row["fields"]["person"] for row in all_rows("conversation_notes"))
