"""Drills on words that nobody has seen: copy a line, find what stands under a number, beside a key or for a condition
(or that nothing does), fill a pattern.

A small model copies the words it knows and stumbles on new ones. Here every word is put together on the spot, from
word parts of everyday Swedish or from bare syllables, so that the only way to be right is to copy. The parts also give
the tokenizer the common pieces of Swedish; they belong to no organisation's terms.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST = _words(
    "an av bak bi bok bostads brand buss båt cykel dags data djur eld fall fart fast fisk fjäll fot fram frukt "
    "fågel färg för genom glas golv grund grupp guld gång halv hand hav hem hus hög idrotts in industri is jord "
    "järn kart klass klock kraft krets kust kvälls kyl köks land last led leverans liv ljud ljus luft lång läs "
    "löv mark mat med mellan mid miljö mjölk mot morgon mur mål natt ner ny när ord papp pass plan plats post "
    "prov päls rese ring ris rund rörelse rök salt sand sido skal skogs skol skriv slut smide snö sol sommar spel "
    "språk stads steg sten stor ström styr stål sång tak tal teknik tid till torg trafik trä tråd tvär under upp "
    "ur ut vagn val var vatten ved vind vinter virkes väder väg vänd värme yt ände ångs åter över öst"
)
_MIDDLE = _words(
    "arbets avtals bild bruks byggnads delnings driv dräkt fäst förings gats givnings hållnings hämtnings knyt "
    "lagrings ledar lednings lyft lägg mäss mästar nings nät odlings prövnings ritnings räknings rörs samlings "
    "satt sluts sorts ställ säljar sättnings tags tecknings trycks tunnel vals vandrar verks visnings"
)
_LAST = _words(
    "a aren arna art barhet bart bord bro bruk bar delen delning else erna ering eringen fall full fäste förare "
    "förening förteckning givare gård håll het heten hus ig ighet ing ingen ingar isk kedja kort källa lag lagd "
    "land lede ledning ledningen lig ligen ligt likhet list lista lokal lås lägga lösning man mannen mark märke "
    "märkt mässig nad ning ningen ningar ordning plan plats provet rad rapport ring rum rätt samling skap skapet "
    "sida skydd skylt skötsel sluten spår stad stol ställe ställning sätt sätta tagning tal teckning tid torn "
    "tryck trädet typ udde utbyte utrymme vakt vall vara varan vecka verk verket vis väg vägen värd värde växt "
    "yta"
)
_SMALL = _words(
    "och att det som en på är av för med den till inte om ett men var de har kan vid eller ska från sedan när han "
    "hon ut nu här där alla mycket efter utan bara också mellan före under över varje ingen något någon flera "
    "samma annan sin sitt hos per dock redan endast senast minst högst samt både antingen varken ju"
)
_VERBS = _words(
    "gäller hör kräver följer ligger kommer börjar slutar visar ändrar lämnar tar ger får gör håller sätter "
    "skriver läser ringer väntar söker bär drar flyttar fyller hämtar lägger möter når räknar saknar sänder "
    "vänder"
)
_MARKS = _words("• * - – — + > # → ◦ ▪ ☐ ✓ 1) a) 1. (1) 1: A.")
_QUOTES = _words("\"{}\" ”{}” '{}' »{}« ({}) [{}] {}: {}/ **{}** _{}_")
_STOPS = _words(", ; : ! ? … =")
_UNITS = _words("kr tkr SEK % st. m² km °C € kronor timmar dagar veckor &")
_ONSETS = _words("b bl br d dr f fl fr g gl gr h j k kl kn kr kv l m n p pl r s sk sl sm sn sp st str sv t tr tv v")
_VOWELS = tuple("aeiouyåäö")
_CODAS = ("", "", *_words("l ll m n nd ng r rd rk rm rn rt s sk st t v x"))


class Drill(NamedTuple):
    """A prompt and the one right answer."""

    prompt: str
    answer: str


def word_drills(seed: int) -> Iterator[Drill]:
    """Yield drills without end; the same seed gives the same ones."""
    rng = random.Random(f"word drills/{seed}")  # noqa: S311 (data, not secrets)
    kinds = (_copy, _under_number, _beside_key, _condition, _condition, _condition, _pattern)
    while True:
        yield kinds[rng.randrange(len(kinds))](rng)


def word(rng: random.Random) -> str:
    """A word that is likely new: a compound of word parts, or one to three syllables with an ending."""
    if rng.random() < 0.65:
        middle = rng.choice(_MIDDLE) if rng.random() < 0.3 else ""
        return rng.choice(_FIRST) + middle + rng.choice(_LAST)
    syllables = (rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.randint(1, 3)))
    return "".join(syllables) + (rng.choice(_LAST) if rng.random() < 0.3 else "")


def _phrase(rng: random.Random, low: int, high: int) -> str:
    """`low` to `high` words: new ones among small ones, a capital or a number now and then."""
    words = []
    for _ in range(rng.randint(low, high)):
        draw = rng.random()
        if draw < 0.35:
            words.append(rng.choice(_SMALL))
        elif draw < 0.45:
            words.append(rng.choice(_VERBS))
        elif draw < 0.55:
            words.append(_number(rng))
            if rng.random() < 0.3:
                words.append(rng.choice(_UNITS))
        else:
            new = word(rng)
            words.append(new.capitalize() if rng.random() < 0.25 else new)
        if rng.random() < 0.12:
            words[-1] = rng.choice(_QUOTES).format(words[-1])
        elif rng.random() < 0.12:
            words[-1] += rng.choice(_STOPS)
    return " ".join(words)


def _number(rng: random.Random) -> str:
    digits = "".join(rng.choice("0123456789") for _ in range(rng.randint(1, 4)))
    form = rng.randrange(6)
    marks = (digits, f"{digits} {rng.randint(0, 999):03d}", f"{digits},{rng.randint(0, 9)}")
    dates = (f"{rng.randint(1, 28)}/{rng.randint(1, 12)}", f"{rng.randint(1, 28)}.{rng.randint(1, 12)}.{digits}")
    return (*marks, *dates, f"{word(rng)[:3].upper()}-{digits}/{rng.randint(1, 999)}")[form]


def _lines(rng: random.Random, low: int, high: int) -> list[str]:
    return [_capital(_phrase(rng, 3, 9)) + "." for _ in range(rng.randint(low, high))]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _copy(rng: random.Random) -> Drill:
    text = " ".join(_lines(rng, 1, 3))
    if rng.random() < 0.4:
        mark = rng.choice(_MARKS)
        text = "\n".join(f"{mark} {line}" for line in _lines(rng, 1, 4))
    return Drill(f"{text}\n\n{rng.choice(('Skriv av texten.', 'Skriv samma text igen.'))}\nText:", text)


def _under_number(rng: random.Random) -> Drill:
    lines = _lines(rng, 2, 6)
    first, asked = rng.choice((1, 1, 2, 5, 9)), rng.randrange(len(lines))
    mark: Callable[[int], str] = rng.choice((lambda n: f"{n} §", lambda n: f"§ {n}", lambda n: f"{n}."))
    text = "\n".join(f"{mark(first + index)} {line}" for index, line in enumerate(lines))
    return Drill(f"{text}\n\nFråga: Vad står i {mark(first + asked).rstrip('.')}?\nSvar:", lines[asked])


def _beside_key(rng: random.Random) -> Drill:
    rows = [(_capital(_phrase(rng, 1, 2)), _phrase(rng, 1, 6)) for _ in range(rng.randint(2, 5))]
    key, value = rng.choice(rows)
    joint = rng.choice(("\n", " "))
    text = joint.join(f"{left}: {right}." for left, right in rows)
    return Drill(f"{text}\n\nFråga: Vad står vid {key}?\nSvar:", f"{_capital(value)}.")


_RULES = (
    ("Om {left} så {right}.", "Vad gäller om {left}?"),
    ("Om {left} {right}.", "Vad gör jag om {left}?"),
    ("När {left} {right}.", "Vad gör jag när {left}?"),
    ("{Left} {right}.", "Hur är det med {left}?"),
    ("{Right} {left}.", "Vad gäller {left}?"),
)
SILENT = "Står inte i riktlinjen."


def _condition(rng: random.Random) -> Drill:
    """A rule among numbered ones, by what it is about; nearly half the time there is no such rule.

    What is asked for then is new throughout, or is a rule's own subject with one of its words changed.
    """
    rows = [(_phrase(rng, 2, 5), _phrase(rng, 2, 6), rng.choice(_RULES)) for _ in range(rng.randint(2, 5))]
    at, start = rng.randrange(len(rows)), rng.choice((1, 1, 3, 6))
    mark: Callable[[int], str] = rng.choice((lambda n: f"{n} §", lambda n: f"§ {n}"))
    subject, answer, (_, question) = rows[at]
    told = f"{_capital(answer)}. ({mark(start + at)})"
    if rng.random() < 0.45:
        subject, told = _phrase(rng, 2, 5) if rng.random() < 0.6 else _changed(rng, subject), SILENT
    lines = [
        f"{mark(start + index)} " + form.format(left=left, Left=_capital(left), right=right, Right=_capital(right))
        for index, (left, right, (form, _)) in enumerate(rows)
    ]
    if rng.random() < 0.4:
        lines.insert(0, _capital(_phrase(rng, 3, 7)) + ".")
    return Drill("\n".join(lines) + f"\n\nFråga: {question.format(left=subject)}\nSvar:", told)


def _changed(rng: random.Random, text: str) -> str:
    """The same phrase with one word that is another."""
    words = text.split()
    words[rng.randrange(len(words))] = word(rng)
    return " ".join(words)


def _pattern(rng: random.Random) -> Drill:
    keys = rng.sample("ABCDEFGH", rng.randint(2, 4))
    values = {key: _phrase(rng, 1, 4) for key in keys}
    parts = list(keys)
    rng.shuffle(parts)
    parts = parts[: rng.randint(1, len(parts))]
    pattern, filled = [], []
    for key in parts:
        if rng.random() < 0.7:
            joint = _phrase(rng, 1, 2)
            pattern.append(joint)
            filled.append(joint)
        pattern.append(key)
        filled.append(values[key])
    given = " ".join(f"{key} är {values[key]}." for key in keys)
    return Drill(f"{given}\n\nSkriv ut: {' '.join(pattern)}.\nText:", f"{' '.join(filled)}.")
