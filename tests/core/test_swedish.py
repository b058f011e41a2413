"""Swedish text read by rules; every expectation is a hand reading."""

from __future__ import annotations

import unicodedata

import pytest

from kommunbench.core import swedish


def test_tokens_keep_swedish_letters_and_other_scripts() -> None:
    assert swedish.tokens("Åsa går till förskolan.") == ["åsa", "går", "till", "förskolan"]
    assert swedish.tokens("Ö") == ["ö"]
    assert swedish.tokens("مرحبا بالعالم") == ["مرحبا", "بالعالم"]


def test_decomposed_text_reads_as_composed() -> None:
    text = "Åsa går på äng 3,5 timmar. Ö-borna får 12 500 kronor i Malmö (4 §)."
    decomposed = unicodedata.normalize("NFD", text)
    for read in (
        swedish.tokens,
        swedish.words,
        swedish.normalise,
        swedish.sentences,
        swedish.numbers,
        swedish.names,
        swedish.citations,
    ):
        assert read(decomposed) == read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3,5 timmar", "3,5 timmar"),
        ("35 timmar", "35 timmar"),
        ("Det kostar 12 500 kronor, exkl. moms.", "kostar 12500 kronor exkl moms"),
        ("12\u00a0500 kr", "12500 kr"),
        ("En barn-tv – den nya", "barn-tv nya"),
        ("5–7 dagar", "5-7 dagar"),
        ("−5 grader", "-5 grader"),
        ("5 %", "5 procent"),
        ("”Hej”, sa Åsa_!", "hej sa åsa"),
        ("021-00 00 17", "021-00 00 17"),
        ("Ett hus", "hus"),
        ("", ""),
    ],
)
def test_answers_are_normalised_without_changing_what_they_say(text: str, expected: str) -> None:
    assert swedish.normalise(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ring bl.a. Anna. Sedan går du hem.", ["Ring bl.a. Anna.", "Sedan går du hem."]),
        ("Kl. 14.30 kommer A. Svensson.", ["Kl. 14.30 kommer A. Svensson."]),
        ("Det kostar 5 kr. Nästa år 6 kr.", ["Det kostar 5 kr.", "Nästa år 6 kr."]),
        ("1 § Ring.\n2 § Öppnar inte\nkunden?", ["1 § Ring.", "2 § Öppnar inte\nkunden?"]),
        ("- Punkt ett\n- Punkt två", ["- Punkt ett", "- Punkt två"]),
        ("Vänta! Öppnar ingen? Åk hem…", ["Vänta!", "Öppnar ingen?", "Åk hem…"]),
        (" \n ... \n", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert swedish.sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 500 kr, 12\u00a0500 kr och 12.500 kr", ["12500", "12500", "12500"]),
        ("3,50 eller 3,5 eller 35 eller 3,0", ["3,5", "3,5", "35", "3"]),
        ("den 1 mars 2026, 2026-03-01 och 1 mars", ["2026-03-01", "2026-03-01", "--03-01"]),
        ("den 1\nmars\n2026", ["2026-03-01"]),
        ("kl. 14.30-16:00", ["14:30", "16:00"]),
        ("fem minuter, tjugo dagar, en gång", ["5", "20"]),
        ("vecka27 412 500 kronor, 1 sept 2025", ["27", "412500", "2025-09-01"]),
        ("avsnitt 4.2.1", ["4.2.1"]),
        ("-5 grader, 5-7 och 5–7", ["-5", "5", "7", "5", "7"]),
        ("٣٫٥ و ١٢", ["3,5", "12"]),
        ("1 januari 2026 100 000 kr", ["2026-01-01", "100000"]),
        ("femman, sextant, tiotal", []),
    ],
)
def test_numbers_in_one_spelling(text: str, expected: list[str]) -> None:
    assert swedish.numbers(text) == expected


def test_a_date_implies_its_year_and_its_day() -> None:
    assert swedish.known_numbers("den 1 mars 2026 kl. 9.00") == {"2026-03-01", "--03-01", "2026", "1", "09:00", "9"}


def test_names_are_capitalised_words_inside_sentences() -> None:
    text = (
        "Ansökan ska till Lövviks kommun. Anna bor i Borås. Han sa: ”Nej du Olle”. Nu EU:s regler. RUBRIK HÄR. Kan Du?"
    )
    assert swedish.names(text) == ["lövvik", "borå", "olle", "eu"]


def test_an_answer_may_name_what_the_text_has_anywhere() -> None:
    assert set(swedish.names("Det gäller Anna och Lövvik.")) <= swedish.known_names("Anna bor i Lövviks kommun.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ring. (2 §)", {"2"}),
        ("Se § 4", {"4"}),
        ("enligt 4 kap. 2 § och 5 kap 3 §", {"4:2", "5:3"}),
        ("kap. 4 § 2", {"4:2"}),
        ("4 och 6–8 §§", {"4", "6", "7", "8"}),
        ("§§ 4, 5 och 6", {"4", "5", "6"}),
        ("2 a § samt 3 §", {"2a", "3"}),
        ("37 § andra stycket 3", {"37"}),
        ("Paragraf 4 säger så", {"4"}),
        ("650 kronor i 4 kapitel", set()),
    ],
)
def test_citations(text: str, expected: set[str]) -> None:
    assert swedish.citations(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Står inte i riktlinjen.",
        "STÅR INTE I RIKTLINJEN",
        "Det står inte i riktlinjerna. Ring chefen.",
        "Det står inte i riktlinjen hur ofta batteriet byts.",
        "Svaret finns inte i texten.",
        "Det framgår inte av rutinen.",
        "Riktlinjen svarar inte på frågan.",
        "Det finns ingen information om detta i riktlinjen.",
        "Information saknas i riktlinjen.",
        "Frågan besvaras inte i riktlinjen.",
    ],
)
def test_abstentions_are_recognised(text: str) -> None:
    assert swedish.is_abstention(text)
    assert swedish.is_abstention(unicodedata.normalize("NFD", text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ring chefen (2 §). Resten står inte i riktlinjen.",
        "Det står i riktlinjen.",
        "Det står inte i riktlinjen att man får vänta, ring genast.",
        "Nyckeln finns inte i bilen.",
    ],
)
def test_answers_are_not_taken_for_abstentions(text: str) -> None:
    assert not swedish.is_abstention(text)
