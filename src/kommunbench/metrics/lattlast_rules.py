"""Rules of the published advice on lättläst that can be seen in the text, and how many the answers keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from typing_extensions import override

from kommunbench.core import swedish
from kommunbench.core.example import Example
from kommunbench.core.metric import FIXED, Field, Measure, Metric
from kommunbench.metrics.s_passive import is_s_passive
from kommunbench.metrics.texts import MOST_WORDS, NEGATIONS, fixed

LONGEST_SENTENCE = 15
LONGEST_WORD = 15
MOST_NUMBERS = 2
MOST_CLAUSES = 2

_ABBREVIATION = re.compile(
    r"(?<!\w)(?:bl\.? ?a\.|t\.? ?ex\.|d\.? ?v\.? ?s\.|dvs\b|m\.? ?m\.|m\.? ?fl\.|o\.? ?s\.? ?v\.|osv\b|etc\b|f\.? ?d\.|"
    r"fr\.? ?o\.? ?m\.|t\.? ?o\.? ?m\.|p\.? ?g\.? ?a\.|pga\b|s\.? ?k\.|resp\.|inkl\.|exkl\.|enl\.|jfr\b|ca\b|ev\.|"
    r"kap\.|st\.|dnr\b)",
    re.IGNORECASE,
)
_INSERTION = re.compile(r"[();]|\s[–—]\s\S.*\s[–—]\s")
_CLAUSE = frozenset(("som", "att", "eftersom", "medan", "innan", "vilket", "vilken", "vilka", "vars", "ifall"))
_OFFICIAL_SWEDISH = (
    "anhängig anledning avseende beakta beaktande behörig bereda bereds berättigad beträffande bifall bifalla "
    "därav därest därvid dock emedan ehuru erfordras erhålla erhåller erlägga erläggs föreligga föreligger "
    "förelägga förfarande föranleda föranleder genomförande gällande handläggs hemställa hemställer huruvida "
    "härav härmed härvid härvidlag ifrågavarande implementera inkommen inkomna innehar innevarande jämlikt jämte "
    "justerad likväl medelst medges nyttja nyttjas omgående otillbörlig påkalla påkallar rubricerad rörande sagda "
    "samtliga såtillvida såvida såväl sökanden tillfyllest tillgodose tillhanda tillhandahålla tillse torde "
    "undertecknad utgöra utgör utröna varvid vederbörande vederbörlig verkställa verkställighet vidimera vidta "
    "vidtaga åberopa åligga åligger åsamka åvila ävensom överväga"
)
_OFFICIAL = frozenset(_OFFICIAL_SWEDISH.split())


def _count(words: Sequence[str], among: frozenset[str]) -> int:
    return sum(word in among for word in words)


def _is_long(word: str) -> bool:
    return any(sum(map(str.isalpha, part)) > LONGEST_WORD for part in word.split("-"))


RULES: dict[str, Callable[[str, Sequence[str]], bool]] = {
    "long_sentence": lambda _, words: len(words) > LONGEST_SENTENCE,
    "passive": lambda sentence, _: any(map(is_s_passive, swedish.words(sentence))),
    "abbreviation": lambda sentence, _: bool(_ABBREVIATION.search(sentence)),
    "official_word": lambda _, words: _count(words, _OFFICIAL) > 0,
    "long_word": lambda _, words: any(map(_is_long, words)),
    "many_numbers": lambda sentence, _: len(swedish.numbers(sentence)) > MOST_NUMBERS,
    "many_clauses": lambda _, words: _count(words, _CLAUSE) > MOST_CLAUSES,
    "double_negation": lambda _, words: _count(words, NEGATIONS) > 1,
    "insertion": lambda sentence, _: bool(_INSERTION.search(sentence)),
}
"""What breaks each rule, from a sentence and its lower-cased words."""


class LattlastRules(Metric):
    """Breaches of nine rules per 100 sentences, and the mean share of the rules that an answer never breaks.

    A sentence breaches: with more than 15 words; an s-passive (`s_passive`); an abbreviation; a word from a list of
    official Swedish; a word (or part of a hyphened one) of more than 15 letters; more than two numbers; more than two
    of som, att, eftersom and their like; two negations; an insertion in brackets or dashes, or a semicolon. What the
    advice asks beyond that (the important first, no gaps in the logic, 'du') no rule here can see. An empty answer
    keeps no rule.
    """

    name = "lattlast_rules"
    source = "rules from published Swedish writing advice for lättläst (MTM, Myndigheternas skrivregler)"
    fields = (
        Field("kept", high=FIXED, scale=FIXED),
        Field("sentences", high=MOST_WORDS),
        *(Field(rule, high=MOST_WORDS) for rule in RULES),
    )
    measures = (
        Measure("rules_kept", ("kept",)),
        Measure("rule_violations", tuple(RULES), ("sentences",), unit="per 100 sentences", direction="lower"),
    )

    @override
    def tally(self, prediction: str, example: Example) -> Sequence[int] | None:
        """Share of rules kept, sentences, and how many of them breach each rule."""
        sentences = swedish.sentences(prediction)
        words = [[word.lower() for word in swedish.words(sentence)] for sentence in sentences]
        breaches = [sum(map(broken, sentences, words)) for broken in RULES.values()]
        kept = fixed(breaches.count(0), len(RULES)) if sentences else 0
        return kept, len(sentences), *breaches

    def value(self, total: Sequence[float], measure: Measure) -> float | None:
        """Share of rules, or breaches per 100 sentences."""
        value = super().value(total, measure)
        return value if value is None or measure.name == "rules_kept" else 100 * value


METRIC = LattlastRules()
