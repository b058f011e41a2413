"""Neutral rules about doors, copiers and bookings, with questions that they answer or leave open."""

from __future__ import annotations

import random
from typing import NamedTuple

from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.phrases import phrases

_THINGS = phrases(
    "kopiatorn|hissen|porten|brandlarmet|nyckeln|bilen|cykeln|datorn|telefonen|passerkortet|värmen|ventilationen|"
    "kylskåpet|diskmaskinen|projektorn|lampan|bokningen|fakturan|väskan|paketet|posten|dörren|larmet|medicinskåpet|"
    "stegen|verktygslådan|spisen|kameran|skrivaren|kaffemaskinen|förrådet|rullstolen|gungan|sopkärlet|vattnet|"
    "belysningen|internetet|bokvagnen|snöslungan|tvättmaskinen|högtalaren|tidningen|blanketten|kassan|hyllan"
)
_EVENTS = phrases(
    "inte fungerar|har försvunnit|saknas|låter konstigt|luktar illa|har gått sönder|kommer för sent|"
    "behöver lagas|ska bytas|ska lämnas tillbaka|inte går att öppna|står olåst|har blivit våt|läcker|"
    "har lämnats kvar|ska flyttas|inte syns"
)
_ROLES = phrases(
    "vaktmästaren|receptionen|chefen|växeln|jouren|brandskyddsansvarig|städaren|teknikern|bibliotekarien|läraren|"
    "kocken|ekonomen|kollegan|ordföranden|rektorn|skötaren|tolken|elektrikern"
)
_ACTIONS = (
    ("ringer {who}", "ring", "{role} på {phone}"),
    ("ringer {who}", "ring", "{role}, {person}, på {phone}"),
    ("väntar {who}", "vänta", "i {n} minuter"),
    ("skriver {who}", "skriv", "en lapp till {role}"),
    ("lämnar {who}", "lämna", "den till {role} i {place}"),
    ("mejlar {who}", "mejla", "{role}"),
    ("hämtar {who}", "hämta", "en ny hos {person}"),
    ("stänger {who}", "stäng", "av strömmen i {n} minuter"),
    ("fyller {who}", "fyll", "i blankett {n}"),
    ("bokar {who}", "boka", "tid hos {person}"),
    ("meddelar {who}", "meddela", "{role} inom {n} dagar"),
    ("noterar {who}", "notera", "tiden i pärm {n}"),
    ("kontaktar {who}", "kontakta", "{person} på {phone}"),
    ("går {who}", "gå", "till rum {n} på {street}"),
    ("rapporterar {who}", "rapportera", "det till {role} före klockan {time}"),
    ("betalar {who}", "betala", "{kronor} i receptionen"),
    ("frågar {who}", "fråga", "{role} i {place}"),
    ("ställer {who}", "ställ", "den i förråd {n}"),
)
_ACTORS = phrases("man|personalen|den som arbetar|gruppen|den som upptäcker det")
_WHAT = phrases("Vad gör jag om {t} {e}?|Vad gäller om {t} {e}?|Hur gör jag när {t} {e}?|Vad ska jag göra om {t} {e}?")
_FACTS = (
    ("{person} ansvarar för {t}.", "Vem ansvarar för {t}?", "{person}."),
    ("{T} kostar {kronor} att laga.", "Vad kostar det att laga {t}?", "{kronor}."),
    ("{T} kontrolleras var {n}:e vecka.", "Hur ofta kontrolleras {t}?", "Var {n}:e vecka."),
    ("{T} finns på {street}.", "Var finns {t}?", "På {street}."),
    ("Reservdelar till {t} finns i {place}.", "Var finns reservdelar till {t}?", "I {place}."),
    ("{T} används fram till klockan {time}.", "Hur länge får {t} användas?", "Fram till klockan {time}."),
    ("{T} får inte lånas ut.", "Får jag låna ut {t}?", "Nej, {t} får inte lånas ut."),
    ("{T} får lånas ut i {n} dagar.", "Får jag låna ut {t}?", "Ja, {t} får lånas ut i {n} dagar."),
    ("{T} hör till {role}.", "Vem hör {t} till?", "Till {role}."),
    ("{T} får flyttas, dock inte till {place}.", "Får jag flytta {t}?", "Ja, {t} får flyttas, dock inte till {place}."),
)
_EXTRA = phrases(
    "Detta gäller alla dagar.|Undantag kan göras av {role}.|På helger gäller samma sak.|Ingen behöver göra det ensam.|"
    "Det gäller inte i {place}.|Regeln gäller från klockan {time}."
)
_HEADS = phrases(
    "Regler i {place}.|Gäller hus {n} i {place}, antaget av {person}.|Ordningsregler, {street}.|"
    "Frågor om detta: {person}."
)
UNANSWERED = "Står inte i riktlinjen."


class Rule(NamedTuple):
    """A paragraph and the question that it, and only it, answers."""

    paragraph: str
    question: str
    answer: str


def passage(fillers: Fillers) -> tuple[str, str, str]:
    """Numbered rules, a question, and the answer with the rule's number or, half the time, that there is none."""
    rng = fillers.rng
    things = rng.sample(_THINGS, rng.randint(2, 5))
    rules = [_rule(fillers, thing) for thing in things]
    asked = rules.pop(rng.randrange(len(rules)))
    first = rng.choice((1, 1, 1, 2, 4, 7, 11))
    place = rng.randint(0, len(rules))
    if answered := rng.random() < 0.5:
        rules.insert(place, asked)
    elif rng.random() < 0.5:
        # A near miss: the same thing, another question.
        rules.insert(place, _other_rule(fillers, asked))
    mark = rng.choice(("{} §", "{} §", "§ {}"))
    lines = [f"{mark.format(first + index)} {rule.paragraph}" for index, rule in enumerate(rules)]
    if rng.random() < 0.4:
        lines.insert(0, rng.choice(_HEADS).format_map(_values(fillers)))
    answer = f"{asked.answer} ({mark.format(first + place)})" if answered else UNANSWERED
    return "\n".join(lines), asked.question, answer


def numbered(fillers: Fillers) -> tuple[int, list[tuple[str, str]]]:
    """The first number of two to five paragraphs, and of each what it is about and its text."""
    things = fillers.rng.sample(_THINGS, fillers.rng.randint(2, 5))
    return fillers.rng.choice((1, 1, 2, 4, 7)), [(thing, _rule(fillers, thing).paragraph) for thing in things]


def another_thing(things: list[str], fillers: Fillers) -> str:
    """Something that is none of `things`."""
    return fillers.rng.choice([thing for thing in _THINGS if thing not in things])


def _rule(fillers: Fillers, thing: str) -> Rule:
    return _situation(fillers, thing) if fillers.rng.random() < 0.6 else _fact(fillers, thing)


def _other_rule(fillers: Fillers, asked: Rule) -> Rule:
    thing = next(thing for thing in _THINGS if thing in asked.question.lower())
    while (other := _rule(fillers, thing)).question == asked.question:
        pass
    return other


def _situation(fillers: Fillers, thing: str) -> Rule:
    rng = fillers.rng
    event = rng.choice(_EVENTS)
    verb, imperative, rest = rng.choice(_ACTIONS)
    rest = rest.format_map(_values(fillers))
    actor = rng.choice(_ACTORS)
    action = f"{verb.format(who=actor)} {rest}"
    paragraph = rng.choice((f"Om {thing} {event} {action}.", f"När {thing} {event} {action}."))
    if rng.random() < 0.3:
        paragraph += " " + rng.choice(_EXTRA).format_map(_values(fillers))
    question = rng.choice(_WHAT).format(t=thing, e=event)
    return Rule(paragraph, question, f"{imperative.capitalize()} {rest}.")


def _fact(fillers: Fillers, thing: str) -> Rule:
    values = _values(fillers) | {"t": thing, "T": thing.capitalize()}
    return Rule(*(part.format_map(values) for part in fillers.rng.choice(_FACTS)))


def _values(fillers: Fillers) -> dict[str, str]:
    rng: random.Random = fillers.rng
    return {
        "role": rng.choice(_ROLES),
        "phone": fillers.phone(),
        "person": fillers.person(),
        "place": fillers.place(),
        "street": fillers.street(),
        "kronor": fillers.kronor(100, 90_000),
        "time": fillers.time(),
        "n": str(rng.randint(2, 60)),
    }
