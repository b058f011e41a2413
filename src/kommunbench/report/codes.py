"""What each code means for a report: its column, a plain sentence in Swedish and English, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

from kommunbench.core.answer import Code
from kommunbench.core.task import Bilingual
from kommunbench.report.record import Received


class Outcome(StrEnum):
    """What became of one site's answer to one question. Only `released` enters a sum."""

    RELEASED = "released"
    SUPPRESSED = "suppressed"
    """Held back because few examples could point at someone. It never looks like 0."""
    REFUSED = "refused"
    """The site's policy or approval says no, or not yet."""
    MISSING = "missing"
    """No answer, no data, or nothing kept."""
    FAILED = "failed"
    """The site tried and something broke."""
    NOTED = "noted"
    """Worth a look, and nothing is lacking for it."""
    UNAVAILABLE = "unavailable"
    """No model there gives what the metric needs. Nothing is lost: nobody could have given it."""


_CODES: dict[Code, tuple[Outcome, str, str]] = {
    Code.OK: (Outcome.RELEASED, "svarade", "answered"),
    Code.PENDING: (Outcome.REFUSED, "väntar på godkännande hos organisationen", "awaits approval at the site"),
    Code.TOO_FEW_EXAMPLES: (
        Outcome.SUPPRESSED,
        "för få exempel för att lämnas ut",
        "too few examples to be released",
    ),
    Code.SMALL_CELL: (
        Outcome.SUPPRESSED,
        "för få exempel av ett visst slag för att lämnas ut",
        "too few examples of one kind to be released",
    ),
    Code.NO_DATA: (Outcome.MISSING, "har inga data för uppgiften", "has no data for the task"),
    Code.NOT_AVAILABLE: (
        Outcome.MISSING,
        "har inte det som efterfrågades: det mättes inte där, eller finns inte kvar",
        "does not have what was asked for: it was not measured there, or is no longer kept",
    ),
    Code.NO_READING: (
        Outcome.UNAVAILABLE,
        "har ingen modell som ger det som måttet behöver",
        "has no model that gives what the metric needs",
    ),
    Code.READING_FAULT: (
        Outcome.FAILED,
        "kunde inte läsa av det som måttet behöver; organisationens egen logg säger varför",
        "could not read what the metric needs; the site's own log says why",
    ),
    Code.TOO_FEW_SITES: (
        Outcome.REFUSED,
        "lämnar bara ut summor över fler organisationer",
        "releases sums over more sites only",
    ),
    Code.TASK_NOT_APPROVED: (Outcome.REFUSED, "har inte godkänt uppgiften", "has not approved the task"),
    Code.MODEL_NOT_APPROVED: (Outcome.REFUSED, "har inte godkänt modellen", "has not approved the model"),
    Code.METRIC_NOT_ALLOWED: (Outcome.REFUSED, "lämnar inte ut måttet", "does not release the metric"),
    Code.TRAINING_DENIED: (Outcome.REFUSED, "tillåter inte träning", "does not allow training"),
    Code.ADAPTER_DENIED: (Outcome.REFUSED, "lämnar inte ut tränade vikter", "does not release trained weights"),
    Code.OVER_LIMIT: (Outcome.REFUSED, "uppdraget är större än policyn tillåter", "more work than its policy allows"),
    Code.POLICY_MISSING: (Outcome.REFUSED, "saknar policy", "has no policy"),
    Code.POLICY_BROKEN: (Outcome.REFUSED, "policyn går inte att läsa", "its policy cannot be read"),
    Code.VERSION_MISMATCH: (
        Outcome.REFUSED,
        "har en annan version av kommunbench",
        "has another version of kommunbench",
    ),
    Code.BAD_REQUEST: (Outcome.REFUSED, "kunde inte tolka frågan", "could not read the request"),
    Code.FOREIGN_BUNDLE: (
        Outcome.REFUSED,
        "tog inte emot: uppdraget kom med främmande programkod",
        "did not accept: the run came with code that is not kommunbench's",
    ),
    Code.UNKNOWN_KEY: (
        Outcome.REFUSED,
        "känner inte igen en annan organisations nyckel",
        "does not know another site's key",
    ),
    Code.SUM_CLOSED: (
        Outcome.REFUSED,
        "har redan lämnat talet i en summa med andra organisationer",
        "has already given the number to a sum with other sites",
    ),
    Code.BAD_UPDATE: (
        Outcome.FAILED,
        "träningen gav vikter som inte kan användas",
        "training gave weights that cannot be used",
    ),
    Code.UPDATE_TOO_LARGE: (
        Outcome.FAILED,
        "de tränade vikterna hade ändrats orimligt mycket och räknades inte",
        "its trained weights had moved implausibly far and were not counted",
    ),
    Code.UPDATE_AGAINST: (
        Outcome.NOTED,
        "de tränade vikterna pekade bort från de andras: olika data eller ett fel",
        "its trained weights pointed away from the others': different data, or a fault",
    ),
    Code.MEMORISED: (
        Outcome.REFUSED,
        "de tränade vikterna minns enskilda exempel för väl, eller så gick det inte att mäta",
        "its trained weights remember single examples too well, or that could not be measured",
    ),
    Code.DATA_FAULT: (
        Outcome.FAILED,
        "data kunde inte läsas; organisationens logg säger var",
        "its data cannot be read; the site's log says where",
    ),
    Code.MODEL_FAULT: (
        Outcome.FAILED,
        "modellen fungerade inte; organisationens logg säger varför",
        "the model failed; the site's log says why",
    ),
    Code.BAD_RECEIPT: (
        Outcome.FAILED,
        "svarets kvitto stämmer inte, så dess tal används inte",
        "its receipt does not fit, so its numbers are not used",
    ),
    Code.BUDGET_SPENT: (
        Outcome.REFUSED,
        "budgeten för differentiell integritet räcker inte",
        "its budget for differential privacy does not suffice",
    ),
    Code.NOISE_REQUIRED: (
        Outcome.REFUSED,
        "lämnar bara ut detta med differentiell integritet",
        "releases this only with differential privacy",
    ),
    Code.NO_BOUNDS: (
        Outcome.REFUSED,
        "kan inte lämnas ut med brus, eftersom gränser saknas",
        "cannot be released with noise, since it has no bounds",
    ),
    Code.INTERNAL: (
        Outcome.FAILED,
        "något gick fel; organisationens logg säger vad",
        "something failed; the site's log says what",
    ),
}

_STATUSES: dict[str, tuple[Outcome, str, str]] = {
    "refused": (Outcome.REFUSED, "avböjde", "refused"),
    "missing": (Outcome.MISSING, "svarade inte", "did not answer"),
    "failed": (Outcome.FAILED, "något gick fel hos organisationen", "failed at the site"),
}


_ABSENCES: dict[str, tuple[str, str]] = {
    "offline": ("var inte uppkopplad när frågan ställdes", "was not online when it was asked"),
    "lost": ("tappade kontakten och kom inte tillbaka i tid", "went offline and did not come back in time"),
    "late": ("var uppkopplad men svarade inte före tidsgränsen", "was online and did not answer before the deadline"),
}

_REMEDIES: dict[str, tuple[str, str]] = {
    Code.PENDING.name: (
        "vänta på att de bestämmer sig, sedan `kommunbench runs resume`",
        "wait for their decision, then `kommunbench runs resume`",
    ),
    Code.NO_DATA.name: (
        "de läser in texter med `kommunbench site import`",
        "they bring text in with `kommunbench site import`",
    ),
    Code.TASK_NOT_APPROVED.name: (
        "skicka dem uppgiftens fil: `kommunbench site task diff` visar skillnaden, `site task approve` säger ja",
        "send them the task's file: `kommunbench site task diff` shows the difference, `site task approve` says yes",
    ),
    Code.MODEL_NOT_APPROVED.name: (
        "de lägger in samma modell med `kommunbench site model add`, eller godkänner den i site.yaml",
        "they add the same model with `kommunbench site model add`, or approve it in site.yaml",
    ),
    Code.OVER_LIMIT.name: (
        "be om mindre, vänta, eller fråga dem om gränserna i site.yaml (timmar, körningar om året, minuter, token)",
        "ask for less, wait, or ask them about the limits in site.yaml (hours, runs a year, minutes, tokens)",
    ),
    Code.BUDGET_SPENT.name: (
        "be om mindre epsilon, eller vänta: bara organisationen kan höja budgeten, i site.yaml",
        "ask for less epsilon, or wait: only the site can raise the budget, in site.yaml",
    ),
    Code.VERSION_MISMATCH.name: (
        "installera samma version på båda sidor, sedan `kommunbench runs resume`",
        "install the same version on both sides, then `kommunbench runs resume`",
    ),
    Code.FOREIGN_BUNDLE.name: (
        "starta från en oförändrad kommunbench av samma version som deras; inget av koden kördes där",
        "start from an unchanged kommunbench of the version that they have; none of the code was run there",
    ),
    Code.UNKNOWN_KEY.name: (
        "de jämför nycklar med varandra igen: `kommunbench site peers`",
        "they compare keys with each other again: `kommunbench site peers`",
    ),
    "OFFLINE": ("ring dem, sedan `kommunbench runs resume`", "call them, then `kommunbench runs resume`"),
    "LOST": ("ring dem, sedan `kommunbench runs resume`", "call them, then `kommunbench runs resume`"),
    "LATE": (
        "`kommunbench runs resume`, eller en längre `deadline_s` nästa gång",
        "`kommunbench runs resume`, or a longer `deadline_s` next time",
    ),
}
"""What whoever coordinates can do now, by the name of a code or of an absence. Where a site just says no: nothing."""


def remedy(code: str) -> Bilingual | None:
    """What to do about a code or an absence, by its name; None where there is nothing to do but to accept it."""
    if code not in _REMEDIES:
        return None
    sv, en = _REMEDIES[code]
    return Bilingual(sv=sv, en=en)


def outcome(code: Code) -> Outcome:
    """The column that a slot's code counts in."""
    return _CODES[code][0]


def sentence(code: Code) -> Bilingual:
    """What a slot's code says."""
    _, sv, en = _CODES[code]
    return Bilingual(sv=sv, en=en)


def reply_outcome(received: Received | None) -> Outcome:
    """The column of a whole reply; None stands for a site of which nothing was heard."""
    if received is None:
        return Outcome.MISSING
    if received.status == "ok":
        return Outcome.RELEASED
    if received.code is not Code.OK:
        return outcome(received.code)
    return _STATUSES[received.status][0]


def reply_sentence(received: Received | None) -> Bilingual:
    """What became of a whole reply."""
    if received is None:
        return told("missing")
    return told(received.status, received.code, received.absence)


def told(status: str, code: Code = Code.OK, absence: str | None = None) -> Bilingual:
    """What became of a whole reply of that status (`refused`, `missing`, `failed`), by its code or its absence."""
    if code is not Code.OK:
        return sentence(code)
    if absence is not None:
        sv, en = _ABSENCES[absence]
        return Bilingual(sv=sv, en=en)
    _, sv, en = _STATUSES[status]
    return Bilingual(sv=sv, en=en)
