"""The statistics in plain words, so that nobody need ask what a number means."""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.core.task import Bilingual
from kommunbench.report.dp import dp_notes
from kommunbench.report.rows import Report
from kommunbench.report.wording import Language, pick, say

ALWAYS = (
    Bilingual(
        sv="Varje tal är en division av summor över organisationernas exempel. Organisationernas egna tal "
        "medelvärdesbildas aldrig.",
        en="Every value is one division of sums over the sites' examples. Sites' own values are never averaged.",
    ),
    Bilingual(
        sv="**95 %, dessa**: hur långt talet kan ligga från vad fler exempel hos just dessa organisationer skulle ge. "
        "Wilsons intervall för andelar, deltametoden för övriga mått, skiktad efter organisation.",
        en="**95 %, these**: how far the value may be from what more examples at these very sites would give. "
        "Wilson's interval for proportions, the delta method for the rest, stratified by site.",
    ),
    Bilingual(
        sv="**95 %, liknande**: var medelvärdet för organisationer som dessa ligger (slumpeffekter med t enligt "
        "Hartung, Knapp, Sidik och Jonkman). Organisationer skiljer sig åt, så det är ofta bredare, och en enskild ny "
        "kommun kan hamna utanför. Det kräver minst tre organisationer.",
        en="**95 %, like these**: where the mean of sites like these lies (random effects with t after Hartung, Knapp, "
        "Sidik and Jonkman). Sites differ, so it is often wider, and a single new municipality may fall outside. It "
        "takes at least three sites.",
    ),
    Bilingual(
        sv="**A − B** jämför exempel för exempel där organisationerna hade kvar båda svaren; annars står det oparat. "
        "p är korrigerat enligt Holm över alla par som bestämdes före körningen, de på huvudmått för sig. Två system "
        "vars par inte bestämdes i förväg räknas som lika när deras intervall överlappar.",
        en="**A − B** compares example by example where sites still had both answers; otherwise it says unpaired. "
        "p is adjusted by Holm over all pairs declared before the run, those on primary measures apart. Two systems "
        "whose pair was not declared count as tied where their intervals overlap.",
    ),
    Bilingual(
        sv="Obedömda exempel saknar facit eller en uppgift som måttet behöver. Undanhållna tal hölls inne av "
        "organisationen, för att de bygger på så få exempel att de kan peka ut någon.",
        en="Unscored examples lack a reference or a fact that the measure needs. Suppressed numbers were held back by "
        "the site, since they rest on so few examples that they could point at someone.",
    ),
)


PRIVACY = {
    "plain": Bilingual(
        sv="**Skydd: plain.** Samordnaren ser varje organisations egna summor, så långt dess policy lämnar ut dem.",
        en="**Privacy: plain.** The coordinator sees each site's own sums, as far as its policy lets them out.",
    ),
    "secagg": Bilingual(
        sv="**Skydd: secagg.** Talen maskerades hos organisationerna, och samordnaren kunde bara läsa summan. Därför "
        "finns inget om en enskild organisation, inget om hur de skiljer sig åt och inget intervall för en ny kommun. "
        "Varför en organisation inte är med i ett tal stannar hos den.",
        en="**Privacy: secagg.** Numbers were masked at the sites, and the coordinator could read the sum alone. So "
        "there is nothing about a single site, nothing about how sites differ and no interval for a new municipality. "
        "Why a site is not in a number stays with the site.",
    ),
}
"""What each mode of privacy means for a reader."""


def notes(report: Report, language: Language) -> Iterator[str]:
    """What a reader has to know of this report's numbers."""
    for note in ALWAYS:
        yield pick(language, note)
    yield from dp_notes(report, language)
    if rounded := [f"{site.title} ({site.rounding})" for site in report.roster if site.rounding > 1]:
        yield say(
            language,
            f"**Avrundade tal**: {', '.join(rounded)} lämnar antal som multiplar av talet inom parentes, och andra "
            "summor lika grovt. Värden som bygger på dem är inte exakta, och intervallen räknar inte med avrundningen.",
            f"**Rounded numbers**: {', '.join(rounded)} release counts as multiples of the number in parentheses and "
            "other sums as coarsely. Values made of them are not exact, and intervals do not allow for the rounding.",
        )
    yield pick(language, PRIVACY[report.privacy])
    if untold := report.cost.untold:
        yield say(
            language,
            f"**Kostnader saknas** för {untold} av summorna: för få organisationer uppgav dem, eller andra än förut. "
            "De är inte med i det som står om tid, exempel och ord.",
            f"**Costs are missing** for {untold} of the sums: too few sites gave them, or others than before. They are "
            "not in what is said of time, examples and tokens.",
        )
    if not report.complete:
        yield say(
            language,
            "**Körningen är inte avslutad**: utan det sista meddelandet finns bara intervall för andelar.",
            "**The run is not finished**: without its closing message there are intervals for proportions alone.",
        )
    if changed := ", ".join(task.name for task in report.tasks if task.changed):
        yield say(
            language,
            f"Uppgiftens fil har ändrats sedan körningen: {changed}.",
            f"The task's file has changed since the run: {changed}.",
        )
