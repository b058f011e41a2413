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
    "enkät.|Samtal har förts med {who}.|Frågan var uppe redan den {d0}.|Ungefär {n} personer berörs varje vecka.|"
    "Många i {p} har hört av sig.|{who} tycker tvärtom att pengarna behövs bättre i {p2}.|Det finns inga hinder enligt "
    "{u2}.|Platsen ligger {n} meter från {s}.|Förra året lades {k2} på underhåll.|Huset byggdes för {n2} år sedan.|"
    "Personalen har inte fått frågan tidigare.|Ingen har haft något att invända."
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
    "{U} säger ja eftersom {why}.|Därför säger {u} ja till förslaget.|{U} är positiv eftersom {why}.|"
    "{U} tycker att förslaget är bra."
)
_NO = phrases(
    "{U} säger nej eftersom {whynot}.|Därför säger {u} nej till förslaget.|{U} tycker inte att det ska göras.|"
    "{U} är inte positiv, eftersom {whynot}."
)
_WAIT = phrases("{U} vill vänta eftersom {whynot}.|{U} vill veta mer innan något görs.|Därför vill {u} vänta.")
_WHY = phrases(
    "lokalerna är slitna|behovet ökar|många har nytta av det|det blir billigare på sikt|säkerheten blir bättre"
)
_WHY_NOT = phrases(
    "pengarna inte räcker|andra behov är större|underlaget är för tunt|priset är för högt|nyttan är liten"
)
_STANCES = {"yes": _YES, "no": _NO, "wait": _WAIT}
_CLOSINGS = {"yes": "{U} säger ja.", "no": "{U} säger nej.", "wait": "{U} vill vänta."}


def case(fillers: Fillers) -> tuple[str, str]:
    """A case of 30 to 100 words and its neutral summary of 10 to 35."""
    rng = fillers.rng
    values = _values(fillers)
    stance = rng.choice(("yes", "no", "wait"))
    cost, date = rng.random() < 0.85, rng.random() < 0.8
    middle = rng.sample(_ASIDES, rng.randint(1, 4))
    facts = [rng.choice(_COSTS)] * cost + [rng.choice(_DATES)] * date + [rng.choice(_STANCES[stance])]
    rng.shuffle(facts)
    for fact in facts:
        middle.insert(rng.randint(0, len(middle)), fact)
    text = " ".join(part.format_map(values) for part in (rng.choice(_OPENINGS), *middle))
    summary = ["Texten handlar om att {m}."]
    if cost and date:
        summary.append("Det kostar {k} och ska vara klart den {d}.")
    elif cost:
        summary.append("Det kostar {k}.")
    elif date:
        summary.append("Det ska vara klart den {d}.")
    summary.append(_CLOSINGS[stance])
    return text, " ".join(summary).format_map(values)


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
        "k": fillers.kronor(),
        "k2": fillers.kronor(),
        "d": written_date(rng, fillers),
        "d0": written_date(rng, fillers),
        "n": str(rng.randint(12, 640)),
        "n2": str(rng.randint(8, 90)),
        "why": rng.choice(_WHY),
        "whynot": rng.choice(_WHY_NOT),
    }


def written_date(rng: random.Random, fillers: Fillers) -> str:
    """A date, most often in words and now and then in figures, so that both are copied as they stand."""
    day = fillers.date()
    return long_date(day) if rng.random() < 0.75 else day.isoformat()
