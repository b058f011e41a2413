"""A building application under invented plan rules, and the basis for a decision: facts, rules, both sides, gaps.

It never decides. The traps: a measure just over its limit, a neighbour who objects to what the plan allows, and a paper
that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import capital, phrases


class Manner(NamedTuple):
    """A house's five headings and its wording of the facts, of a rule that is kept or broken, and of nothing."""

    headings: tuple[str, str, str, str, str]
    facts: str
    kept: str
    broken: str
    nothing: str


MANNERS = (
    Manner(("Fakta", "Bestämmelser", "Talar för", "Talar emot", "Saknas"),
           "{Thing} på {property}, sökande {who}.", "{Name} uppfyller kravet ({i} §).",
           "{Name} är {asked}, kravet är {limit} ({i} §).", "Inget."),
    Manner(("Ansökan", "Planens krav", "Plus", "Minus", "Återstår"),
           "{who} vill ha {thing}, {property}.", "Godtagbart mått enligt {i} §: {name} {asked}.",
           "Mått utanför planen enligt {i} §: {name} {asked} i stället för {limit}.", "Finns ej."),
    Manner(("Vad som söks", "Vad som gäller", "Skäl för", "Skäl mot", "Ofullständigt"),
           "Det gäller {thing} vid {property}. Sökande är {who}.", "{Name} håller sig inom § {i}.",
           "{Name} bryter mot § {i} med {asked}, där {limit} gäller.", "Tomt."),
    Manner(("Åtgärden", "Reglering", "Uppfyllt", "Avvikelser", "Att begära in"),
           "Fastighet {property}. Åtgärd {thing}. Part {who}.", "{Name}, se {i} §.",
           "{Name}, se {i} §: {asked} mot {limit}.", "Noterat: inga."),
    Manner(("Sakförhållanden", "Norm", "Medger", "Hindrar", "Luckor"),
           "Uppförande av {thing}, {property}, för {who}.", "Normen i {i} § klaras av {name}.",
           "Normen i {i} § ({limit}) klaras inte: {name} är {asked}.", "Ej aktuellt."),
    Manner(("Byggnaden", "Regelverk", "Fördelar", "Nackdelar", "Kompletteras med"),
           "{who} planerar {thing} på {property}.", "Rätt {name} ({i} §).",
           "Fel {name} ({i} §): {asked}, gräns {limit}.", "Ingenting."),
)  # fmt: skip
_OPENINGS = phrases(
    "{who} söker lov för {thing} på {property}. | Ansökan från {who} om {thing} på {property}. | På {property} vill "
    "{who} "
    "uppföra {thing}. | Lov söks av {who} för {thing}, {property}."
)
_NEIGHBOURS = (
    phrases("Grannen {who2} har inget att invända. | {who2}, som är granne, har inga synpunkter. | {who2} bredvid "
            "stöder "
            "förslaget. | Från grannen {who2} finns inga invändningar."),
    phrases("Grannen {who2} invänder mot {about}. | {who2}, som är granne, är emot på grund av {about}. | {who2} "
            "bredvid "
            "ogillar {about}. | Från grannen {who2} finns invändningar mot {about}."),
)  # fmt: skip
_THINGS = phrases("carport | förråd | växthus | altan | garage | bastu | cykelskjul | attefallsstuga | uterum")
_PAPERS = phrases("situationsplan | fasadritning | sektionsritning | markplan | kontrollplan | fotomontage")
_OBJECTIONS = phrases("skuggan | utsikten | bullret | färgen | läget")


class Measure(NamedTuple):
    """Something measured: name, unit, range, tenths or not, and whether the rule's number is the most or the least."""

    name: str
    unit: str
    low: int
    high: int
    tenths: bool
    most: bool


_MEASURES = (
    Measure("ytan", "kvm", 12, 80, False, True),
    Measure("höjden", "meter", 22, 48, True, True),
    Measure("avståndet till gränsen", "meter", 10, 60, True, False),
)


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `decision_basis`: {id, split, group, rules, application, references, sections, fields}."""
    for draft in drafts("decision_basis", organisation, split, seed, recipe):
        rules, application, basis, fields = _matter(draft)
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "rules": rules,
            "application": application,
            "references": [basis],
            "sections": list(MANNERS[draft.manner].headings),
            "fields": fields,
        }


GENERATOR: Generator = _rows


def _matter(draft: Draft) -> tuple[str, str, str, dict[str, str]]:
    """The plan's rules, the application, the basis, and the facts that the basis must have."""
    rng, manner, slots = draft.rng, MANNERS[draft.manner], draft.slots()
    # No property has block 0.
    slots.update(thing=draft.favourites("things", draft.open(_THINGS))[0], property=f"{slots['place']} 0:{slots['n']}")
    slots.update(Thing=capital(slots["thing"]), about=draft.pick(_OBJECTIONS))
    rules, wanted = [], []
    good: list[str] = []
    bad: list[str] = []
    for number, measure in enumerate(rng.sample(_MEASURES, 3), start=rng.choice((1, 1, 4, 7))):
        asked, most_or_least = _numbers(draft, measure)
        limit = f"{'högst' if measure.most else 'minst'} {_written(most_or_least, measure)}"
        rules.append(f"{number} § {capital(measure.name)} ska vara {limit}.")
        wanted.append(f"{measure.name} är {_written(asked, measure)}")
        fits = asked <= most_or_least if measure.most else asked >= most_or_least
        words = {"name": measure.name, "Name": capital(measure.name), "asked": _written(asked, measure)}
        (good if fits else bad).append((manner.kept if fits else manner.broken).format(i=number, limit=limit, **words))
    against = rng.random() < 0.5
    neighbour = draft.pick(_NEIGHBOURS[against]).format_map(slots)
    (bad if against else good).append(neighbour)
    missing = draft.pick(_PAPERS) if draft.is_hard() else ""
    papers = f"{capital(missing)} saknas." if missing else "Handlingarna är fullständiga."
    opening = draft.pick(_OPENINGS).format_map(slots)
    application = f"{opening} {capital(', '.join(wanted))}. {neighbour} {papers}"
    texts = (
        manner.facts.format_map(slots),
        " ".join(rule.partition(" § ")[2] for rule in rules),
        " ".join(good) or manner.nothing,
        " ".join(bad) or manner.nothing,
        f"{capital(missing)}." if missing else manner.nothing,
    )
    basis = "\n".join(f"{heading}\n{text}" for heading, text in zip(manner.headings, texts, strict=True))
    return "\n".join(rules), application, basis, {name: slots[name] for name in ("thing", "property", "who")}


def _numbers(draft: Draft, measure: Measure) -> tuple[int, int]:
    """What is asked and the rule's limit; in a hard row they lie close."""
    limit = draft.rng.randint(measure.low, measure.high)
    if draft.is_hard():
        return limit + draft.rng.choice((-1, 1)), limit
    return draft.rng.randint(measure.low // 2, measure.high + measure.low // 2), limit


def _written(number: int, measure: Measure) -> str:
    text = f"{number // 10},{number % 10}".removesuffix(",0") if measure.tenths else str(number)
    return f"{text} {measure.unit}"
