"""Copy drills: name the places, people, amounts, dates or numbers of a text exactly as they stand there."""

from __future__ import annotations

from kommunbench.synthetic.fillers import Fillers, long_date

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
    """A prompt with two to six short sentences, and the wanted fillers in their order, or 'Inga.' when there are none.

    One drill in five asks for the whole text again.
    """
    rng = fillers.rng
    kinds = [rng.choice(tuple(_SENTENCES)) for _ in range(rng.randint(2, 6))]
    values = [_filler(fillers, kind) for kind in kinds]
    text = " ".join(
        rng.choice(_SENTENCES[kind].split("|")).format(x=value) for kind, value in zip(kinds, values, strict=True)
    )
    if rng.random() < 0.2:
        return f"{text}\n\nSkriv av texten.\nText:", text
    wanted = rng.choice(kinds) if rng.random() < 0.85 else rng.choice(tuple(_SENTENCES))
    found = [value for kind, value in zip(kinds, values, strict=True) if kind == wanted]
    ask = rng.choice(_ASKS[wanted].split("|"))
    return f"{text}\n\n{ask}\nSvar:", (", ".join(found) if found else "Inga") + "."


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
