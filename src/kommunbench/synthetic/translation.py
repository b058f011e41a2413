"""Short notices in Swedish, English and Arabic, with a house's own glossary. Names, numbers and dates are kept.

The traps: a negation, a term that the glossary translates in the house's own way, and figures that must not change.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.draft import Draft, drafts
from kommunbench.synthetic.fillers import long_date
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe
from kommunbench.synthetic.phrases import capital, phrases

LANGUAGES = {"sv": "svenska", "en": "engelska", "ar": "arabiska"}
DIRECTIONS = (("sv", "en"), ("en", "sv"), ("sv", "ar"), ("ar", "sv"))


class Three(NamedTuple):
    """The same text in three languages."""

    sv: str
    en: str
    ar: str

    def of(self, language: str) -> str:
        """The text in `language`."""
        return str(getattr(self, language))


class Manner(NamedTuple):
    """A house's first and last words, and how its glossary translates the two Swedish terms it has."""

    opening: Three
    closing: Three
    person: tuple[str, str]
    chief: tuple[str, str]


MANNERS = (
    Manner(Three("Hej!", "Hello!", "مرحبا!"), Three("Vänliga hälsningar", "Kind regards", "مع أطيب التحيات"),
           ("the client", "العميل"), ("the unit manager", "مدير الوحدة")),
    Manner(Three("Till dig som behöver stöd.", "For you who need support.", "إليك إذا كنت تحتاج إلى دعم."),
           Three("Välkommen!", "Welcome!", "أهلا وسهلا!"),
           ("the service user", "متلقي الخدمة"), ("the head of unit", "رئيس الوحدة")),
    Manner(Three("Information.", "Information.", "معلومات."), Three("Spara brevet.", "Keep this letter.", "احتفظ "
    "بهذه الرسالة."),
           ("the resident", "المقيم"), ("the supervisor", "المشرف")),
    Manner(Three("Viktigt besked.", "Important notice.", "إشعار مهم."), Three("Tack.", "Thank you.", "شكرا."),
           ("the care recipient", "متلقي الرعاية"), ("the team leader", "قائد الفريق")),
    Manner(Three("God dag.", "Good day.", "طاب يومك."), Three("Hör av dig.", "Get in touch.", "تواصل معنا."),
           ("the customer", "الزبون"), ("the coordinator", "المنسق")),
    Manner(Three("Läs det här.", "Read this.", "اقرأ هذا."), Three("Ha det bra.", "Take care.", "اعتن بنفسك."),
           ("the person", "الشخص"), ("the director", "المدير")),
)  # fmt: skip
_FIRM = (
    Three("Mötet är den {date} klockan {time}.", "The meeting is on {date} at {time}.",
          "الاجتماع يوم {date} الساعة {time}."),
    Three("Ring {who} på {phone} om du har frågor.", "Call {who} on {phone} if you have questions.",
          "اتصل بـ {who} على الرقم {phone} إذا كانت لديك أسئلة."),
    Three("Ta med legitimation till {place}.", "Bring identification to {place}.", "أحضر بطاقة هويتك إلى {place}."),
    Three("Kontoret i {place2} är stängt till den {date}.", "The office in {place2} is closed until {date}.",
          "المكتب في {place2} مغلق حتى {date}."),
    Three("{Person} får hjälp av {who2} från den {date}.", "{Person} will get help from {who2} from {date}.",
          "{Person} سيحصل على المساعدة من {who2} ابتداء من {date}."),
    Three("Ansökan ska vara inne senast den {date}.", "The application must be in by {date}.",
          "يجب تقديم الطلب في موعد أقصاه {date}."),
    Three("Skolan i {place} börjar klockan {time}.", "The school in {place} starts at {time}.",
          "تبدأ المدرسة في {place} الساعة {time}."),
    Three("Vi ringer dig på {phone}.", "We will call you on {phone}.", "سنتصل بك على الرقم {phone}."),
)  # fmt: skip
"""Sentences with something that must be kept as it is: every notice has two, so that no two notices are alike."""
_LOOSE = (
    Three("Du behöver inte betala något.", "You do not need to pay anything.", "لا تحتاج إلى دفع أي شيء."),
    Three("{Chief} svarar inom {n} dagar.", "{Chief} will reply within {n} days.", "{Chief} سيرد خلال {n} يوما."),
    Three("Lämna blanketten till {chief}.", "Give the form to {chief}.", "سلم الاستمارة إلى {chief}."),
    Three("Avgiften är {fee} kronor i månaden.", "The fee is {fee} kronor a month.", "الرسوم {fee} كرونة في الشهر."),
    Three("Beslutet har inte fattats än.", "The decision has not been made yet.", "لم يتخذ القرار بعد."),
    Three("Du kan få tolk om du vill.", "You can have an interpreter if you wish.",
          "يمكنك الحصول على مترجم شفوي إذا أردت."),
)  # fmt: skip
_MONTHS = {
    "en": phrases("January|February|March|April|May|June|July|August|September|October|November|December"),
    "ar": phrases("يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|نوفمبر|ديسمبر"),
}


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `translation`: {id, split, group, glossary, input, source, target, references, language}."""
    for draft in drafts("translation", organisation, split, seed, recipe):
        source, target = draft.favourites("directions", DIRECTIONS)[0]
        texts = _notice(draft)
        terms = {language: _terms(draft, language) for language in (source, target)}
        glossary = ", ".join(f"{terms[source][term]} = {terms[target][term]}" for term in ("person", "chief"))
        yield {
            "id": draft.id,
            "split": split,
            "group": draft.id,
            "glossary": glossary,
            "input": texts.of(source),
            "source": LANGUAGES[source],
            "target": LANGUAGES[target],
            "references": [texts.of(target)],
            "language": target,
        }


GENERATOR: Generator = _rows


def _terms(draft: Draft, language: str) -> dict[str, str]:
    """The glossary's two terms in `language`."""
    manner = MANNERS[draft.manner]
    if language == "sv":
        return {"person": draft.style.person, "chief": draft.style.chief}
    place = ("en", "ar").index(language)
    return {"person": manner.person[place], "chief": manner.chief[place]}


def _notice(draft: Draft) -> Three:
    """Three sentences between the house's first and last words, in all three languages."""
    manner, slots, day = MANNERS[draft.manner], draft.slots(), draft.fillers.date()
    slots["fee"] = str(draft.fillers.number(100, 999))
    slots["n"] = str(draft.rng.randint(11, 40))
    chosen = draft.favourites("firm", draft.open(_FIRM), 2) + draft.favourites("loose", draft.open(_LOOSE))
    draft.rng.shuffle(chosen)
    texts = []
    for language in LANGUAGES:
        terms = _terms(draft, language)
        slots.update(terms, date=_date(day, language), Person=capital(terms["person"]), Chief=capital(terms["chief"]))
        body = [sentence.of(language).format_map(slots) for sentence in chosen]
        texts.append(" ".join((manner.opening.of(language), *body, manner.closing.of(language))))
    return Three(*texts)


def _date(day: datetime.date, language: str) -> str:
    """'1 mars 2026', '1 March 2026', or the same with the Arabic name of the month."""
    return long_date(day) if language == "sv" else f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"
