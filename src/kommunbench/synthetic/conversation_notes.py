"""A conversation between staff and a person, and the note of it: who, when, what was said, what was agreed.

The traps: a proposal that is turned down, gossip about somebody else (which no note repeats), and a date that is only
mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import phrases


class Manner(NamedTuple):
    """How a house heads a conversation and writes its note; `yes` and `no` say what became of a proposal."""

    head: str
    note: str
    yes: str
    no: str


MANNERS = (
    Manner("Samtal {date} klockan {time}.",
           "Datum: {date}. Närvarande: {worker} och {person}. Framkom: {person} har svårt att {trouble}. "
           "Överenskommet: {outcome}.", "{offer}", "{person} avstår från {offer}"),
    Manner("Hembesök {date}, {time}.",
           "Besöket {date}: {worker} träffade {person}, som har svårt att {trouble}. Planering: {outcome}.",
           "{offer} ordnas", "{offer} ordnas inte"),
    Manner("Telefonkontakt {date} kl. {time}.",
           "Kontakt {date} mellan {worker} och {person}. Sakuppgift: svårt att {trouble}. Åtgärd: {outcome}.",
           "{worker} beställer {offer}", "ingen, {person} vill inte ha {offer}"),
    Manner("Möte på mottagningen {date}, tid {time}.",
           "Deltagare {worker}, {person}. Tid {date}. Uppger sig ha svårt att {trouble}. Utfall: {outcome}.",
           "tackar ja till {offer}", "tackar nej till {offer}"),
    Manner("Avstämning den här dagen: {date}. Start {time}.",
           "Avstämning {date} ({worker}/{person}). Behov: svårt att {trouble}. Resultat: {outcome}.",
           "{offer} påbörjas", "{offer} påbörjas inte"),
    Manner("Digitalt samtal, {date}, {time}.",
           "{person} berättar {date} för {worker} om svårigheter att {trouble}. Beslut i samtalet: {outcome}.",
           "{offer} startar", "{offer} blir inte av"),
)  # fmt: skip
_TROUBLES = phrases(
    "handla på {street} | sova på nätterna | öppna posten | ta bussen till {place} | laga mat | gå i trappan | komma "
    "upp på "
    "morgonen | höra i telefonen | betala räkningen på {fee} | hitta till {place}"
)
_OFFERS = phrases(
    "matleveranser | en träff i {place} | ledsagning till {place} | samtal varje vecka | en larmklocka | hjälp på "
    "{street} "
    "| en kurs i {place} | promenader | en ny tid"
)
_STARTS = phrases("Hur har du det? | Vad vill du prata om i dag? | Berätta hur det går. | Hur är läget?")
_TELLS = phrases(
    "Jag har svårt att {trouble}. | Det går trögt, jag har svårt att {trouble}. | Ärligt talat har jag svårt att "
    "{trouble}. "
    "| Numera har jag svårt att {trouble}."
)
_ASKS = phrases(
    "Vill du ha {offer}? | Ska vi säga {offer}? | Jag kan ordna {offer}, vill du det? | Vad säger du om {offer}?"
)
_ACCEPTS = phrases("Ja, tack. | Ja, det vill jag. | Gärna. | Det blir bra, ja.")
_DECLINES = phrases("Nej, det vill jag inte. | Inte nu, nej. | Helst inte. | Nej tack.")
_GOSSIP = phrases(
    "{who2} i huset dricker för mycket. | {who2} har visst skilt sig. | Grannen {who2} är alltid sur. | De säger att "
    "{who2} "
    "ska flytta."
)
_MENTIONS = phrases("Jag fyllde år {earlier}. | Sedan {earlier} bor jag här. | Min bil såldes {earlier}.")


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `conversation_notes`: {id, split, group, input, references, fields}."""
    for draft in drafts("conversation_notes", organisation, split, seed, recipe):
        talk, note, fields = _conversation(draft)
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "input": talk,
            "references": [note],
            "fields": fields,
        }


GENERATOR: Generator = _rows


def _conversation(draft: Draft) -> tuple[str, str, dict[str, str]]:
    """The talk line by line, the note, and what the note must have."""
    rng, manner, slots = draft.rng, MANNERS[draft.manner], draft.slots()
    slots["worker"] = draft.fillers.given_name()
    while slots["worker"] == slots.setdefault("person", draft.fillers.given_name()):
        del slots["person"]
    slots["trouble"] = draft.favourites("troubles", draft.open(_TROUBLES))[0].format_map(slots)
    slots["offer"] = draft.pick(_OFFERS).format_map(slots)
    accepted = rng.random() < 0.6
    slots["outcome"] = (manner.yes if accepted else manner.no).format_map(slots)
    lines = [
        ("worker", draft.pick(_STARTS)),
        ("person", draft.pick(_TELLS)),
        ("worker", draft.pick(_ASKS)),
        ("person", draft.pick(_ACCEPTS if accepted else _DECLINES)),
    ]
    lines.insert(2, ("person", draft.pick(_GOSSIP if draft.is_hard() else _MENTIONS)))
    talk = "\n".join(f"{slots[speaker]}: {said}" for speaker, said in lines)
    fields = {name: slots[name] for name in ("date", "worker", "person", "trouble", "offer")}
    return f"{manner.head}\n{talk}".format_map(slots), manner.note.format_map(slots), fields
