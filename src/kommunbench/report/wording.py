"""Numbers and names in words, in Swedish or English."""

from __future__ import annotations

import re
from typing import Literal

from kommunbench.core.task import Bilingual
from kommunbench.report.rows import Report, Row, RowKey

Language = Literal["sv", "en"]
NOTHING = "–"
"""Stands where there is no number; never 0."""

_STAGES = {
    "base": ("som den är", "as it is"),
    "local": ("tränad ensam", "trained alone"),
    "federated": ("tränad gemensamt", "trained together"),
    "central": ("tränad på all text på ett ställe", "trained on all text in one place"),
}
_GROUPS = {
    "all": ("alla", "all"),
    "trained": ("de som tränade", "those that trained"),
    "unseen": ("de som aldrig tränade", "those that never trained"),
    "municipality": ("kommuner", "municipalities"),
    "region": ("regioner", "regions"),
    "other": ("övriga", "others"),
    "own": ("den egna", "its own"),
    "others": ("de andra", "the others"),
}
_LACKS = {
    "suppressed": ("undanhållet", "suppressed"),
    "refused": ("nekat", "refused"),
    "missing": ("uteblivet", "missing"),
    "failed": ("misslyckat", "failed"),
    "unavailable": ("ej tillgängligt", "not available"),
    "withheld": ("inte med i summan", "not in the sum"),
}
_SEVERAL = {
    "suppressed": "undanhållna",
    "refused": "nekade",
    "missing": "uteblivna",
    "failed": "misslyckade",
    "unavailable": "ej tillgängliga",
}
"""The same of more than one, in Swedish."""
_NOTED = ("anmärkning", "a remark")
_UNITS = {
    "share": ("0–1", "0–1"),
    "words": ("ord", "words"),
    "letters": ("bokstäver", "letters"),
    "ratio": ("kvot", "ratio"),
    "cosine": ("cosinus", "cosine"),
    "per 100 sentences": ("per 100 meningar", "per 100 sentences"),
}
_MOMENTS = {
    "seed": ("frö", "seed"),
    "round": ("omgång", "round"),
    "ratings": ("betyg", "ratings"),
    "close": ("slutfrågan", "the closing message"),
}


def pick(language: Language, words: Bilingual) -> str:
    """The words in one language."""
    return words.sv if language == "sv" else words.en


def say(language: Language, sv: str, en: str) -> str:
    """One of two."""
    return sv if language == "sv" else en


def number(value: float | None, unit: str, language: Language, sign: bool = False) -> str:
    """Three decimals for shares, else two; with a decimal comma in Swedish; `sign` puts + before gains."""
    if value is None:
        return NOTHING
    digits = 3 if unit == "share" else 2
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    text = text.replace("-", "−")
    return text.replace(".", ",") if language == "sv" else text


def interval(low: float | None, high: float | None, unit: str, language: Language, sign: bool = False) -> str:
    """`0.714–0.763`, or `−0.012 to +0.140` where a dash could be taken for a sign."""
    if low is None or high is None:
        return NOTHING
    ends = [number(end, unit, language, sign) for end in (low, high)]
    return ("–" if low >= 0 and not sign else say(language, " till ", " to ")).join(ends)


def p_value(p: float | None, language: Language) -> str:
    """Three decimals, never `0.000`."""
    if p is None:
        return NOTHING
    text = "< 0.001" if p < 0.001 else f"{p:.3f}"
    return text.replace(".", ",") if language == "sv" else text


def count(value: int, language: Language) -> str:
    """Thousands apart by a narrow space."""
    return f"{value:,}".replace(",", "\u202f") if language == "sv" else f"{value:,}"


def stage(key: RowKey, language: Language) -> str:
    """How the model was trained, with the round."""
    sv, en = _STAGES[key.stage]
    words = say(language, sv, en)
    return f"{words}, {say(language, 'omgång', 'round')} {key.round}" if key.round else words


def system(key: RowKey, report: Report, language: Language) -> str:
    """A system's name: model, how it was trained, and the prompt and seed where there are several.

    A model that no run trains, a baseline, has its name alone.
    """
    words = [key.model]
    if key.model in report.trained:
        words.append(stage(key, language))
    if len(report.prompts) > 1:
        words.append(f"prompt {key.prompt}")
    if key.stage != "base" and len(report.seeds) > 1:
        words.append(say(language, f"frö {key.seed}", f"seed {key.seed}"))
    return ", ".join(words)


def site_title(name: str | None, report: Report) -> str:
    """A site's own title."""
    if name is None:
        return NOTHING
    return {site.name: site.title for site in report.roster}.get(name, name)


def group(name: str, report: Report, language: Language) -> str:
    """A group of sites, in words."""
    if name.startswith("site/"):
        return site_title(name.removeprefix("site/"), report)
    sv, en = _GROUPS[name]
    return say(language, sv, en)


def outcome(name: str, language: Language) -> str:
    """Why a site is not in a number, in a word."""
    sv, en = _NOTED if name == "noted" else _LACKS[name]
    return say(language, sv, en)


def unit_name(unit: str, language: Language) -> str:
    """A measure's unit; one without words of its own as it is."""
    sv, en = _UNITS.get(unit, (unit, unit))
    return say(language, sv, en)


def moment(name: str, language: Language) -> str:
    """`frö 1, omgång 2` for `seed-1-round-002`."""
    found = re.findall(r"([a-z]+)(?:-(\d+))?", name)
    words = ((say(language, *_MOMENTS[kind]) if kind in _MOMENTS else kind, number) for kind, number in found)
    return ", ".join(f"{word} {int(number)}" if number else word for word, number in words)


def lacking(row: Row, language: Language) -> str:
    """`1 suppressed, 1 refused`: the sites that are not in the value."""
    counts = {name: getattr(row, name) for name in _LACKS}
    return ", ".join(f"{number} {_of(name, number, language)}" for name, number in counts.items() if number) or NOTHING


def counted(row: Row, number: int, language: Language) -> str:
    """How many examples of some kind are in a row; a dash where no site told, which is no 0."""
    return count(number, language) if row.sites else NOTHING


def _of(name: str, number: int, language: Language) -> str:
    return _SEVERAL.get(name, outcome(name, language)) if number > 1 and language == "sv" else outcome(name, language)


def arrow(direction: str) -> str:
    """Which way is better."""
    return {"higher": "↑", "lower": "↓", "none": ""}[direction]
