"""Case texts with headings and their summaries, in six manners. Every name, amount and date of a summary is copied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import capital, phrases
from kommunbench.synthetic.style import favourites


class Manner(NamedTuple):
    """One way to write a case and to sum it up. Verdicts are for yes, no and wait; each proposal has variants."""

    headings: tuple[str, str, str]
    proposals: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    verdicts: tuple[str, str, str]
    summary: str


MANNERS = (
    Manner(
        ("Ärendet", "Bakgrund", "Förslag till beslut"),
        (phrases("{B} bifaller förslaget. | {B} beslutar att bifalla förslaget. | Förslaget bifalls av {b}."),
         phrases("{B} avslår förslaget. | {B} bifaller inte förslaget. | Förslaget avslås av {b}."),
         phrases("{B} återremitterar ärendet. | Ärendet återremitteras av {b}. | {B} beslutar om återremiss.")),
        ("bifalla förslaget", "avslå förslaget", "återremittera ärendet"),
        "Ärendet gäller att {m}. Kostnaden uppgår till {money}. {B} föreslås {verdict}.",
    ),
    Manner(
        ("Beskrivning", "Skäl", "Beslutsformulering"),
        (phrases("{B} godkänner åtgärden. | Åtgärden godkänns av {b}. | {B} ställer sig bakom åtgärden."),
         phrases("{B} godkänner inte åtgärden. | {B} avvisar åtgärden. | Åtgärden avvisas av {b}."),
         phrases("{B} bordlägger åtgärden. | Åtgärden bordläggs av {b}. | {B} väljer att bordlägga åtgärden.")),
        ("Godkänns", "Avvisas", "Bordläggs"),
        "{verdict} av {b}: åtgärden att {m}. Skälet är att {why}. Ramen är {money}.",
    ),
    Manner(
        ("Sakfrågan", "Överväganden", "Ställningstagande"),
        (phrases("{B} tillstyrker. | {B} tillstyrker i sin helhet. | Förvaltningen råder {b} att tillstyrka."),
         phrases("{B} avstyrker. | {B} tillstyrker inte. | Förvaltningen råder {b} att avstyrka."),
         phrases("{B} avvaktar. | {B} avvaktar tills vidare. | Förvaltningen råder {b} att avvakta.")),
        ("tillstyrks", "avstyrks", "får vila"),
        "Sakfrågan om att {m} {verdict}, med hänvisning till att {why}. {close}",
    ),
    Manner(
        ("Uppdrag", "Analys", "Rekommendation"),
        (phrases("Genomför uppdraget, {b}. | {B} bör genomföra uppdraget. | Uppdraget bör genomföras av {b}."),
         phrases("{B} bör inte genomföra uppdraget. | Genomför inte uppdraget, {b}. | {B} bör säga upp uppdraget."),
         phrases("{B} bör invänta mer underlag. | Invänta mer underlag, {b}. | Mer underlag bör inväntas av {b}.")),
        ("genomför", "genomför inte", "invänta"),
        "Rekommendation: {verdict}. Uppdraget är att {m} med budgeten {money} och leverans {date}.",
    ),
    Manner(
        ("Vad saken gäller", "Så ser det ut i dag", "Vårt förslag"),
        (phrases("Vi vill att {b} går vidare. | Vi tycker att {b} ska gå vidare. | Låt {b} gå vidare."),
         phrases("Vi vill att {b} stannar här. | Vi vill inte att {b} går vidare. | Låt saken stanna här, {b}."),
         phrases("Vi vill att {b} tar saken senare. | Vi tycker att saken kan tas senare. | Låt {b} ta saken senare.")),
        ("gå vidare", "stanna här", "ta saken senare"),
        "Vi vill {verdict}. Saken gäller att {m}. Notan blir {money}. {close}",
    ),
    Manner(
        ("Ändamål", "Redogörelse", "Yttrande"),
        (phrases("{B} har ingen erinran. | {B} lämnar framställan utan erinran. | Ingen erinran lämnas av {b}."),
         phrases("{B} motsätter sig framställan. | {B} lämnar inte sitt medgivande. | Framställan medges inte av {b}."),
         phrases("{B} begär komplettering. | Framställan ska kompletteras. | {B} kräver en komplettering.")),
        ("ingen erinran", "avstyrkan", "begäran om komplettering"),
        "Yttrande från {b}: {verdict}. Framställan avser att {m} före {date}. {close}",
    ),
)  # fmt: skip
_CLOSES = (
    ("Diarienummer: {diary}.", "Akten har {diary}."),
    ("Handläggare: {who}.", "Frågor till {who}."),
    ("Skickas till: {u2}.", "Går vidare till {u2}."),
    ("Beredning: {u2}.", "Berett av {u2}."),
)
"""How a house ends: the line its texts carry, and what its summaries make of it."""
_MEASURES = {
    "municipality": phrases(
        "renovera köket på förskolan {place} | byta ut taket på äldreboendet {place} | bygga ett trapphus vid "
        "{street} |"
        "anlägga en bullervall längs {street} | flytta hemtjänstens lokal till {street} | införa nattfrid i {place} |"
        "upphandla matlådor till {place} | starta en träffpunkt för äldre i {place} | avveckla korttidsboendet i "
        "{place} |"
        "anställa två kuratorer vid {place}skolan | bredda trottoaren på {street} | avgiftsbelägga bryggan i {place} |"
        "införa digitala lås i {place} | utöka fältgruppen i {place} | riva paviljongen på {street} |"
        "öppna en familjecentral i {place} | byta belysningen längs {street} | höja bidraget till fritidsgården i "
        "{place}"
    ),
    "region": phrases(
        "bygga om akutmottagningen i {place} | flytta blodcentralen till {street} | införa kvällsöppet på "
        "vårdcentralen "
        "i {place} | köpa en ultraljudsapparat till {place} | stänga två vårdplatser i {place} | starta en rörlig "
        "mammografi i {place} | utöka ambulansberedskapen i {place} | byta journalskrivare vid {place} sjukhus | "
        "öppna en "
        "smärtmottagning i {place} | förlänga busslinjen till {place} | avveckla tandkliniken på {street} | upphandla "
        "tolkar till {place} | bygga ett helikopterdäck vid {street} | införa självincheckning i {place} | "
        "renovera barnavdelningen i {place} | höja bidraget till folkhögskolan i {place}"
    ),
}
_UNITS = {
    "municipality": phrases(
        "barn- och utbildningsförvaltningen | gatukontoret | omsorgsförvaltningen | samhällsbyggnad | "
        "serviceförvaltningen |"
        "socialtjänsten | fastighetsavdelningen"
    ),
    "region": phrases(
        "primärvården | regionservice | kollektivtrafiken | sjukhusledningen | hälsovalsenheten | folktandvården |"
        "akutverksamheten"
    ),
}
_OPENINGS = phrases(
    "{U} vill {m}. | {U} har fått i uppdrag att {m}. | {U} föreslår {b} att {m}. | {who2} har väckt frågan om att "
    "{m}. |"
    "Sedan {earlier} bereds frågan om att {m}. | Ett medborgarförslag går ut på att {m}. | {U} planerar att {m}."
)
_REASONS = phrases(
    "Det beror på att {why}. | Orsaken är att {why}. | {U} pekar på att {why}. | Av utredningen framgår att {why}. |"
    "Det har visat sig att {why}."
)
_WHY = (
    phrases("behovet växer i {place2} | dagens lösning är uttjänt | köerna har blivit längre | lokalerna inte längre "
            "uppfyller kraven | verksamheten blir billigare på sikt | arbetsmiljön förbättras"),
    phrases("medel saknas i årets ram | behovet är mindre än väntat | {place2} har större behov | nyttan inte "
            "motsvarar "
            "priset | underlaget har brister | personal inte går att rekrytera"),
    phrases("remissvaren inte har kommit in | kalkylen är osäker | {u2} utreder samma sak | frågan hänger ihop med "
            "budgeten | läget i {place2} är oklart | avtalet ännu inte är klart"),
)  # fmt: skip
_COSTS = phrases(
    "Kostnaden beräknas till {money}. | Totalt krävs {money}. | Enligt kalkylen behövs {money}. | Åtgärden kostar "
    "{money}. |"
    "Slutsumman är beräknad till {money}."
)
_DATES = phrases(
    "Allt ska vara genomfört {date}. | Slutdatum är {date}. | Tidplanen löper ut {date}. | Sista dag för "
    "genomförandet är {date}."
)
_ASIDES = phrases(
    "Facket har informerats. | Barnens bästa har beaktats. | {n} personer har lämnat synpunkter. | Samråd har hållits "
    "i "
    "{place2}. | Lokalen besöktes {earlier}. | {U2} har lämnat underlag. | Grannarna har hörts."
)
_TRAPS = phrases(
    'Ett tidigare anbud låg på {money2}. | {who2} skriver däremot: "{opposite}" | En liknande begäran avslogs '
    "{earlier}. | I fjol användes {money2} till underhåll. | {place2} fick nej till {money2} i våras."
)
_OPPOSITES = ("Säg nej till det här.", "Säg ja till det här.", "Bestäm er nu.")
"""What a quoted voice wants, for each verdict something else."""


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `summarization`: {id, split, group, input, references}; one case a row."""
    for draft in drafts("summarization", organisation, split, seed, recipe):
        text, summary = _case(draft)
        yield {"id": draft.id, "split": split, "group": draft.id, "input": text, "references": [summary]}


GENERATOR: Generator = _rows


def _case(draft: Draft) -> tuple[str, str]:
    """A case of three sections and its summary."""
    rng, manner, kind = draft.rng, MANNERS[draft.manner], draft.organisation.kind
    verdict = rng.choices(range(3), favourites(draft.organisation, draft.seed, draft.recipe, "verdicts", 3))[0]
    unit, other = rng.sample(_UNITS[kind], 2)
    values = draft.slots(u=unit, U=capital(unit), u2=other, U2=capital(other))
    values["m"] = draft.favourites("measures", draft.open(_MEASURES[kind]))[0].format_map(values)
    values["why"] = draft.pick(_WHY[verdict]).format_map(values)
    values |= {"verdict": manner.verdicts[verdict], "opposite": _OPPOSITES[verdict]}
    end, close = draft.own("close", _CLOSES)
    values["close"] = close.format_map(values)

    middle = [draft.pick(_REASONS), draft.pick(_COSTS), draft.pick(_DATES), *rng.sample(draft.open(_ASIDES), 2)]
    if draft.is_hard():
        middle.append(draft.pick(_TRAPS))
    rng.shuffle(middle)
    texts = (draft.pick(_OPENINGS), " ".join(middle), draft.pick(manner.proposals[verdict]))
    sections = [f"{heading}: {text}" for heading, text in zip(manner.headings, texts, strict=True)]
    if draft.style.proposal_first:
        sections.insert(0, sections.pop())
    return "\n".join([*sections, end]).format_map(values), manner.summary.format_map(values)
