"""Guidelines of home care and wards with questions from the staff, in six manners. An answer follows from a paragraph.

The traps: an exception later in the paragraph, a prohibition that lets something through, two paragraphs that disagree
(the newer one holds), and questions about something, or about a side of it, that the guideline does not mention.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kommunbench.core.example import Split
from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.organisation import Generator, Organisation, Recipe, open_to, pool, source
from kommunbench.synthetic.phrases import capital, phrases
from kommunbench.synthetic.style import Style, favourites, own, style_of


class Manner(NamedTuple):
    """One way to head a guideline, to number its paragraphs and to answer.

    `act` words an answer that tells what to do, `fact` one that states something; {i} is the paragraph, {imp}, {inf}
    and {pres} are what to do as an order, after 'ska' and with 'du'. `silent` follows 'Står inte i riktlinjen.'
    """

    head: str
    number: str
    act: str
    fact: str
    silent: str


MANNERS = (
    Manner("Riktlinje för {area} i {place}. Ansvarig: {c}.", "{i} §",
           "Enligt {i} ska du {inf} om {cond}.", "Enligt {i} gäller följande: {fact}.",
           "Fråga {c} innan du gör något."),
    Manner("Rutin, {area} {place}. Rutinansvar: {c}.", "{i} §",
           "Gör så här om {cond}: {imp}. Källa: {i}.", "Så här är det: {fact}. Källa: {i}.",
           "Kolla upp saken med {c}."),
    Manner("Anvisning till {s} om {area}. Kontakt: {c}.", "§ {i}",
           "Om {cond} {pres}, se {i}.", "{Fact}, se {i}.",
           "Vänd dig genast till {c}."),
    Manner("Handbok för {area} i {place}, utgiven av {c}.", "{i} §",
           "{I} säger: {imp} om {cond}.", "{I} säger: {fact}.",
           "Handboken saknar svar, prata med {c}."),
    Manner("Vägledning, {area}. Fastställd av {b} och {c}.", "§ {i}",
           "{S} ska {inf} om {cond}. Stöd: {i}.", "{Fact}. Stöd: {i}.",
           "Stöd saknas, så invänta {c}."),
    Manner("Instruktion för {area} i {place} ({c}).", "{i} §",
           "Svar: om {cond} ska du {inf}. Läs mer i {i}.", "Svar: {fact}. Läs mer i {i}.",
           "Rapportera luckan till {c}."),
)  # fmt: skip
_AREAS = {
    "municipality": phrases("hemtjänsten | nattpatrullen | boendestödet | särskilt boende | dagverksamheten"),
    "region": phrases("mottagningen | vårdavdelningen | akuten | rehabiliteringen | vårdcentralen"),
}
SITUATIONS = {
    "municipality": phrases(
        "{p} inte öppnar dörren | larmet inte besvaras | {p} har fallit i hemmet | reservnyckeln saknas | {p} vägrar "
        "ta "
        "sin medicin | dosetten är tom | {p} inte vill äta | {p} ber om hjälp med bankärenden | en anhörig uppträder "
        "hotfullt | strömmen går hos {p} | det blir värmebölja | en säkring har gått | {p} verkar sjukare än vanligt | "
        "tjänstebilen inte startar | nattbesöket blir försenat | en granne frågar efter {p} | hunden är lös | {p} "
        "inte är "
        "hemma | två besök krockar | spisen står på"
    ),
    "region": phrases(
        "{p} uteblir från besöket | {p} saknar legitimation | {p} behöver tolk | ett prov är felmärkt | remissen är "
        "ofullständig | {p} vill byta mottagning | vaccinkylen larmar | journalsystemet ligger nere | {p} vill läsa "
        "sin "
        "journal | {p} har ramlat på golvet | sjukresan är försenad | en närstående vill sova kvar | läkemedlet är "
        "slut | "
        "{p} lämnar avdelningen | en kollega sticker sig på en kanyl | utrymningslarmet går | provsvaret dröjer | {p} "
        "har tappat sina hörapparater"
    ),
}
_ACTIONS = (
    ("ringer", "ring", "ringa", "{c} på {phone}"),
    ("ringer", "ring", "ringa", "jouren i {place2} på {phone}"),
    ("väntar", "vänta", "vänta", "kvar i {n} minuter"),
    ("tillkallar", "tillkalla", "tillkalla", "{who}"),
    ("skriver", "skriv", "skriva", "en avvikelse inom {n} timmar"),
    ("lämnar", "lämna", "lämna", "besked till {c} före klockan {time}"),
    ("dokumenterar", "dokumentera", "dokumentera", "händelsen inom {n} timmar"),
    ("meddelar", "meddela", "meddela", "{who} senast klockan {time}"),
    ("bokar", "boka", "boka", "ett nytt besök inom {n} dagar"),
    ("mejlar", "mejla", "mejla", "{c} i {place2}"),
    ("kontaktar", "kontakta", "kontakta", "{who} på {phone}"),
    ("hämtar", "hämta", "hämta", "hjälp på {street}"),
)
_ASKS = phrases(
    "Vad gör jag om {cond}? | Hur ska jag göra om {cond}? | Vad gäller om {cond}? | Vad är rutinen om {cond}? | "
    "Hur agerar jag om {cond}?"
)
_BANS = {
    "municipality": (
        ("ta emot gåvor", "ta emot hembakat bröd"),
        ("ta med nyckeln hem", "lämna nyckeln till en kollega"),
        ("låna pengar av {p}", "ta emot pengar till matinköp"),
        ("fotografera {p}", "fotografera trasiga hjälpmedel"),
        ("röka i bostaden", "röka utomhus på rasten"),
        ("berätta om {p} för grannar", "berätta om {p} för {c}"),
        ("köra {p} i egen bil", "köra {p} i tjänstebilen"),
    ),
    "region": (
        ("lämna ut journaler per telefon", "lämna ut journaler mot legitimation"),
        ("ta med läkemedel hem", "ta med arbetsmobilen hem"),
        ("fotografera på avdelningen", "fotografera utrustning"),
        ("ta emot gåvor", "ta emot en bukett blommor"),
        ("låna ut passerkortet", "öppna dörren för en kollega"),
        ("parkera vid ambulansintaget", "parkera på {street}"),
    ),
}
_FACTS = {
    "municipality": (
        ("larmet ska besvaras inom {n} minuter", "Hur snabbt ska larmet besvaras?"),
        ("nyckelskåpet kontrolleras klockan {time}", "När kontrolleras nyckelskåpet?"),
        ("{who} ansvarar för nycklarna", "Vem ansvarar för nycklarna?"),
        ("ett matinköp får kosta högst {fee}", "Hur mycket får ett matinköp kosta?"),
        ("genomförandeplanen följs upp efter {n} veckor", "När följs genomförandeplanen upp?"),
        ("skyddskläder hämtas på {street}", "Var hämtas skyddskläder?"),
    ),
    "region": (
        ("telefonen ska besvaras inom {n} minuter", "Hur snabbt ska telefonen besvaras?"),
        ("ronden börjar klockan {time}", "När börjar ronden?"),
        ("{who} ansvarar för läkemedelsrummet", "Vem ansvarar för läkemedelsrummet?"),
        ("ett uteblivet besök kostar {fee}", "Vad kostar ett uteblivet besök?"),
        ("hjälpmedel lämnas på {street}", "Var lämnas hjälpmedel?"),
        ("prover skickas till {place2}", "Vart skickas prover?"),
    ),
}
SILENT = "Står inte i riktlinjen."


class Paragraph(NamedTuple):
    """A paragraph's text, the questions it answers, and each answer with {i} and {I} for its number."""

    text: str
    asked: tuple[tuple[str, str], ...]


def _rows(organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Rows of `guideline_qa`: {id, split, group, context, question, references}; some rows share a guideline."""
    if "guideline_qa" not in organisation.sizes:
        return
    writer = _Writer(organisation, split, seed, recipe)
    size, each = organisation.sizes["guideline_qa"].of(split), recipe.questions_per_guideline
    for index in range(size):
        guideline, turn = divmod(index, each)
        if turn == 0:
            context, answered, silent = writer.guideline(guideline)
        rng = source(seed, organisation.name, "question", split, index)
        question, answer = (
            silent[turn % len(silent)] if rng.random() < writer.style.unanswerable else answered[turn % len(answered)]
        )
        yield {
            "id": f"{organisation.name}-qa-{split}-{index}",
            "split": split,
            "group": f"{organisation.name}-qa-{split}-guideline-{guideline}",
            "context": context,
            "question": question,
            "references": [answer],
        }


GENERATOR: Generator = _rows


class _Writer:
    """Writes the guidelines of one organisation and split."""

    def __init__(self, organisation: Organisation, split: Split, seed: int, recipe: Recipe) -> None:
        self.organisation, self.split, self.seed, self.recipe = organisation, split, seed, recipe
        self.style: Style = style_of(organisation, seed, recipe)
        self.manner = MANNERS[self.style.manners["guideline_qa"]]
        situations = SITUATIONS[organisation.kind]
        self.situations = open_to(situations, split, recipe)
        self.weights = favourites(organisation, seed, recipe, "situations", len(situations))[: len(self.situations)]
        # A house's own rules: of all that can be done, it does these things.
        start = own(organisation, seed, recipe, "actions", range(len(_ACTIONS)))
        self.actions = (_ACTIONS * 2)[start : start + 8]

    def guideline(self, index: int) -> tuple[str, list[tuple[str, str]], list[tuple[str, str]]]:
        """A context of 3 to 5 paragraphs, (question, answer) pairs that it answers, and such that it does not."""
        rng = source(self.seed, self.organisation.name, "guideline", self.split, index)
        fillers = Fillers(rng, pool(self.split))
        values = self.style.slots(fillers)
        values["area"] = self._area()
        conditions = self._conditions(fillers, 4)
        absent = conditions.pop()
        paragraphs = [self._situation(fillers, condition) for condition in conditions[: rng.randint(2, 3)]]
        facts, bans = _FACTS[self.organisation.kind], _BANS[self.organisation.kind]
        present, missing = rng.sample(facts, 2)
        paragraphs.append(self._fact(present, fillers) if rng.random() < 0.6 else self._ban(rng.choice(bans), fillers))
        rng.shuffle(paragraphs)
        if rng.random() < self.recipe.hard_share / 3:
            paragraphs.append(self._disagreement(fillers, conditions[0], paragraphs))

        first = rng.choice((1, 1, 1, 3, 6))
        lines, answered = [self.manner.head.format_map(values)], []
        for number, paragraph in enumerate(paragraphs, start=first):
            label = self.manner.number.format(i=number)
            lines.append(f"{label} {paragraph.text}")
            for question, answer in paragraph.asked:
                answered.append((question, capital(answer.replace("<i>", label).replace("<I>", label))))
        rng.shuffle(answered)
        tail = f"{SILENT} {self.manner.silent}".format_map(values)
        silent = [(missing[1], tail), (self._ask(fillers, absent), tail)]
        rng.shuffle(silent)
        return "\n".join(lines), answered, silent

    def _area(self) -> str:
        return own(self.organisation, self.seed, self.recipe, "area", _AREAS[self.organisation.kind])

    def _conditions(self, fillers: Fillers, count: int) -> list[str]:
        chosen: list[str] = []
        while len(chosen) < count:
            condition = fillers.rng.choices(self.situations, self.weights)[0]
            if condition not in chosen:
                chosen.append(condition)
        return [condition.format_map(self.style.slots(fillers)) for condition in chosen]

    def _ask(self, fillers: Fillers, condition: str) -> str:
        return fillers.rng.choice(open_to(_ASKS, self.split, self.recipe)).format(cond=condition)

    def _action(self, fillers: Fillers) -> tuple[str, str, str, str]:
        values = self.style.slots(fillers)
        present, imperative, infinitive, rest = fillers.rng.choice(self.actions)
        return present, imperative, infinitive, rest.format_map(values)

    def _told(self, condition: str, action: tuple[str, str, str, str]) -> str:
        """The answer that tells what to do."""
        present, imperative, infinitive, rest = action
        return self.manner.act.format(
            i="<i>", I="<I>", cond=condition, S=capital(self.style.staff),
            imp=f"{imperative} {rest}", inf=f"{infinitive} {rest}", pres=f"{present} du {rest}",
        )  # fmt: skip

    def _stated(self, fact: str) -> str:
        return self.manner.fact.format(i="<i>", I="<I>", fact=fact, Fact=capital(fact))

    def _situation(self, fillers: Fillers, condition: str) -> Paragraph:
        rng, action = fillers.rng, self._action(fillers)
        staff = self.style.staff
        text = f"Om {condition} {action[0]} {staff} {action[3]}."
        asked = [(self._ask(fillers, condition), self._told(condition, action))]
        if rng.random() < self.recipe.hard_share / 2:
            other = self._action(fillers)
            when = rng.choice(("på natten", "på en helg", "under semestern"))
            text += f" Undantag: {when} {other[0]} {staff} {other[3]}."
            exception = f"{condition} {when}"
            asked.append((self._ask(fillers, exception), self._told(exception, other)))
        return Paragraph(text, tuple(asked))

    def _fact(self, fact: tuple[str, str], fillers: Fillers) -> Paragraph:
        stated = fact[0].format_map(self.style.slots(fillers))
        return Paragraph(f"{capital(stated)}.", ((fact[1], self._stated(stated)),))

    def _ban(self, ban: tuple[str, str], fillers: Fillers) -> Paragraph:
        banned, allowed = (part.format_map(self.style.slots(fillers)) for part in ban)
        text = f"{capital(self.style.staff)} får inte {banned}. Det är däremot tillåtet att {allowed}."
        return Paragraph(
            text,
            (
                (f"Får jag {banned}?", self._stated(f"nej, du får inte {banned}")),
                (f"Får jag {allowed}?", self._stated(f"ja, du får {allowed}")),
            ),
        )

    def _disagreement(self, fillers: Fillers, condition: str, paragraphs: list[Paragraph]) -> Paragraph:
        """A newer paragraph about `condition`, which takes the questions over from the older one."""
        action = self._action(fillers)
        since = self.style.slots(fillers)["earlier"]
        text = f"Ändrat {since}: om {condition} {action[0]} {self.style.staff} {action[3]}."
        for at, paragraph in enumerate(paragraphs):
            kept = tuple(pair for pair in paragraph.asked if f"{condition}?" not in pair[0])
            paragraphs[at] = paragraph._replace(asked=kept)
        return Paragraph(text, ((self._ask(fillers, condition), self._told(condition, action)),))
