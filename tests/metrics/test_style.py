"""Signs of style: OVIX, word length, s-passive, repetition, the rules of lättläst. Hand counts, and real text."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from scoring import Scored, row, total, value

from kommunbench.core import swedish
from kommunbench.metrics import lattlast_rules, long_words, ovix, repetition, s_passive


def test_ovix_by_hand() -> None:
    # 8 words, 6 different.
    expected = math.log(8) / math.log(2 - math.log(6) / math.log(8))
    assert value(ovix.METRIC, "ovix", [row("Den hund som ser den ser en katt")]) == pytest.approx(expected, abs=1e-9)


def test_ovix_is_the_mean_over_answers_that_repeat_a_word() -> None:
    rows = [row("a b a"), row("a b a b a c"), row("alla ord olika"), row("")]
    values = [math.log(o) / math.log(2 - math.log(t) / math.log(o)) for o, t in ((3, 2), (6, 3))]
    assert total(ovix.METRIC, rows)[:2] == (2, 2)
    assert value(ovix.METRIC, "ovix", rows) == pytest.approx(sum(values) / 2, abs=1e-9)
    assert value(ovix.METRIC, "ovix", [row("ja ja ja")]) == pytest.approx(math.log(3) / math.log(2), abs=1e-9)


def test_word_length_by_hand() -> None:
    rows = [row("En kommun har 12 förskolor"), row("")]  # 2 + 6 + 3 + 0 + 9 letters
    assert total(long_words.METRIC, rows) == (2, 0, 5, 1, 20)
    assert value(long_words.METRIC, "long_words", rows) == 1 / 5
    assert value(long_words.METRIC, "word_length", rows) == 4


def test_repeated_trigrams_by_hand() -> None:
    assert total(repetition.METRIC, [row("a b c a b c a b c")]) == (1, 0, 7, 4)  # abc bca cab abc bca cab abc
    assert value(repetition.METRIC, "repeated_3grams", [row("a b c d"), row("a b c")]) == 0
    assert value(repetition.METRIC, "repeated_3grams", [row("a b")]) is None


PASSIVES = (
    "behandlas beslutades skrivits genomfördes byggs införs tas utgörs betalats mättes avslogs köptes bestäms "
    "överklagas genomförts nås lämnas användas tillhandahålls bröts upphandlats"
)
ACTIVES = (
    "finns hoppas lyckades plats kommunens deras kvinnornas annars mars behöver insats exempelvis andas sjukhus allas "
    "universitets ses vistas hos skolans resultats bilars"
)


@pytest.mark.parametrize("word", PASSIVES.split())
def test_s_passives_are_found(word: str) -> None:
    assert s_passive.is_s_passive(word)


@pytest.mark.parametrize("word", ACTIVES.split())
def test_other_words_in_s_are_not(word: str) -> None:
    assert not s_passive.is_s_passive(word)


def test_s_passive_share_by_hand() -> None:
    rows = [row("Ansökan behandlas av nämnden."), row("Nämnden behandlar ansökan. Finns Lukas?")]
    assert total(s_passive.METRIC, rows) == (2, 0, 9, 1)
    assert value(s_passive.METRIC, "s_passive", rows) == 1 / 9


@pytest.mark.parametrize(
    ("rule", "broken", "kept"),
    [
        ("long_sentence", "Det " + "var " * 15 + "så.", "Det " + "var " * 13 + "så."),
        ("passive", "Ansökan behandlas.", "Vi behandlar ansökan."),
        ("abbreviation", "Vi har bl.a. buss.", "Vi har bland annat buss."),
        ("official_word", "Ansökan ska vara oss tillhanda.", "Vi ska ha ansökan."),
        ("long_word", "Kommunstyrelsemötet.", "Kommun-styrelsens möte."),
        ("many_numbers", "Ring 3 gånger på 5 dagar i 2 veckor.", "Ring 3 gånger på 5 dagar."),
        ("many_clauses", "Du som vet att det är hon som kom.", "Du som vet att hon kom."),
        ("double_negation", "Du får inte låta bli och aldrig glömma.", "Du får inte glömma."),
        ("insertion", "Ring chefen (eller mig).", "Ring chefen eller mig."),
    ],
)
def test_each_rule_sees_its_breach_and_only_it(rule: str, broken: str, kept: str) -> None:
    names = lattlast_rules.METRIC.names
    clean = dict(zip(names, total(lattlast_rules.METRIC, [row(kept)]), strict=True))
    counts = dict(zip(names, total(lattlast_rules.METRIC, [row(broken)]), strict=True))
    assert [name for name in lattlast_rules.RULES if counts[name]] == [rule]
    assert not any(clean[name] for name in lattlast_rules.RULES)


def test_breaches_are_per_hundred_sentences_and_rules_per_answer() -> None:
    rows = [row("Ansökan behandlas. Den bereds (här). Hej du."), row("Hej du."), row("")]
    # Breaches: passive, official word and passive, insertion: 'behandlas'; 'bereds', '(här)'.
    pooled = dict(zip(lattlast_rules.METRIC.names, total(lattlast_rules.METRIC, rows), strict=True))
    breaches = sum(pooled[name] for name in lattlast_rules.RULES)
    assert (pooled["passive"], pooled["official_word"], pooled["insertion"], pooled["sentences"]) == (2, 1, 1, 4)
    assert value(lattlast_rules.METRIC, "rule_violations", rows) == 100 * breaches / 4 == 100
    assert value(lattlast_rules.METRIC, "rules_kept", rows) == pytest.approx((6 / 9 + 1 + 0) / 3, abs=1e-12)


def test_official_lattlast_breaks_fewer_rules_than_what_it_rewrites(real_rows: Callable[[str, int], Scored]) -> None:
    rows = real_rows("simplification_section", 87)
    before = value(
        lattlast_rules.METRIC, "rule_violations", [(example.inputs["input"], example) for _, example in rows]
    )
    after = value(lattlast_rules.METRIC, "rule_violations", [(example.references[0], example) for _, example in rows])
    assert before is not None
    assert after is not None
    assert after < 0.75 * before


def test_word_counts_agree_with_a_plain_count_on_real_text(real_rows: Callable[[str, int], Scored]) -> None:
    rows = real_rows("translation_pud", 200)
    words = [word for answer, _ in rows for word in swedish.words(answer)]
    letters = sum(char.isalpha() for word in words for char in word)
    assert value(long_words.METRIC, "word_length", rows) == letters / len(words)
