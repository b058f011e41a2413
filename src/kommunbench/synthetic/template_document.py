"""A house's template with blanks, notes in any order, and the document: every section, in order, nothing invented.

The traps: notes with more amounts and names than the template asks for, and a blank that the notes do not fill; then
the document says so and leaves no placeholder behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import capital, phrases

Section = tuple[str, str]
"""A heading, and its text with blanks in square brackets."""

MANNERS: tuple[tuple[Section, ...], ...] = (
    (("Ansökan", "Vi söker [belopp] för att [åtgärd]."),
     ("Kontakt", "Kontaktperson är [namn]."),
     ("Tidplan", "Arbetet avslutas [datum].")),
    (("Rapporterande enhet", "[enhet], genom [namn]."),
     ("Redovisning", "Uppdraget var att [åtgärd]. Utfall: [belopp]."),
     ("Slutdatum", "[datum].")),
    (("Beställning", "Beställningen gäller att [åtgärd]."),
     ("Ekonomi", "Kostnaden får vara högst [belopp]."),
     ("Leverans", "Leverans sker [datum] till [enhet].")),
    (("Tid och ansvar", "[namn] ansvarar. Klart [datum]."),
     ("Åtgärd", "Enheten ska [åtgärd]."),
     ("Budget", "Budgeten är [belopp] och belastar [enhet].")),
    (("Behovsbeskrivning", "Behovet är att [åtgärd]."),
     ("Uppgiftslämnare", "Uppgifterna lämnas av [namn], [enhet]."),
     ("Begärda medel", "[belopp] begärs.")),
    (("Avtalsdatum", "Gäller från [datum]."),
     ("Parter", "Parter är [enhet] och [namn]."),
     ("Åtagande", "Parten ska [åtgärd] mot [belopp].")),
)  # fmt: skip
MISSING = "(uppgift saknas)"
_BLANK = re.compile(r"\[(\w+)\]")
_NOTES = {
    "belopp": phrases("Det handlar om {money}. | Summan är {money}. | Pengarna vi talar om är {money}. | {money} är "
                      "beräknat."),
    "åtgärd": phrases("Vi ska {m}. | Planen är att {m}. | Tanken är att {m}. | Vad det gäller: att {m}."),
    "namn": phrases("{who} håller i det. | Prata med {who}. | {who} är den som vet. | Ansvarig är {who}."),
    "datum": phrases("Datumet är {date}. | {date} är dagen. | Vi siktar på {date}. | Dagen att räkna med är {date}."),
    "enhet": phrases("{U} är inblandad. | Det ligger hos {u}. | {U} står bakom. | Enheten heter {u}."),
}  # fmt: skip
_ASIDES = phrases(
    "{who2} frågade om parkeringen. | Förra gången gick det åt {money2}. | Kaffet var slut. | Mötet hölls i "
    "{place2}. | "
    "{who2} är sjuk i dag. | Grannenheten fick {money2}."
)
_MEASURES = phrases(
    "måla om lokalerna på {street} | köpa cyklar till {place} | utbilda personalen i {place} | laga taket på "
    "{street} | "
    "starta en studiecirkel i {place} | byta larm på {street} | hålla en friluftsdag i {place} | rusta köket på "
    "{street} "
    "| ordna sommarjobb i {place}"
)
_UNITS = phrases(
    "driftenheten | lokalgruppen | arkivet | skolenheten | rehabenheten | servicegruppen | receptionen | löneenheten"
)


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `template_document`: {id, split, group, template, notes, references, sections, fields}."""
    for draft in drafts("template_document", organisation, split, seed, recipe):
        notes, document, fields = _written(draft)
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "template": _lines(MANNERS[draft.manner]),
            "notes": notes,
            "references": [document],
            "sections": [heading for heading, _ in MANNERS[draft.manner]],
            "fields": fields,
        }


GENERATOR: Generator = _rows


def _lines(sections: tuple[Section, ...]) -> str:
    return "\n".join(f"{heading}\n{text}" for heading, text in sections)


def _written(draft: Draft) -> tuple[str, str, dict[str, str]]:
    """The notes, the document, and the value of each blank."""
    unit = draft.pick(_UNITS)
    slots = draft.slots(u=unit, U=capital(unit))
    slots["m"] = draft.favourites("measures", draft.open(_MEASURES))[0].format_map(slots)
    sources = {"belopp": "money", "åtgärd": "m", "namn": "who", "datum": "date", "enhet": "u"}
    text = _lines(MANNERS[draft.manner])
    fields = {blank: slots[sources[blank]] for blank in _BLANK.findall(text)}
    said = [draft.pick(_NOTES[blank]) for blank in fields]
    if draft.is_hard():
        dropped = draft.rng.choice([blank for blank in fields if blank != "åtgärd"])
        said = [note for note in said if note not in _NOTES[dropped]]
        fields[dropped] = MISSING
    said += draft.rng.sample(draft.open(_ASIDES), 2)
    draft.rng.shuffle(said)
    filled = _BLANK.sub(lambda blank: fields[blank[1]], text)
    document = "\n".join(capital(line) for line in filled.split("\n"))
    return " ".join(capital(note.format_map(slots)) for note in said), document, fields
