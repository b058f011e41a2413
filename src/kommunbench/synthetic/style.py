"""An organisation's house style: its words, its forms of dates and numbers, and the manner of each task's texts.

A style follows from (name, kind, seed, recipe) alone. It shows in the texts themselves (headings, terms, forms), so a
model that has learned how houses write can tell from a new text which manner it asks for.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kommunbench.synthetic.fillers import Fillers, long_date, spaced
from kommunbench.synthetic.organisation import Organisation, Recipe, T, source
from kommunbench.synthetic.phrases import words

PERSONS = {
    "municipality": words("brukaren omsorgstagaren kunden hyresgästen klienten boendegästen"),
    "region": words("patienten vårdtagaren besökaren vårdgästen"),
}
STAFF = {
    "municipality": words("omsorgspersonalen medarbetaren undersköterskan hemtjänstteamet vårdbiträdet"),
    "region": words("vårdpersonalen sjuksköterskan vårdteamet mottagningsteamet"),
}
CHIEFS = {
    "municipality": words("enhetschefen arbetsledaren gruppledaren samordnaren områdeschefen"),
    "region": words("avdelningschefen vårdenhetschefen teamledaren verksamhetschefen sektionsledaren"),
}
BOARDS = {
    "municipality": words("nämnden utskottet kommunstyrelsen socialnämnden beredningen"),
    "region": words("regionstyrelsen vårdutskottet delegationen driftnämnden patientnämnden"),
}
DATE_FORMS = ("den {long}", "{iso}", "{day}/{month} {year}", "den {day}.{month}.{year}")
MONEY_FORMS = ("{spaced} kronor", "{spaced} kr", "{thousands} tkr", "{spaced} SEK")
DIARY_FORMS = (
    "{unit} {year}-{number:04d}",
    "{unit}-{year}/{number:05d}",
    "{year}/{number}",
    "dnr {number}-{short:02d}",
)
MANNERS = 6
"""Every task knows so many manners of writing."""
TASKS = words(
    "summarization guideline_qa lattlast template_document decision_basis conversation_notes translation "
    "citizen_answer triage planning"
)


@dataclass(frozen=True, slots=True)
class Style:
    """How one organisation writes. `manners` picks, for each task, one of its six manners."""

    person: str
    staff: str
    chief: str
    board: str
    date_form: str
    money_form: str
    diary_form: str
    diary_unit: str
    proposal_first: bool
    unanswerable: float
    manners: dict[str, int]

    def date(self, day: datetime.date) -> str:
        """A date as the house writes it."""
        return self.date_form.format(
            long=long_date(day), iso=day.isoformat(), day=day.day, month=day.month, year=day.year
        )

    def money(self, kronor: int) -> str:
        """An amount as the house writes it: '12 500 kronor', '12,5 tkr'."""
        thousands = f"{kronor / 1000:.3f}".rstrip("0").rstrip(".").replace(".", ",")
        whole, _, rest = thousands.partition(",")
        grouped = spaced(int(whole)) + ("," + rest if rest else "")
        return self.money_form.format(spaced=spaced(kronor), thousands=grouped)

    def diary_number(self, serial: tuple[int, int]) -> str:
        """A diary number as the house writes it: 'SN 2024-0137'."""
        year, number = serial
        return self.diary_form.format(unit=self.diary_unit, year=year, short=year % 100, number=number)

    def slots(self, fillers: Fillers) -> Slots:
        """The house's words and fresh fillers for the templates of one text."""
        return Slots(self, fillers)


class Slots(dict[str, str]):
    """Values by a slot's name. A filler is drawn when a template first asks for it, and then stays."""

    def __init__(self, style: Style, fillers: Fillers) -> None:
        terms = {"p": style.person, "s": style.staff, "c": style.chief, "b": style.board}
        super().__init__(terms | {key.upper(): word.capitalize() for key, word in terms.items()})
        self._draw: dict[str, Callable[[], str]] = {
            "date": lambda: style.date(fillers.date()),
            "earlier": lambda: style.date(fillers.date(2019, 2023)),
            "money": lambda: style.money(fillers.number(20_000, 9_000_000)),
            "money2": lambda: style.money(fillers.number(20_000, 9_000_000)),
            "fee": lambda: spaced(fillers.number(100, 3_000)) + " kronor",
            "diary": lambda: style.diary_number(fillers.serial()),
            "place": fillers.place,
            "place2": fillers.place,
            "street": fillers.street,
            "who": fillers.person,
            "who2": fillers.person,
            "phone": fillers.phone,
            "time": fillers.time,
            "n": lambda: str(fillers.rng.randint(2, 40)),
        }

    def __missing__(self, slot: str) -> str:
        self[slot] = value = self._draw[slot]()
        return value


def own(organisation: Organisation, seed: int, recipe: Recipe, matter: str, options: Sequence[T]) -> T:
    """What the house always does in a matter: its own choice, or the first of `options` where it has no own way."""
    rng = source("style", seed, organisation.name, matter)
    return rng.choice(options) if rng.random() < recipe.own_style else options[0]


def style_of(organisation: Organisation, seed: int, recipe: Recipe) -> Style:
    """The organisation's style."""
    kind = organisation.kind

    def pick(matter: str, options: Sequence[T]) -> T:
        return own(organisation, seed, recipe, matter, options)

    spread = source("style", seed, organisation.name, "unanswerable").random()
    low, high = recipe.unanswerable_low, recipe.unanswerable_high
    return Style(
        person=pick("person", PERSONS[kind]),
        staff=pick("staff", STAFF[kind]),
        chief=pick("chief", CHIEFS[kind]),
        board=pick("board", BOARDS[kind]),
        date_form=pick("date", DATE_FORMS),
        money_form=pick("money", MONEY_FORMS),
        diary_form=pick("diary", DIARY_FORMS),
        diary_unit=pick("diary unit", words("KS SN ON VN RS HSN")),
        proposal_first=pick("order", (False, True)),
        unanswerable=low + (high - low) * spread,
        manners={task: int(pick(f"manner of {task}", tuple(map(str, range(MANNERS))))) for task in TASKS},
    )


def favourites(organisation: Organisation, seed: int, recipe: Recipe, matter: str, count: int) -> list[float]:
    """Weights of `count` subjects: even at focus 0; at 1 a third of them hold nearly everything."""
    rng = source("subjects", seed, organisation.name, matter)
    sharpness = 4 * recipe.subject_focus
    return [rng.random() ** sharpness + 0.05 for _ in range(count)]
