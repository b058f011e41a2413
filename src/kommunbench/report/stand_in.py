"""The two tables about a stand-in, for the site that made it: how like the real text, and what of it came along."""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.core.answer import Code
from kommunbench.report.codes import sentence
from kommunbench.report.markdown import section_text
from kommunbench.report.sections import Section
from kommunbench.report.tables import Table
from kommunbench.report.wording import NOTHING, Language, number, pick, say
from kommunbench.site.likeness import COUNTS, QUANTILES, STYLE, Both
from kommunbench.site.stand_in import Likeness, StandIn

_HELD = {
    "": ("hela uppgiften", "the whole task"),
    "splits": ("delarna", "the splits"),
    "kinds": ("slagen", "the kinds"),
}


def stand_in_page(made: StandIn, language: Language) -> str:
    """Everything as Markdown."""
    title = say(language, "Ersättningsdata mot de riktiga", "The stand-in against the real data")
    lead = say(
        language,
        "Sidan jämför med platsens riktiga text och är bara för platsen. Ersättningsdata är gjorda av de tal som står"
        " i `share/statistics.json` och inget annat; varje cell är **riktig / ersättning**.",
        "This page compares with the site's real text and is for the site alone. The stand-in was made of the numbers"
        " in `share/statistics.json` and nothing else; each cell is **real / stand-in**.",
    )
    sections = (_fidelity(made, language), _leakage(made, language), *_withheld(made, language))
    return "\n\n".join([f"# {title}", lead, *map(section_text, sections)]) + "\n"


def _fidelity(made: StandIn, language: Language) -> Section:
    """Lengths, style, mix of kinds, and what words are shared."""
    return Section(
        say(language, "Likhet", "Fidelity"),
        text=(
            say(
                language,
                "Längder är i ord: en av tio texter är kortare än 10 %, hälften kortare än 50 %, en av tio längre än "
                "90 %. En text blir aldrig kortare än vad generatorn skriver.",
                "Lengths are in words: one text in ten is shorter than 10 %, half are shorter than 50 %, one in ten is "
                "longer than 90 %. No text is shorter than what the generator writes.",
            ),
        ),
        tables=(
            _rows_table(made, language),
            _style_table(made, language),
            *_mix_table(made, language),
            _words_table(made, language),
        ),
    )


def _style_table(made: StandIn, language: Language) -> Table:
    rows = []
    for each in made.likeness:
        found = {(one.field, one.what): one for one in each.fidelity}
        fields = dict.fromkeys(one.field for one in each.fidelity if one.what in STYLE)
        for field in fields:
            cells = (_both(found[field, what], language) for what in (*QUANTILES, *STYLE))
            rows.append((pick(language, each.task.title), field, *cells))
    head = say(
        language,
        "Uppgift|Fält|Ord, 10 %|50 %|90 %|Ord i en mening|Långa ord|LIX",
        "Task|Field|Words, 10 %|50 %|90 %|Words a sentence|Long words|LIX",
    )
    caption = say(language, "Längd och stil", "Length and style")
    return Table(caption, tuple(head.split("|")), tuple(rows), "llrrrrrr")


def _rows_table(made: StandIn, language: Language) -> Table:
    rows = tuple(
        (pick(language, each.task.title), *(_both(one, language) for one in each.fidelity if one.what in COUNTS))
        for each in made.likeness
    )
    head = say(language, "Uppgift|Rader|Träning|Validering|Test", "Task|Rows|Training|Validation|Test")
    return Table(say(language, "Antal", "Counts"), tuple(head.split("|")), rows, "lrrrr")


def _mix_table(made: StandIn, language: Language) -> Iterator[Table]:
    """The kinds that tasks tell apart, where any does; the last line is how many examples would have to change kind."""
    moved = say(language, "i ett annat slag", "in another kind")
    rows = tuple(
        (pick(language, each.task.title), one.field or moved, _both(one, language))
        for each in made.likeness
        for one in each.fidelity
        if one.what in ("kind", "moved")
    )
    if rows:
        head = say(language, "Uppgift|Slag|Andel", "Task|Kind|Share")
        yield Table(say(language, "Slag", "Kinds"), tuple(head.split("|")), rows, "llr")


def _words_table(made: StandIn, language: Language) -> Table:
    rows = tuple(
        (
            pick(language, each.task.title),
            *(
                f"{number(n.of_real, 'share', language)} / {number(n.of_made, 'share', language)}"
                for n in each.overlaps
            ),
        )
        for each in made.likeness
    )
    head = say(language, "Uppgift|Ord|Par|Tre i rad", "Task|Words|Pairs|Triples")
    caption = say(
        language,
        "Ordförråd: andel av den riktiga textens som ersättningen också har / andel av ersättningens som den riktiga "
        "har",
        "Vocabulary: share of the real text's that the stand-in has too / share of the stand-in's that the real text "
        "has",
    )
    return Table(caption, tuple(head.split("|")), rows, "lrrr")


def _leakage(made: StandIn, language: Language) -> Section:
    """What of the real text is in the stand-in."""
    rows = tuple(_leak(each, language) for each in made.likeness)
    head = say(
        language,
        "Uppgift|Längsta gemensamma, ord|tecken|Närmast|Median|Riktiga sinsemellan, närmast|Median|Kanariefåglar",
        "Task|Longest shared, words|characters|Nearest|Median|Real to real, nearest|Median|Canaries",
    )
    return Section(
        say(language, "Läckage", "Leakage"),
        text=(
            say(
                language,
                "Avstånd går från 0 (samma ord) till 1 (inga gemensamma), från ett exempel i ersättningen till det "
                "riktiga som är närmast, och till jämförelse mellan riktiga. Gemensamma ordföljder är vanliga "
                "uttryck: ersättningen har aldrig sett texten. Kanariefåglar: påhittade koder som lades in i en kopia"
                " av den riktiga texten och sedan söktes i ersättningen; måste vara 0.",
                "Distances go from 0 (the same words) to 1 (none shared), from an example of the stand-in to the real"
                " one nearest to it, and for comparison between real ones. Shared runs of words are common phrases: "
                "the stand-in never saw the text. Canaries: made-up codes that were put into a copy of the real text "
                "and then looked for in the stand-in; must be 0.",
            ),
        ),
        tables=(Table(say(language, "Läckage", "Leakage"), tuple(head.split("|")), rows, "lrrrrrrr"),),
    )


def _leak(each: Likeness, language: Language) -> tuple[str, ...]:
    leak = each.leakage
    distances = (leak.nearest, leak.nearest_median, leak.own, leak.own_median)
    return (
        pick(language, each.task.title),
        str(leak.longest_words),
        str(leak.longest_characters),
        *(number(distance, "share", language) for distance in distances),
        say(language, f"{leak.found} av {leak.planted}", f"{leak.found} of {leak.planted}"),
    )


def _withheld(made: StandIn, language: Language) -> Iterator[Section]:
    """What the door held back, and the tasks that nobody can invent."""
    points = []
    for place, code in made.statistics.withheld.items():
        task, _, part = place.partition("/")
        what = say(language, *_HELD[part]) if part in _HELD else part
        points.append(f"{task}, {what}: {pick(language, sentence(Code(code)))}")
    none = say(language, "ingen generator, så inga rader", "no generator, so no rows")
    points += [f"{task}: {none}" for task in made.uninvented]
    if points:
        yield Section(say(language, "Undanhållet", "Held back"), points=tuple(points))


def _both(one: Both, language: Language) -> str:
    if one.what == "moved":
        return number(one.made, one.unit, language)
    return " / ".join(_cell(value, one.unit, language) for value in (one.real, one.made))


def _cell(value: float | None, unit: str, language: Language) -> str:
    if value is None:
        return NOTHING
    return str(round(value)) if unit == "whole" else number(value, unit, language)
