"""The rule-based simplifier: each rule on a sentence, and what it must leave alone."""

from __future__ import annotations

import pytest

from kommunbench.models.plain_rules import WORDS, plainer


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Beslut avseende avgiften erhåller du t.ex. i maj.", "Beslut om avgiften får du till exempel i maj."),
        ("Avseende taket inkom två svar.", "Om taket kom in två svar."),
        ("Den höjs fr.o.m. den 1 maj, p.g.a. dyra resor.", "Den höjs från och med den 1 maj, på grund av dyra resor."),
        ("Dvs. ca 40 st. stolar.", "Det vill säga ungefär 40 stycken stolar."),
        ("Med anledning av regn är endast hallen öppen.", "På grund av regn är bara hallen öppen."),
        (
            "Nämnden lagar taket på badhuset i vår; arbetet tar tre månader och kostar mycket.",
            "Nämnden lagar taket på badhuset i vår. Arbetet tar tre månader och kostar mycket.",
        ),
        (
            "Avgiften höjs med tio procent den 1 maj, eftersom resorna har blivit mycket dyrare.",
            "Avgiften höjs med tio procent den 1 maj. Det beror på att resorna har blivit mycket dyrare.",
        ),
        (
            "Nämnden säger ja till lägre avgifter från och med i år, vilket gläder många familjer.",
            "Nämnden säger ja till lägre avgifter från och med i år. Det gläder många familjer.",
        ),
        (
            "Ansökan ska komma in före den 1 maj och du får svar inom tre veckor.",
            "Ansökan ska komma in före den 1 maj. Du får svar inom tre veckor.",
        ),
    ],
)  # fmt: skip
def test_each_rule(text: str, plain: str) -> None:
    assert plainer(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sammanträde den 3 mars 2026 kl 13.30 i Lövvik.",
        "Han bor i Samtuna och Endastorp.",
        "Du får hjälp, men inte alltid.",
        "Avgiften är högre än tidigare för alla som bor där, vilket inte var meningen från början.",
        "Hon arbetar på dagen i skolan, medan han under året inte har arbetat alls där.",
    ],
)
def test_what_is_plain_or_could_not_stand_alone_is_left(text: str) -> None:
    assert plainer(text) == text


def test_lines_stay_lines_and_numbers_and_names_stay() -> None:
    text = "Beslut\n\n1 § Nämnden i Åby erhåller 412 500 kronor.\n2 § Samtliga svar inkom den 3/4."
    assert plainer(text) == "Beslut\n\n1 § Nämnden i Åby får 412 500 kronor.\n2 § Alla svar kom in den 3/4."


def test_no_plain_word_is_an_official_one() -> None:
    assert not [new for new in WORDS.values() if new.lower() in WORDS]
