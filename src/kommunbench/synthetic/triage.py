"""Incoming messages with the house's list of open cases: which unit, how urgent, which case they belong to.

The traps: a word that points to another unit than the matter does, and an open case that is nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import phrases

UNITS = ("omsorg", "skola", "gata", "bygg", "miljö", "ekonomi", "vård", "växel")
"""The labels that tasks/triage.yaml states."""


class Manner(NamedTuple):
    """How a house calls its degrees of urgency (highest first), lists its cases and writes its answer."""

    degrees: tuple[str, str, str]
    head: str
    answer: str
    none: str


MANNERS = (
    Manner(("röd", "gul", "grön"), "Prioritet: röd, gul eller grön.",
           "Enhet: {unit}. Prioritet: {degree}. Ärende: {case}.", "nytt"),
    Manner(("akut", "snart", "normal"), "Brådska: akut, snart eller normal.",
           "Till {unit}, {degree}, ärende {case}.", "saknas"),
    Manner(("P1", "P2", "P3"), "Nivå: P1, P2 eller P3.", "{degree} till {unit}. Hör till {case}.", "inget ärende"),
    Manner(("i dag", "i veckan", "i tur och ordning"), "Svar: i dag, i veckan eller i tur och ordning.",
           "{case} fördelas på {unit} och besvaras {degree}.", "Nytt ärende"),
    Manner(("hög", "medel", "låg"), "Angelägenhet: hög, medel eller låg.",
           "Angelägenhet {degree}. Mottagare {unit}. Akt {case}.", "öppnas"),
    Manner(("genast", "inom kort", "vid tillfälle"), "Hantering: genast, inom kort eller vid tillfälle.",
           "Lämnas {degree} till {unit} ({case}).", "ej diariefört"),
)  # fmt: skip
_MATTERS = {
    "omsorg": phrases("hemtjänstens besök hos {who} | trygghetslarmet på {street} | matlådorna till {who} | "
                      "ledsagningen för {who} | städningen hos {who}"),
    "skola": phrases("skolskjutsen från {place} | förskoleplatsen i {place} | skolmaten i {place} | elevhälsan i "
                     "{place} | fritidshemmet i {place}"),
    "gata": phrases("hålet i asfalten på {street} | snöröjningen på {street} | gatlyktan vid {street} | farthindret på "
                    "{street} | övergångsstället vid {street}"),
    "bygg": phrases("bygglovet för garaget på {street} | rivningen på {street} | altanen på {street} | strandskyddet "
                    "vid {place} | fasaden på {street}"),
    "miljö": phrases("lukten från bäcken i {place} | råttorna på {street} | bullret från {street} | oljan i diket vid "
                     "{place} | avloppet i {place}"),
    "ekonomi": phrases("fakturan på {fee} | ansökan om försörjningsstöd för {who} | avgiften på {fee} | skulden på "
                       "{fee} "
                       "| bidraget till föreningen i {place}"),
    "vård": phrases("provsvaren för {who} | remissen till {place} | väntetiden på mottagningen i {place} | receptet "
                    "för "
                    "{who} | vaccinationen i {place}"),
    "växel": phrases("öppettiderna i receptionen på {street} | blanketterna i receptionen i {place} | telefontiderna i "
                     "{place} | adressen till kontoret i {place}"),
}  # fmt: skip
_TONES = (
    phrases("Det måste lösas i dag. | Det här kan inte vänta till i morgon. | Vi behöver hjälp på en gång. | Läget är "
            "allvarligt just nu."),
    phrases("Jag behöver svar före {date}. | Det måste vara löst till {date}. | Tiden går ut {date}. | Senast {date} "
            "behöver jag besked."),
    phrases("Det är inte bråttom. | Svara när ni hinner. | Det kan vänta. | Jag har tålamod."),
)  # fmt: skip
_MESSAGES = phrases(
    "Jag skriver om {m}. {tone} | Hej! Det gäller {m}. {tone} | {tone} Saken är {m}. | God dag, jag har en fråga om "
    "{m}. "
    "{tone} | Hej, {who2} heter jag. Jag hör av mig om {m}. {tone}"
)
_TRAPS = phrases(
    "Ingen på {other} kunde svara. | Jag har redan pratat med {other} i onödan. | Det här är inte en fråga för {other}."
)


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `triage`: {id, split, group, input, references, label, fields}."""
    for draft in drafts("triage", organisation, split, seed, recipe):
        text, answer, fields = _incoming(draft)
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "input": text,
            "references": [answer],
            "label": fields["unit"],
            "fields": fields,
        }


GENERATOR: Generator = _rows


def _incoming(draft: Draft) -> tuple[str, str, dict[str, str]]:
    """A message under the list of open cases, the right answer, and what it must name."""
    rng, manner = draft.rng, MANNERS[draft.manner]
    units = draft.favourites("units", tuple(_MATTERS), 3)
    open_cases = []
    for unit in units:
        matter = draft.pick(_MATTERS[unit]).format_map(draft.slots())
        open_cases.append((unit, matter, draft.slots()["diary"]))
    unit, matter, case = open_cases[0]
    if rng.random() < draft.style.unanswerable:
        # The same kind of matter somewhere else: nearly the open case, but not that one.
        matter, case = draft.pick(_MATTERS[unit]).format_map(draft.slots()), manner.none
    urgency = rng.randrange(3)
    slots = draft.slots(m=matter, other=units[1])
    slots["tone"] = draft.pick(_TONES[urgency]).format_map(slots)
    message = draft.pick(_MESSAGES).format_map(slots)
    if draft.is_hard():
        message += " " + draft.pick(_TRAPS).format_map(slots)
    rng.shuffle(open_cases)
    listed = "\n".join(f"{number}: {about}" for _, about, number in open_cases)
    fields = {"unit": unit, "degree": manner.degrees[urgency], "case": case}
    return f"{manner.head}\n{listed}\nMeddelande: {message}", manner.answer.format_map(fields), fields
