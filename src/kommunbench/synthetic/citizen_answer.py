"""A person's question about their own case, the case's record, and the letter that answers it.

The traps: a record with two dates, a refusal that must stay a refusal, and a question that the record does not answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import phrases


class Manner(NamedTuple):
    """How a house keeps its record of a case, and how it writes a letter round the answer itself."""

    record: str
    letter: str


MANNERS = (
    Manner("Akt {diary}, {b}\nSökande: {who}\nInsats: {x}\nLäge: {status}\nKontakt: {who2}, {phone}",
           "Hej {who}! {body} Ring {who2} på {phone} om du undrar något. Vänliga hälsningar, {b}"),
    Manner("{B}, ärende {diary}\nNamn: {who}\nAvser: {x}\nStatus: {status}\nHandläggs av {who2}, {phone}",
           "Bästa {who}! Tack för din fråga. {body} Frågor besvaras av {who2}. {B}"),
    Manner("Dnr: {diary}\nPerson: {who}\nÄmne: {x}\nBeslutsläge: {status}\nAnsvarig: {who2} ({phone})",
           "{who}, du har frågat om {x}. {body} Har du fler frågor? Telefon {phone}. Med vänlig hälsning, {who2}"),
    Manner("Register {diary}\nMedborgare: {who}\nTyp: {x}\nUtfall: {status}\nSignatur: {who2}, {phone}",
           "Hej, {who}. {body} Det här gäller ditt ärende {diary}. Skrivet av {who2}"),
    Manner("Kortfakta {diary}, {b}\nFör: {who}\nStöd: {x}\nVad som hänt: {status}\nDin kontakt: {who2}, {phone}",
           "Hej och tack för att du hör av dig, {who}! {body} Du når mig på {phone}. {who2}, {b}"),
    Manner("Liggare {diary}\nInsändare: {who}\nSak: {x}\nBesked: {status}\nUndertecknas: {who2}, {phone}",
           "God dag {who}. I ditt ärende {diary} gäller detta. {body} Hälsar {who2}"),
)  # fmt: skip


Exchange = tuple[tuple[str, ...], str, tuple[str, ...]]
"""A question in variants, its answer, and the slots whose values the letter must have."""


class Case(NamedTuple):
    """What the record says of where the case stands, and the questions that it answers."""

    status: str
    asked: tuple[Exchange, ...]


_DECIDED = phrases("Har ni bestämt något om {x}? | Får jag {x}? | Hur går det för mig med {x}? | Vad blev det av {x}?")
_WHY = phrases("Varför får jag inte {x}? | Vad är skälet till att jag inte får {x}? | Hur kan det bli nej till {x}?")
_PAPER = phrases("Vad ska jag göra nu? | Behöver ni något mer av mig? | Ska jag skicka in något?")
_CASES = (
    Case("beviljat från {date}, ansökan kom in {earlier}",
         ((_DECIDED, "Du får {x} från {date}.", ("date",)),
          (phrases("När kom min ansökan om {x} in? | Vilken dag kom ansökan in? | När fick ni ansökan?"),
           "Din ansökan kom in till oss {earlier}.", ("earlier",)))),
    Case("avslag {earlier} eftersom {why}",
         ((_DECIDED, "Du får inte {x} eftersom {why}.", ("why",)),
          (_WHY, "Vi sa nej till {x} eftersom {why}.", ("why",)))),
    Case("väntar på {paper} senast {date}",
         ((_DECIDED, "Vi har inte bestämt något än, för vi väntar på {paper}.", ("paper",)),
          (_PAPER, "Vi behöver {paper} från dig senast {date}.", ("paper", "date")))),
    Case("utreds, beslut senast {date}",
         ((_DECIDED, "Vi har inte bestämt något än. Du får besked senast {date}.", ("date",)),
          (phrases("När får jag svar om {x}? | Hur länge ska jag vänta på {x}? | När bestämmer ni om {x}?"),
           "Du får svar senast {date}.", ("date",)))),
)  # fmt: skip
_UNKNOWN = phrases(
    "Vad kostar {x}? | Kan min granne också få {x}? | Vem betalar för {x}? | Var i {place} ges {x}? | Kan jag byta "
    "{x} mot "
    "något annat?"
)
_NOT_IN_RECORD = "Det står inte i ditt ärende, men {who2} kan ta reda på det."
_REASONS = phrases(
    "intyg saknas | ansökan kom in för sent | platserna är slut | underlaget är ofullständigt | avtalet har gått ut | "
    "behovet är tillgodosett | insatsen har upphört"
)
_PAPERS = phrases(
    "ett intyg från {place} | en fullmakt | hyresavtalet för {street} | inkomstuppgifter | en underskrift | kvittot på "
    "{fee} | ett skriftligt godkännande"
)
_SERVICES = {
    "municipality": phrases(
        "hemtjänst | ledsagning | avlösning | boendestöd | dagverksamhet | budgetrådgivning | skolskjuts | en "
        "kolonilott | "
        "ett parkeringstillstånd | en kontaktperson | bostadsanpassning"
    ),
    "region": phrases(
        "rehabilitering | hörselvård | synvård | samtalsstöd | dietiststöd | hemsjukvård | arbetsterapi | fotvård | "
        "en hörapparat | sjukresor | ett hjälpmedel"
    ),
}


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `citizen_answer`: {id, split, group, case, question, references, must_keep}."""
    for draft in drafts("citizen_answer", organisation, split, seed, recipe):
        record, question, letter, kept = _exchange(draft)
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "case": record,
            "question": question,
            "references": [letter],
            "must_keep": kept,
        }


GENERATOR: Generator = _rows


def _exchange(draft: Draft) -> tuple[str, str, str, list[str]]:
    """The record, the person's question, the letter, and the texts that it must have."""
    manner = MANNERS[draft.manner]
    case = draft.favourites("outcomes", _CASES)[0]
    slots = draft.slots(x=draft.pick(_SERVICES[draft.organisation.kind]), why=draft.pick(_REASONS))
    slots["paper"] = draft.pick(_PAPERS).format_map(slots)
    if draft.rng.random() < draft.style.unanswerable:
        exchange: Exchange = (_UNKNOWN, _NOT_IN_RECORD, ("who2",))
    else:
        exchange = draft.rng.choice(case.asked)
    asked, body, kept = exchange
    slots["status"] = case.status.format_map(slots)
    slots["body"] = body.format_map(slots)
    question = draft.pick(asked).format_map(slots)
    letter = manner.letter.format_map(slots)
    return manner.record.format_map(slots), question, letter, [slots["who"], *(slots[name] for name in kept)]
