"""Plain Swedish by rule: words for officialese, abbreviations in full, long sentences parted where the words can stay.

The floor for lättläst: it knows nothing of what a text is about. The words are common advice on plain language, such as
that of the Swedish authorities' writing rules, in our own choosing; each keeps the form of the one that it replaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from kommunbench.core.errors import ModelError
from kommunbench.core.model import Completion, Decoding, ModelCard, Query
from kommunbench.models.copy import main_text
from kommunbench.models.lead import split_sentences
from kommunbench.models.open import card_digest
from kommunbench.models.options import option_faults

LONG = 12
"""Words from which a sentence is parted."""

_ABBREVIATIONS = {
    r"bl\.? ?a\.": "bland annat", r"t\.? ?ex\.": "till exempel", r"d\.? ?v\.? ?s\.|dvs\b\.?": "det vill säga",
    r"m\.? ?m\.": "med mera", r"m\.? ?fl\.": "med flera", r"o\.? ?s\.? ?v\.|osv\b\.?|etc\b\.?": "och så vidare",
    r"fr\.? ?o\.? ?m\.": "från och med", r"t\.? ?o\.? ?m\.": "till och med", r"p\.? ?g\.? ?a\.|pga\b\.?": "på grund av",
    r"s\.? ?k\.": "så kallad", r"f\.? ?d\.": "före detta", r"resp\.": "och", r"inkl\.": "med", r"exkl\.": "utan",
    r"enl\.": "enligt", r"ca\b\.?": "ungefär", r"ev\.": "kanske", r"kl\.": "klockan", r"st\.": "stycken",
}  # fmt: skip
_OFFICIALESE = """
avseende: om | beträffande: om | rörande: om | angående: om | vad avser: när det gäller | vad beträffar: när det gäller
erhålla: få | erhåller: får | erhöll: fick | erhållit: fått | inneha: ha | innehar: har | innehade: hade
inkomma: komma in | inkommer: kommer in | inkom: kom in | inkommit: kommit in | tillhanda: hos
tillhandahålla: ge | tillhandahåller: ger | tillhandahöll: gav | tillhandahållit: gett
föreligga: finnas | föreligger: finns | förelåg: fanns | utgöra: vara | utgör: är | utgjorde: var | utgjort: varit
nyttja: använda | nyttjar: använder | nyttjas: användas | nyttjade: använde | erfordras: behövs | erfordrades: behövdes
erlägga: betala | erlägger: betalar | erlade: betalade | erlagt: betalat | ombesörja: ordna | ombesörjer: ordnar
påbörja: börja | påbörjar: börjar | påbörjas: börjar | påbörjades: började | upphöra: sluta | upphör: slutar
verkställa: genomföra | verkställer: genomför | verkställas: genomföras | tillse: se till | tillser: ser till
föranleda: leda till | föranleder: leder till | föranledde: ledde till | åligga: gälla | åligger: gäller
bifalla: säga ja till | bifaller: säger ja till | biföll: sade ja till | bifallit: sagt ja till
avslå: säga nej till | avslår: säger nej till | avslog: sade nej till | avslagit: sagt nej till
inhämta: hämta in | inhämtar: hämtar in | upprätta: skriva | upprättar: skriver | upprättas: skrivs | anmoda: be
huruvida: om | såvida: om | emedan: eftersom | ehuru: fastän | således: alltså | likväl: ändå | jämte: och
medelst: med | endast: bara | samtliga: alla | omgående: genast | jämlikt: enligt | såsom: som | samt: och
därest: om | nedan: här
i enlighet med: enligt | med stöd av: enligt | i syfte att: för att | i händelse av: vid | under förutsättning att: om
med anledning av: på grund av | till följd av: på grund av | inom ramen för: inom | för närvarande: nu
i dagsläget: nu | innevarande år: i år | innevarande månad: den här månaden | vederbörande: personen
ett flertal: många | flertalet: de flesta | i samråd med: tillsammans med | i anslutning till: nära
"""
WORDS = dict(
    pair.strip().split(": ", 1) for line in _OFFICIALESE.split("\n") for pair in line.split("|") if pair.strip()
)
"""A plain word for each official one."""
_WORD = re.compile(rf"\b({'|'.join(sorted(map(re.escape, WORDS), key=len, reverse=True))})\b", re.IGNORECASE)
_SHORT = [(re.compile(rf"(?<![\w.])(?:{short})(?!\w)", re.IGNORECASE), full) for short, full in _ABBREVIATIONS.items()]
_SUBJECTS = "jag du han hon hen den det vi ni de man"
_PARTS = (
    (re.compile(r";\s+"), ""),
    (re.compile(r",\s+vilket (?!inte\b|kan\b.*\binte\b)"), "Det "),
    (re.compile(r",\s+eftersom "), "Det beror på att "),
    (re.compile(r",\s+men "), "Men "),
    (re.compile(rf",?\s+och (?=(?:{'|'.join(_SUBJECTS.split())})\b)"), ""),
    (re.compile(r",\s+medan (?!(?:\S+ ){1,3}inte\b)"), ""),
)
"""Where a sentence may be parted so that the words after it can stand in their order, and what they begin with then."""


class PlainRules:
    """Answers with the input `input`, or the first input of a task that has none, in plainer words."""

    def __init__(self, card: ModelCard, **machine: Any) -> None:  # noqa: ARG002
        ModelError.raise_if(option_faults(card, {}))
        self.card = card

    @cached_property
    def digest(self) -> str:
        """SHA-256 over family, options and version."""
        return card_digest(self.card)

    def generate(self, queries: Sequence[Query], decoding: Decoding) -> list[Completion]:  # noqa: ARG002
        """One completion for each query, in order."""
        return [Completion(plainer(main_text(query.inputs))) for query in queries]


def plainer(text: str) -> str:
    """`text` by the rules, line by line."""
    lines = (" ".join(map(_sentence, split_sentences(line))) for line in text.splitlines())
    return "\n".join(lines).strip()


def _sentence(sentence: str) -> str:
    for short, full in _SHORT:
        sentence = short.sub(lambda found, full=full: _like(found[0], full), sentence)  # type: ignore[misc]
    sentence = _WORD.sub(lambda found: _like(found[0], WORDS[found[0].lower()]), sentence)
    return " ".join(_parted(sentence))


def _parted(sentence: str) -> list[str]:
    """The sentence, in two at the first place that may part it, and each again as long as it is long."""
    if len(sentence.split()) < LONG:
        return [sentence]
    for mark, start in _PARTS:
        found = mark.search(sentence)
        if found and len(sentence[: found.start()].split()) > 2 and len(sentence[found.end() :].split()) > 2:
            first, rest = sentence[: found.start()], start + sentence[found.end() :]
            end = "" if first[-1:] in ".!?:" else "."
            return [*_parted(first + end), *_parted(rest[:1].upper() + rest[1:])]
    return [sentence]


def _like(old: str, new: str) -> str:
    """`new` with a capital where `old` has one."""
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


FAMILY = PlainRules
