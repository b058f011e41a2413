"""Neutral rewriting: an office's sentences beside the same in everyday words, about 'den som' and never to 'du'."""

from __future__ import annotations

from kommunbench.synthetic.fillers import Fillers
from kommunbench.synthetic.neutral_summarization import written_date
from kommunbench.synthetic.phrases import phrases

_PAIRS = (
    ("Ansökan om {thing} ska vara {office} i {place} tillhanda senast den {date}.",
     "Den som vill ha {thing} ska söka hos {office} i {place} senast den {date}."),
    ("Avgiften för {thing} höjs fr.o.m. den {date} till {kronor}.",
     "{Thing} blir dyrare. Från den {date} kostar det {kronor}."),
    ("Avgiften för {thing} har fastställts till {kronor}.", "{Thing} kostar {kronor}."),
    ("Ytterligare upplysningar lämnas av {person} på telefon {phone}.",
     "{Person} berättar mer på telefon {phone}."),
    ("Med anledning av renovering hålls {site} i {place} stängd t.o.m. den {date}.",
     "{Site} i {place} är stängd till den {date}. Den ska lagas."),
    ("Handläggningen av ärenden om {thing} beräknas uppgå till {n} dagar.",
     "Det tar {n} dagar att få svar om {thing}."),
    ("Samtliga handlingar ska inges till {office}, {address}.", "Alla papper ska lämnas till {office}, {address}."),
    ("Vid utebliven betalning av {kronor} kan {thing} komma att upphöra.",
     "Den som inte betalar {kronor} kan bli av med {thing}."),
    ("Beslutet avseende {thing} fattades den {date} av {person}.", "{Person} bestämde om {thing} den {date}."),
    ("Det åligger den sökande att inkomma med intyg före den {date}.",
     "Den som söker måste skicka in ett intyg före den {date}."),
    ("{Site} i {place} tillhandahåller {thing} utan kostnad.", "{Site} i {place} har {thing} gratis."),
    ("Ersättning utgår med högst {kronor} per år.", "Det går att få högst {kronor} om året."),
    ("Uppsägning av {thing} ska ske skriftligen till {person}.",
     "Den som vill sluta med {thing} ska skriva till {person}."),
    ("{Thing} beviljas ej personer som saknar intyg.", "Den som inte har ett intyg får inte {thing}."),
    ("På grund av ett ökat antal ansökningar föreligger kö till {thing}.",
     "Många söker {thing} just nu. Därför är det kö."),
    ("Besökare ombeds anmäla sig i receptionen på {site} senast kl. {time}.",
     "Den som ska på besök ska gå till receptionen på {site} senast klockan {time}."),
    ("{Thing} omfattar maximalt {n} timmar per månad.", "Det går att få {thing} i {n} timmar varje månad."),
    ("Kontakt med {person} ska tas före den {date}.", "Ta kontakt med {person} före den {date}."),
    ("Parkering vid {site} är tillåten i högst {n} minuter.", "Det går att stå med bilen vid {site} i {n} minuter."),
    ("{Person} har förordnats som ansvarig för {thing}.", "{Person} ansvarar nu för {thing}."),
    ("Tidigare beviljad {thing} upphör att gälla den {date}.", "{Thing} slutar den {date}."),
    ("Arbetet med {site} påbörjas den {date} och beräknas kosta {kronor}.",
     "Arbetet med {site} börjar den {date}. Det kostar {kronor}."),
    ("Bifogad blankett ska undertecknas och returneras till {address}.",
     "Skriv under blanketten och skicka den till {address}."),
    ("{Site} i {place} håller inte öppet under vecka {n52}.", "{Site} i {place} är stängd vecka {n52}."),
)  # fmt: skip
_THINGS = phrases(
    "parkeringstillstånd|körkortstillstånd|bygghjälp|skolskjuts|lägerplats|båtplats|kolonilott|biljett|badkort|"
    "föreningsbidrag|cykelförvaring|tomträtt|lånekort|musikundervisning|sophämtning|vinterväghållning|bredband|"
    "torgplats|marklov|kurshjälp|rådgivning|plats på lägret|lokal|studiestöd"
)
_SITES = phrases("simhallen|skolan|receptionen|verkstaden|kiosken|teatern|parken|stationen|ishallen|campingen|ladan")
_OFFICES = phrases(
    "fritidskontoret|markkontoret|kulturkontoret|miljökontoret|växeln|kassan|ekonomikontoret|vägkontoret"
)


def rewriting(fillers: Fillers) -> tuple[str, str]:
    """An official text of one to four sentences, and the same one sentence after another in plain words."""
    rng = fillers.rng
    thing, site, place = rng.choice(_THINGS), rng.choice(_SITES), fillers.place()
    formal, plain = [], []
    for left, right in rng.sample(_PAIRS, rng.randint(1, 4)):
        person = fillers.person()
        values = {
            "thing": thing,
            "Thing": thing.capitalize(),
            "site": site,
            "Site": site.capitalize(),
            "place": place,
            "office": rng.choice(_OFFICES),
            "person": person,
            "Person": person,
            "date": written_date(rng, fillers),
            "kronor": fillers.kronor(50, 90_000),
            "phone": fillers.phone(),
            "address": fillers.address(),
            "time": fillers.time(),
            "n": str(rng.randint(5, 90)),
            "n52": str(rng.randint(1, 52)),
        }
        formal.append(left.format_map(values))
        plain.append(right.format_map(values))
    return " ".join(formal), " ".join(plain)
