"""The page of `site errors`, in Swedish or English.

It quotes the site's text, so it lies in the site's own folder, mode 0600, and there is no way out for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kommunbench.site.answers import KeptAnswer
from kommunbench.site.errors import Findings, Judged
from kommunbench.site.private import write_private

Language = Literal["sv", "en"]
FOLDER = "errors"
STAGES = {
    "federated": "tränad gemensamt",
    "local": "tränad ensam",
    "central": "tränad på all text på ett ställe",
    "round": "omgång",
}
"""Words of a system's name, in Swedish."""
WORDS = {
    "title": ("Felanalys", "Errors"),
    "yours": (
        "**Bara för er.** Sidan citerar er egen text. Den ligger i organisationens egen mapp, kan bara läsas av den "
        "som äger filen och skickas aldrig någonstans. Radera den när ni är klara.",
        "**For you alone.** This page quotes your own text. It lies in the site's own folder, can be read by the "
        "file's owner alone, and is never sent anywhere. Delete it when you are done.",
    ),
    "head": ("System | Svar | Utan poäng", "System | Answers | Unscored"),
    "lower": ("lägre är bättre", "lower is better"),
    "higher": ("högre är bättre", "higher is better"),
    "score": (
        "Poängen är {primary} ({better}). Vad måttet säger står i rapporten, under Ord i rapporten.",
        "The score is {primary} ({better}). What it says is in the report, under Words in this report.",
    ),
    "worst": ("Sämst", "Worst"),
    "unscored": ("Utan poäng", "Unscored"),
    "all_scored": ("Alla svar fick poäng.", "Every answer has a score."),
    "split": ("Här skiljer sig systemen mest", "Where systems differ most"),
    "no_split": ("Inget exempel skiljer dem åt.", "No example tells them apart."),
    "example": ("Exempel", "Example"),
    "good": ("Ett gott svar, som exempel", "A good answer, as an example"),
    "no_score": ("utan poäng", "unscored"),
    "empty": ("(tomt svar)", "(an empty answer)"),
}


def write_errors(home: Path, findings: Findings, language: Language = "sv") -> Path:
    """Write the page to `<home>/errors/<run>-<task>.md`, in English to `.en.md`, and give its path."""
    ending = "md" if language == "sv" else f"{language}.md"
    path = home / FOLDER / f"{findings.run}-{findings.task.name}.{ending}"
    write_private(path, "\n\n".join(_Page(findings, language).parts()) + "\n")
    return path


@dataclass(frozen=True, slots=True)
class _Page:
    findings: Findings
    language: Language

    def say(self, word: str) -> str:
        return WORDS[word][self.language == "en"]

    def name(self, system: str) -> str:
        for english, swedish in STAGES.items() if self.language == "sv" else ():
            system = system.replace(f", {english}", f", {swedish}")
        return system

    def parts(self) -> Iterator[str]:
        findings, task, say = self.findings, self.findings.task, self.say
        yield f"# {say('title')}: {getattr(task.title, self.language)}, {findings.run}"
        yield f"> {say('yours')}"
        lines = [f"| {say('head')} |", "|---|---:|---:|"]
        lines += [f"| {self.name(system)} | {count} | {none} |" for system, (count, none) in findings.counts.items()]
        yield "\n".join(lines)
        direction = task.primary_measure()[1].direction
        yield say("score").format(primary=task.primary, better=say(direction))
        for system, rows in findings.worst.items():
            yield f"## {say('worst')}: {self.name(system)}"
            for one in rows:
                yield from self.one(one)
        yield f"## {say('unscored')}"
        if not findings.unscored:
            yield say("all_scored")
        for one in findings.unscored:
            yield from self.one(one)
        yield f"## {say('split')}"
        if not findings.split:
            yield say("no_split")
        for several in findings.split:
            yield from self.question(several[0].answer)
            for one in several:
                yield self.answer(one)

    def one(self, one: Judged) -> Iterator[str]:
        yield from self.question(one.answer)
        yield self.answer(one)

    def question(self, answer: KeptAnswer) -> Iterator[str]:
        yield f"### {self.say('example')} {answer.example}"
        for name, text in answer.inputs.items():
            yield f"**{name}**\n\n{_quoted(text)}"
        for text in answer.references[:1]:
            yield f"**{self.say('good')}**\n\n{_quoted(text)}"

    def answer(self, one: Judged) -> str:
        score = self.say("no_score") if one.score is None else f"{one.score:.3f}"
        shown = score.replace(".", ",") if self.language == "sv" else score
        return f"**{self.name(one.system)}** ({shown})\n\n{_quoted(one.answer.answer or self.say('empty'))}"


def _quoted(text: str) -> str:
    """As a quotation, so that nothing in the text becomes a heading of the page."""
    return "\n".join(f"> {line}" for line in text.splitlines() or [""])
