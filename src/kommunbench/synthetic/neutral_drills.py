"""Drills: copy names, amounts, dates or a whole text exactly, find a paragraph by its number or by its subject."""

from __future__ import annotations

from kommunbench.synthetic.fillers import Fillers, long_date
from kommunbench.synthetic.neutral_guideline_qa import another_thing, numbered

_SENTENCES = {
    "namn": "{x} kom till mötet.|Det var {x} som ringde.|{x} har skrivit under.|Brevet är från {x}.|Fråga {x} först.",
    "platser": "Mötet hölls i {x}.|{x} ligger långt bort.|Vägen till {x} är lång.|I {x} regnade det.",
    "belopp": "Priset är {x}.|Det kostade {x}.|Vi fick {x} i bidrag.|Summan blev {x}.|Av detta återstår {x}.",
    "datum": "Det hände den {x}.|Svaret kom den {x}.|Senast den {x} ska det vara klart.|Nästa möte är den {x}.",
    "telefonnummer": "Ring {x}.|Numret är {x}.|Vi svarar på {x}.|Jouren nås på {x}.",
    "adresser": "Huset ligger på {x}.|Skicka det till {x}.|Lokalen finns på {x}.|Hämta den på {x}.",
    "koder": "Märkt {x}.|Det står {x} på lappen.|Koden är {x}.|Nummer {x} saknas.",
    "tider": "Klockan {x} börjar vi.|Dörren öppnas {x}.|Tåget går {x}.|Samling {x}.",
}
_ASKS = {
    "namn": "Skriv av namnen.|Vilka personer nämns?",
    "platser": "Skriv av platserna.|Vilka platser nämns?",
    "belopp": "Skriv av beloppen.|Vilka belopp nämns?",
    "datum": "Skriv av datumen.|Vilka datum nämns?",
    "telefonnummer": "Skriv av numren.|Vilka nummer nämns?",
    "adresser": "Skriv av adresserna.|Vilka adresser nämns?",
    "koder": "Skriv av koderna.|Vilka koder nämns?",
    "tider": "Skriv av tiderna.|Vilka tider nämns?",
}


def drill(fillers: Fillers) -> tuple[str, str]:
    """A prompt and its answer: the fillers of one kind in a text, a text again, or a paragraph among numbered ones."""
    return fillers.rng.choices((_listed, _again, _paragraph), weights=(5, 3, 4))[0](fillers)


def _text(fillers: Fillers, most: int) -> tuple[str, list[str], list[str]]:
    """Up to `most` short sentences, the kind of filler in each, and the fillers."""
    kinds = [fillers.rng.choice(tuple(_SENTENCES)) for _ in range(fillers.rng.randint(1, most))]
    values = [_filler(fillers, kind) for kind in kinds]
    pairs = zip(kinds, values, strict=True)
    return (
        " ".join(fillers.rng.choice(_SENTENCES[kind].split("|")).format(x=value) for kind, value in pairs),
        kinds,
        values,
    )


def _listed(fillers: Fillers) -> tuple[str, str]:
    """The fillers of one kind in their order, or 'Inga.' when there are none."""
    rng = fillers.rng
    text, kinds, values = _text(fillers, 6)
    wanted = rng.choice(kinds) if rng.random() < 0.85 else rng.choice(tuple(_SENTENCES))
    found = [value for kind, value in zip(kinds, values, strict=True) if kind == wanted]
    ask = rng.choice(_ASKS[wanted].split("|"))
    return f"{text}\n\n{ask}\nSvar:", (", ".join(found) if found else "Inga") + "."


def _again(fillers: Fillers) -> tuple[str, str]:
    text, _, _ = _text(fillers, 4)
    return f"{text}\n\nSkriv av texten.\nText:", text


def _paragraph(fillers: Fillers) -> tuple[str, str]:
    """A paragraph by its number, or the number of the paragraph about a thing, or that there is none."""
    rng = fillers.rng
    first, rules = numbered(fillers)
    context = "\n".join(f"{first + index} § {paragraph}" for index, (_, paragraph) in enumerate(rules))
    at = rng.randrange(len(rules))
    if rng.random() < 0.5:
        return f"{context}\n\nSkriv av {first + at} §.\nText:", rules[at][1]
    thing, answer = rules[at][0], f"{first + at} §."
    if rng.random() < 0.3:
        thing, answer = another_thing([thing for thing, _ in rules], fillers), "Ingen."
    return f"{context}\n\nVilken paragraf handlar om {thing}?\nSvar:", answer


def _filler(fillers: Fillers, kind: str) -> str:
    match kind:
        case "namn":
            return fillers.person()
        case "platser":
            return fillers.place()
        case "belopp":
            return fillers.kronor()
        case "datum":
            day = fillers.date()
            return long_date(day) if fillers.rng.random() < 0.7 else day.isoformat()
        case "telefonnummer":
            return fillers.phone()
        case "adresser":
            return fillers.address()
        case "koder":
            return _code(fillers)
        case _:
            return fillers.time()


def _code(fillers: Fillers) -> str:
    """A made-up mark of two to four runs of letters or digits: '81/4-QX', so that any figures are copied."""
    rng = fillers.rng
    runs = []
    for _ in range(rng.randint(2, 4)):
        letters = rng.random() < 0.3
        runs.append("".join(rng.choices("ABCDEFGHKLMNPRSTVXYZ" if letters else "0123456789", k=rng.randint(1, 4))))
    joints = [rng.choice("-/.: ") for _ in runs[1:]]
    return runs[0] + "".join(joint + run for joint, run in zip(joints, runs[1:], strict=True))
