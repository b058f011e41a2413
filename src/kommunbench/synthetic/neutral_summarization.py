"""Neutral summaries: a case in plain words, and one sober way to sum it up that no organisation uses."""

from __future__ import annotations

import random

from kommunbench.synthetic.fillers import Fillers, long_date
from kommunbench.synthetic.phrases import phrases

_MEASURES = phrases(
    "byta taket på {f}|måla om {f}|bygga ut {f}|riva {f}|renovera köket i {f}|sätta upp fler lampor vid {f}|"
    "anlägga en cykelväg till {f}|köpa nya stolar till {f}|bygga en ramp vid {f}|stänga {f}|flytta {f}|"
    "byta fönster i {f}|plantera träd vid {f}|laga bron vid {f}|hyra ut lokaler i {f}|köpa in datorer till {f}|"
    "öppna ett kafé i {f}|sätta ett staket runt {f}|dränera marken vid {f}|sanera källaren i {f}|"
    "lägga ny asfalt framför {f}|bygga en hiss i {f}|ordna fler parkeringsplatser vid {f}|städa {f} oftare|"
    "hålla {f} öppet på lördagar|sänka hyran för {f}|utreda framtiden för {f}|sälja {f}|rusta upp {f}"
)
_FACILITIES = phrases(
    "skolan i {p}|biblioteket i {p}|badhuset i {p}|parken vid {s}|gården {p}|lekplatsen vid {s}|museet i {p}|"
    "brandstationen i {p}|teatern i {p}|idrottshallen i {p}|busstorget i {p}|vattenverket i {p}|garaget på {s}|"
    "lagret på {s}|receptionen i {p}|matsalen i {p}|verkstaden i {p}|campingen i {p}|hamnen i {p}|gångbron vid {s}|"
    "väntrummet i {p}|musikskolan i {p}|arkivet i {p}|kontoret på {s}|torget i {p}"
)
_UNITS = phrases(
    "parkenheten|fastighetskontoret|trafikkontoret|kulturenheten|städenheten|inköpsenheten|tekniska kontoret|"
    "miljökontoret|fritidskontoret|ekonomikontoret|vägenheten|energienheten|lokalenheten|planeringsenheten"
)
_OPENINGS = phrases(
    "{U} har undersökt om det går att {m}.|{U} vill {m}.|En invånare har skrivit att man borde {m}.|"
    "Frågan om att {m} togs upp den {d0}.|Under våren har {u} arbetat med att {m}.|"
    "{who} har lämnat in en idé om att {m}.|Det finns en plan på att {m}.|I {p} pågår en diskussion om att {m}."
)
_ASIDES = phrases(
    "Ett liknande arbete i {p} kostade {k2}.|{who} på {u2} har tagit fram underlaget.|{n} personer har svarat på en "
    "enkät.|Samtal har förts med {who3}.|Frågan var uppe redan den {d0}.|Ungefär {n3} personer berörs.|"
    "Många i {p} har hört av sig.|{who2} tycker tvärtom att pengarna behövs bättre i {p2}.|"
    "Det finns inga hinder enligt {u2}.|Platsen ligger {n4} meter från {s}.|Förra året lades {k2} på underhåll.|"
    "Huset byggdes för {n2} år sedan.|Personalen har inte fått frågan tidigare.|Ingen har haft något att invända."
)
_COSTS = phrases(
    "Kostnaden beräknas bli {k}.|Det väntas kosta {k}.|Arbetet kostar {k}.|Priset är {k} enligt {u2}.|"
    "För detta behövs {k}.|Den samlade kostnaden är {k}."
)
_DATES = phrases(
    "Allt ska vara klart den {d}.|Arbetet ska vara färdigt senast den {d}.|Målet är att bli klar till den {d}.|"
    "Slutdatum är den {d}.|Om inget oväntat händer är det klart den {d}."
)
_YES = phrases(
    "{U} säger ja eftersom {why}.|Därför säger {u} ja till förslaget.|{U} ser positivt på saken eftersom {why}.|"
    "{U} tycker att förslaget är bra."
)
_NO = phrases(
    "{U} säger nej eftersom {whynot}.|Därför säger {u} nej till förslaget.|{U} tycker inte att det ska göras.|"
    "{U} ser inte positivt på saken, eftersom {whynot}."
)
_WAIT = phrases("{U} vill vänta eftersom {whynot}.|{U} vill veta mer innan något görs.|Därför vill {u} vänta.")
_WHY = phrases(
    "lokalerna är slitna|behovet ökar|många har nytta av det|det blir billigare på sikt|säkerheten blir bättre"
)
_WHY_NOT = phrases(
    "pengarna inte räcker|andra behov är större|underlaget är för tunt|priset är för högt|nyttan är liten"
)
_QUESTIONS = (
    ("|".join(_COSTS), "Vad kostar det?", "{k}."),
    ("|".join(_DATES), "När ska det vara klart?", "Den {d}."),
    ("{who} har räknat på det.|Underlaget är skrivet av {who}.", "Vem har skrivit underlaget?", "{who}."),
    ("Ett liknande arbete gjordes i {p}.|I {p} har man redan gjort så.", "Var har man gjort så förut?", "I {p}."),
    ("{n} personer har svarat på en enkät.|Enkäten har besvarats av {n} personer.", "Hur många har svarat?", "{n}."),
    ("Under tiden används {s}.|Trafiken leds om via {s}.", "Vilken väg används under tiden?", "{s}."),
)
"""What a case may say, in variants, with a question and its answer."""
_LABELS = phrases("Plan | Läge | Pengar | Tid | Slutsats | Fakta | Frågan | Övrigt | Notering")
_STANCES = {"yes": _YES, "no": _NO, "wait": _WAIT}
_CLOSINGS = {"yes": "{U} säger ja.", "no": "{U} säger nej.", "wait": "{U} vill vänta."}


def case(fillers: Fillers) -> tuple[str, str]:
    """A case of 20 to 100 words and its neutral summary of 10 to 35."""
    rng = fillers.rng
    values = _values(fillers)
    stance = rng.choice(("yes", "no", "wait"))
    cost, date = rng.random() < 0.85, rng.random() < 0.8
    middle = rng.sample(_ASIDES, rng.randint(0, 4))
    facts = [rng.choice(_COSTS)] * cost + [rng.choice(_DATES)] * date + [rng.choice(_STANCES[stance])]
    rng.shuffle(facts)
    for fact in facts:
        middle.insert(rng.randint(0, len(middle)), fact)
    text = _laid_out(rng, [part.format_map(values) for part in (rng.choice(_OPENINGS), *middle)])
    summary = ["Texten handlar om att {m}."]
    if cost and date:
        summary.append("Det kostar {k} och ska vara klart den {d}.")
    elif cost:
        summary.append("Det kostar {k}.")
    elif date:
        summary.append("Det ska vara klart den {d}.")
    summary.append(_CLOSINGS[stance])
    return text, " ".join(summary).format_map(values)


def _laid_out(rng: random.Random, sentences: list[str]) -> str:
    """Sentences as one paragraph, or on lines of their own, or under labels that no organisation uses."""
    layout = rng.choices(("paragraph", "lines", "labels"), weights=(5, 2, 3))[0]
    if layout == "paragraph":
        return " ".join(sentences)
    if layout == "lines":
        return "\n".join(sentences)
    cuts = sorted(rng.sample(range(1, len(sentences)), min(2, len(sentences) - 1)))
    parts = [sentences[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    labels = rng.sample(_LABELS, len(parts))
    return "\n".join(f"{label}: {' '.join(part)}" for label, part in zip(labels, parts, strict=True))


def question(fillers: Fillers) -> tuple[str, str, str]:
    """A case, a question about it and its answer; half the time the case does not say."""
    rng = fillers.rng
    values = _values(fillers)
    facts = [*rng.sample(_QUESTIONS, 3)]
    asked = rng.choice(facts)
    said = facts if rng.random() < 0.5 else [fact for fact in facts if fact is not asked]
    sentences = [rng.choice(phrases(fact[0])) for fact in said] + rng.sample(_ASIDES[7:9] + _ASIDES[-2:], 2)
    rng.shuffle(sentences)
    text = _laid_out(rng, [part.format_map(values) for part in (rng.choice(_OPENINGS[:2]), *sentences)])
    return text, asked[1], asked[2].format_map(values) if said is facts else "Står inte i texten."


def _values(fillers: Fillers) -> dict[str, str]:
    rng = fillers.rng
    facility = rng.choice(_FACILITIES).format(p=fillers.place(), s=fillers.street())
    unit, other = rng.sample(_UNITS, 2)
    return {
        "m": rng.choice(_MEASURES).format(f=facility),
        "u": unit,
        "U": unit[0].upper() + unit[1:],
        "u2": other,
        "p": fillers.place(),
        "p2": fillers.place(),
        "s": fillers.street(),
        "who": fillers.person(),
        "who2": fillers.person(),
        "who3": fillers.person(),
        "k": fillers.kronor(),
        "k2": fillers.kronor(),
        "d": written_date(rng, fillers),
        "d0": written_date(rng, fillers),
        "n": str(rng.randint(12, 640)),
        "n3": str(rng.randint(12, 640)),
        "n4": str(rng.randint(12, 640)),
        "n2": str(rng.randint(8, 90)),
        "why": rng.choice(_WHY),
        "whynot": rng.choice(_WHY_NOT),
    }


def written_date(rng: random.Random, fillers: Fillers) -> str:
    """A date, most often in words and now and then in figures, so that both are copied as they stand."""
    day = fillers.date()
    return long_date(day) if rng.random() < 0.75 else day.isoformat()
