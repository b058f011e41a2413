"""Notices in officialese and the same in easy Swedish, in six manners: what comes first, lists or sentences, words.

Every meaning has several official wordings and one plain one, so that what is learned is the rewriting and not a list
of sentences. Names, amounts, dates and telephone numbers are kept; abbreviations are spelled out; a rule that denies
something still denies it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import phrases


class Manner(NamedTuple):
    """One way to write easily: how the official notice is headed, how the easy text opens, goes on and ends.

    `must`, `may` and `apply` are the house's words for duty, right and application. `bullet` starts every point.
    """

    head: str
    opening: str
    bullet: str
    must: str
    may: str
    apply: str
    contact: str
    ending: str


MANNERS = (
    Manner("Kungörelse från {b} i {place}.", "", "", "måste", "har rätt till", "söka",
           "Upplysningar lämnas på tfn {phone}.", "Undrar du något? Ring {phone}."),
    Manner("Meddelande, {place}.", "Viktigt att veta:", "- ", "ska", "kan få", "ansöka om",
           "Ytterligare information ges av {who}.", "{who} svarar på frågor."),
    Manner("{B} informerar.", "Hej!", "", "behöver", "får", "be om",
           "Vid frågor kontaktas {c}.", "Vill du veta mer? Prata med {c}."),
    Manner("Allmän information från {b} i {place}.", "Kort för dig i {place}:", "* ", "får inte glömma att",
           "har möjlighet till", "begära", "Kontaktperson är {who}.", "Hör av dig till {who}."),
    Manner("Underrättelse, {b}.", "Brev från {b}.", "", "ska komma ihåg att", "är välkommen till",
           "anmäla att du vill ha", "Telefonsvar ges på {phone}.", "Vårt nummer är {phone}."),
    Manner("Anslag, {place}.", "Läs det här!", "• ", "måste själv", "erbjuds", "fråga efter",
           "Expedition: {street}.", "Besök oss gärna på {street}."),
)  # fmt: skip


class Meaning(NamedTuple):
    """What is said: official wordings (the last for test splits only), and the easy one."""

    official: tuple[str, ...]
    plain: str


def _meaning(official: str, plain: str) -> Meaning:
    return Meaning(phrases(official), plain)


_SERVICES = {
    "municipality": phrases(
        "hemtjänst | ledsagning | avlösning | boendestöd | dagverksamhet | budgetrådgivning | städhjälp | inköpshjälp "
        "| "
        "promenadstöd | anhörigstöd | läxhjälp | barnomsorg"
    ),
    "region": phrases(
        "rehabilitering | hörselvård | synvård | samtalsstöd | dietiststöd | hemsjukvård | arbetsterapi | fotvård | "
        "sjukgymnastik | logopedstöd | smärtbehandling | sömnhjälp"
    ),
}
_PLACES = {
    "municipality": phrases("Träffpunkten | Simskolan | Fritidsgården | Dagcentralen | Ungdomsgården | Konsthallen"),
    "region": phrases(
        "Vårdcentralen | Mottagningen | Provtagningen | Ungdomsmottagningen | Tandkliniken | Barnkliniken"
    ),
}
_MEANINGS = (
    _meaning("Ansökan om {x} ska vara {b} tillhanda senast {date}. | "
             "Den som önskar erhålla {x} har att inkomma med ansökan senast {date}. | "
             "Sista ansökningsdag för {x} är {date}.",
             "Du kan {apply} {x}. Gör det senast {date}."),
    _meaning("Avgiften för {x} höjs fr.o.m. {date} till {fee}. | "
             "Avgiftshöjning avseende {x} till {fee} träder i kraft {date}. | "
             "Taxan för {x} uppgår efter höjning fr.o.m. {date} till {fee}.",
             "Du betalar mer för {x} från {date}. Då kostar det {fee}."),
    _meaning("Månadsavgiften för {x} är fastställd till {fee}. | "
             "Avgift om {fee} debiteras månadsvis för {x}. | "
             "För {x} erläggs {fee} per månad.",
             "Varje månad betalar du {fee} för {x}."),
    _meaning("Rätt till {x} föreligger ej för den som saknar intyg. | "
             "{X} beviljas endast mot uppvisande av intyg. | "
             "Utan intyg kan {x} ej beviljas.",
             "Utan intyg får du inte {x}."),
    _meaning("Den sökande åläggs att inkomma med underlag senast {date}. | "
             "Kompletterande underlag inges senast {date}. | "
             "Underlag ska vara oss tillhanda senast {date}.",
             "Du {must} skicka papper till oss senast {date}."),
    _meaning("Handläggningstiden för {x} beräknas till {n} veckor. | "
             "Beslut om {x} meddelas normalt inom {n} veckor. | "
             "Ärenden om {x} avgörs inom {n} veckor.",
             "Du får svar om {x} inom {n} veckor."),
    _meaning("{Y} på {street} hålls stängd t.o.m. {date} p.g.a. ombyggnad. | "
             "Med anledning av ombyggnad är {y} på {street} stängd t.o.m. {date}. | "
             "{Y} på {street} stängs för ombyggnad t.o.m. {date}.",
             "{Y} på {street} är stängd till och med {date}. Vi bygger om."),
    _meaning("Besökare till {y} erinras om att medföra legitimation. | "
             "Legitimation krävs vid besök på {y}. | "
             "Vid besök på {y} ska legitimation uppvisas.",
             "Du {must} ta med legitimation till {y}."),
    _meaning("{X} omfattar högst {n} timmar per månad. | "
             "Maximalt {n} timmars {x} kan utgå per månad. | "
             "Omfattningen av {x} begränsas till {n} timmar i månaden.",
             "Du {may} {x}. Det blir högst {n} timmar i månaden."),
    _meaning("Avbokning ska ske senast kl. {time} dagen före. | "
             "Återbud lämnas senast kl. {time} föregående dag. | "
             "Förhinder anmäls senast kl. {time} dagen innan.",
             "Kan du inte komma? Säg till senast klockan {time} dagen innan."),
    _meaning("Uteblivet besök debiteras med {fee}. | "
             "Vid uteblivet besök utgår en avgift om {fee}. | "
             "Den som uteblir faktureras {fee}.",
             "Kommer du inte får du betala {fee}."),
    _meaning("Synpunkter ska inges inom {n} dagar. | "
             "Den som har synpunkter äger inkomma med dem inom {n} dagar. | "
             "Eventuella yttranden emotses inom {n} dagar.",
             "Vill du tycka till? Skriv till oss inom {n} dagar."),
    _meaning("Rätten till {x} upphör {date}, men kan förnyas. | "
             "Giltighetstiden för {x} löper ut {date} och kan förlängas. | "
             "Förlängning av {x} krävs efter {date}.",
             "Du har {x} till {date}. Sedan kan du {apply} {x} igen."),
    _meaning("{who2} har förordnats som handläggare. | "
             "Ärendet handläggs av {who2}. | "
             "Såsom handläggare har utsetts {who2}.",
             "{who2} tar hand om ditt ärende."),
    _meaning("Personuppgifter behandlas i enlighet med gällande bestämmelser och lämnas ej ut. | "
             "Inkomna uppgifter omfattas av sekretess. | "
             "Uppgifter i ärendet utlämnas ej till obehörig.",
             "Vi berättar inte för andra vad du har sagt till oss."),
    _meaning("Parkering vid {y} är ej tillåten t.o.m. {date}. | "
             "Parkeringsförbud råder vid {y} t.o.m. {date}. | "
             "Det är t.o.m. {date} förbjudet att parkera vid {y}.",
             "Du får inte parkera vid {y} till och med {date}."),
)  # fmt: skip
_FEES = _MEANINGS[1:3]
_PADDING = phrases(
    "Vad ovan anförts meddelas härmed för kännedom. | Beslut i frågan har fattats i vederbörlig ordning. | Det "
    "förtydligas att tidigare utfärdade anvisningar i ämnet därmed upphävs. | Erforderlig beredning har skett i samråd "
    "med berörda förvaltningar. | I övrigt hänvisas till gällande reglemente. | Handlingarna finns tillgängliga hos "
    "registratorn."
)
"""What an official text says and an easy one leaves out."""


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `lattlast`: {id, split, group, input, references}; one notice a row."""
    for draft in drafts("lattlast", organisation, split, seed, recipe):
        text, plain = _notice(draft)
        yield {"id": draft.id, "split": split, "group": draft.id, "input": text, "references": [plain]}


GENERATOR: Generator = _rows


def _notice(draft: Draft) -> tuple[str, str]:
    """An official notice about one service, with two things to know, and its easy version."""
    rng, manner, kind = draft.rng, MANNERS[draft.manner], draft.organisation.kind
    service, place = draft.pick(_SERVICES[kind]), draft.pick(_PLACES[kind])
    shared = {"x": service, "X": service.capitalize(), "y": place.lower(), "Y": place}
    shared |= {"must": manner.must, "may": manner.may, "apply": manner.apply}
    around = draft.slots()
    official, plain = [], []
    for meaning in _compatible(draft.favourites("meanings", _MEANINGS, 3))[:2]:
        values = draft.slots(**shared)
        official.append(draft.pick(meaning.official).format_map(values))
        plain.append(manner.bullet + meaning.plain.format_map(values))
    for padding in rng.sample(draft.open(_PADDING), 3):
        official.insert(rng.randint(0, len(official)), padding.format_map(around))
    joint = "\n" if manner.bullet else " "
    opening, ending = manner.opening.format_map(around), manner.ending.format_map(around)
    easy = joint.join(part for part in (opening, *plain, ending) if part)
    return " ".join((manner.head.format_map(around), *official, manner.contact.format_map(around))), easy


def _compatible(meanings: list[Meaning]) -> list[Meaning]:
    """At most one of the two monthly fees: a service has one."""
    fees = [meaning for meaning in meanings if meaning in _FEES]
    return [meaning for meaning in meanings if meaning not in fees[1:]]
