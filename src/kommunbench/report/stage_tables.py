"""What federation gains, as a table."""

from __future__ import annotations

from kommunbench.core.spec import Stage
from kommunbench.report.rows import Report
from kommunbench.report.stages import Change, Stages, stages
from kommunbench.report.tables import Table, primary_label
from kommunbench.report.wording import NOTHING, Language, count, interval, number, pick, say

_ON = {
    "own": ("den egna organisationen", "its own site"),
    "others": ("de andra som tränade", "the other sites that trained"),
    "unseen": ("de som aldrig tränade", "the sites that never trained"),
}
_SHOWN: tuple[Stage, ...] = ("base", "local", "federated", "central")


def stage_table(report: Report, language: Language) -> Table:
    """A line for each task and group of sites: every stage's mean over seeds, and what the federation changed."""
    lines = []
    for found in stages(report):
        unit = found.unit
        lines.append(
            (
                f"{pick(language, found.task.title)}, {primary_label(found.task)}",
                say(language, *_ON[found.group]),
                *(number(found.mean(stage), unit, language) for stage in _SHOWN),
                _change(found.over_base, found, language),
                _change(found.over_alone, found, language),
                NOTHING if found.share is None else f"{100 * found.share:.0f} %",
                count(found.over_base.n, language) if found.over_base else NOTHING,
            )
        )
    header = say(
        language,
        "Uppgift|Mätt hos|Som den är|Var och en ensam|Gemensamt|All text på ett ställe|Gemensamt mot som den är|"
        "Gemensamt mot ensam|Andel av vägen|Exempel",
        "Task|Measured at|As it is|Each alone|Together|All text in one place|Together less as it is|"
        "Together less alone|Share of the way|Examples",
    )
    seeds = count(len(report.seeds), language)
    caption = say(language, "Huvudmåttet, stegvis", "The primary measure by stage")
    if len(report.seeds) > 1:
        caption += say(language, f", medel över {seeds} frön", f", mean over {seeds} seeds")
    return Table(caption, tuple(header.split("|")), tuple(lines), "llrrrrrrrr")


def stage_text(language: Language) -> tuple[str, ...]:
    """How the table is to be read."""
    return (
        say(
            language,
            "**Var och en ensam** är varje organisations egen träning, lika lång som den gemensamma. **All text på "
            "ett ställe** är taket, och går bara att mäta på syntetiska data. **Andel av vägen** är hur stor del av "
            "steget från modellen som den är till taket som den gemensamma träningen tog.",
            "**Each alone** is each site's own training, as long as the shared one. **All text in one place** is the "
            "upper bound, which only synthetic data allow to measure. **Share of the way** is how much of the step "
            "from the model as it is to that bound training together took.",
        ),
        say(
            language,
            "Inom parentes: från det lägsta till det högsta av frönas 95-procentiga intervall.",
            "In parentheses: from the lowest to the highest end of the seeds' 95 % intervals.",
        ),
    )


def _change(change: Change | None, found: Stages, language: Language) -> str:
    if change is None:
        return NOTHING
    ends = interval(change.low, change.high, found.unit, language, sign=True)
    return f"{number(change.difference, found.unit, language, sign=True)} ({ends})"
