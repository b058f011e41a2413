"""The bundle that a data-protection officer can file about a run, in Swedish: made of the run's own records alone.

It claims what the folder shows and no more. What the law asks and no record can know (purpose, legal basis, secrecy,
archive) is left as marked blanks. `site_evidence.py` makes the same from a site's ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kommunbench.core.answer import Code
from kommunbench.core.masking import MASKED_SUM
from kommunbench.core.spec import Cell
from kommunbench.report.codes import sentence
from kommunbench.report.controls import Control, control
from kommunbench.report.record import Received, RunFolder, RunInfo
from kommunbench.report.sections import Section
from kommunbench.report.tables import Table
from kommunbench.report.verify import Verified, verify_run

BLANK = "[fylls i]"
LEGAL = (
    ("Personuppgiftsansvarig (GDPR art. 4.7, 24)", BLANK),
    ("Ändamål med behandlingen (GDPR art. 5.1 b)", BLANK),
    ("Rättslig grund (GDPR art. 6; dataskyddslagen 2 kap.)", BLANK),
    ("Känsliga personuppgifter (GDPR art. 9; dataskyddslagen 3 kap.)", BLANK),
    ("Uppgifter om lagöverträdelser (GDPR art. 10)", BLANK),
    ("Information till de registrerade (GDPR art. 13 och 14)", BLANK),
    ("Personuppgiftsbiträde och avtal (GDPR art. 28)", BLANK),
    ("Plats i registerförteckningen (GDPR art. 30)", BLANK),
    ("Konsekvensbedömning (GDPR art. 35): gjord, datum, eller varför inte", BLANK),
    ("Sekretess (OSL): tillämpliga bestämmelser och menprövning", BLANK),
    ("Allmän handling (TF 2 kap.): vilka handlingar, var de finns", BLANK),
    ("Bevarande (arkivlagen; informationshanteringsplan)", BLANK),
    ("Gallring (arkivlagen 10 §): beslut, datum", BLANK),
    ("AI-förordningen (EU 2024/1689), om den är tillämplig", BLANK),
)
"""What a person fills in: question and blank."""
ARCHIVE = (
    "Underlaget och de filer som det bygger på kan vara allmänna handlingar. De innehåller heltal, koder, namn på "
    "organisationer, uppgifter och modeller samt kontrollsummor, och ingen text ur något exempel.",
    "Begärs exempeltexterna ut prövas det hos den organisation som har dem. De finns inte i underlaget.",
    "Kontrollsummor och kvitton behövs för att kunna visa i efterhand att talen är oförändrade. "
    "Bevara dem lika länge som "
    "rapporten.",
    "Gallras det som ligger bakom (resultat per exempel) kan nya jämförelser inte göras, men rapportens tal och "
    "kvittona går fortfarande att kontrollera.",
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A title, what it rests on, and sections. `made` is the time that the records state, ISO 8601."""

    title: str
    made: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]


def run_bundle(folder: RunFolder) -> Bundle:
    """The bundle about a run, from its folder at the coordinator. Nothing is written.

    Raises:
        DataError: the folder is no run.
    """
    info, received = folder.info(), list(folder.received())
    found = verify_run(folder)
    lead = (
        f"Underlaget gäller körningen {info.spec.run} och är gjort av filerna i dess mapp hos "
        "samordnaren. Det säger vad "
        "filerna visar och inget mer. Rutor märkta [fylls i] fyller den ansvariga organisationen i.",
        *(("Alla texter i körningen är syntetiska data: ingen verklig person förekommer.",) if info.synthetic else ()),
    )
    sections = (
        _control_section(found),
        _processing(info, received),
        _places(info, received),
        legal_section(),
        _released(info, received),
        _controls(received, found),
        _noise(info),
        _receipts(folder, info, found),
        Section("Arkiv och utlämnande", points=ARCHIVE),
        Section("Så kontrolleras underlaget", text=(CHECK,), code=f"kommunbench verify {info.spec.run}"),
    )
    return Bundle(f"Underlag för dataskydd: {info.spec.run}", info.started_at, lead, sections)


CHECK = (
    "Kommandot läser mappen utan nätverk och jämför varje fil, rad och kvitto med de övriga. Jämför också nycklarna i "
    "tabellen med dem som organisationerna själva uppger."
)


def legal_section() -> Section:
    """The questions that no record can answer."""
    table = Table("Fylls i av den ansvariga", ("Fråga", "Svar"), LEGAL, "ll")
    return Section("Ändamål och rättsligt stöd", text=("Inget här framgår av körningens filer.",), tables=(table,))


def control_section(rows: Sequence[tuple[Control, str]]) -> Section:
    """Controls, what the records at hand show of each, and the test."""
    cells = tuple((each.sv, shown, f"tests/{each.test}") for each, shown in rows)
    return Section(
        "Tekniska skyddsåtgärder",
        text=("Testen hör till kommunbench och kan köras av vem som helst som har programmet.",),
        tables=(Table("Åtgärd, vad underlaget visar, test", ("Åtgärd", "I detta underlag", "Test"), cells, "lll"),),
    )


def _control_section(found: Verified) -> Section:
    if found.faults:
        points = tuple(f"{fault.where}: {fault.what}" for fault in found.faults)
        return Section(
            "Kontrollen hittade fel", text=("Underlaget går inte att lita på förrän felen är utredda:",), points=points
        )
    shown = {
        "plain": "varje svar med tal är det som organisationen signerade, och rapporten är den som svaren ger.",
        "secagg": "varje summa är summan av de maskerade tal som organisationerna signerade, de har signerat vilka som "
        "är med i den, och rapporten är den som summorna ger. Vad en enskild organisation bidrog med syns inte här.",
    }
    text = (
        f"{found.files} filer, {found.answers} svar och {found.receipts} kvitton lästes. Alla filer är de som skrevs, "
        f"{shown[found.privacy]}"
    )
    return Section("Kontrollen hittade inga fel", text=(text,), points=tuple(found.remarks))


def _processing(info: RunInfo, received: Sequence[Received]) -> Section:
    spec = info.spec
    titles = {task.name: task.title.sv for task in info.tasks}
    facts = (
        ("Körning", spec.run),
        ("Började", info.started_at),
        ("Federation", info.federation),
        ("Texter", "syntetiska" if info.synthetic else "organisationernas egna"),
        ("Träning", f"{spec.trained_model}, {spec.rounds} omgångar" if spec.train else "ingen: bara utvärdering"),
        ("Summor", _privacy(spec.privacy)),
        ("Svar", f"{len(received)} mottagna eller uteblivna"),
        ("kommunbench", spec.kommunbench),
        ("Specifikation", spec.digest),
    )
    named = [(titles.get(task.name, task.name), task.name, task.digest) for task in spec.tasks]
    models = [
        (model.name, "tränas" if model.name == spec.trained_model else "som den är", model.digest)
        for model in spec.models
    ]
    return Section(
        "Vad som behandlades",
        tables=(
            Table("Körningen", ("Vad", "Värde"), facts, "ll"),
            Table("Uppgifter", ("Uppgift", "Namn", "Kontrollsumma"), tuple(named), "lll"),
            Table("Modeller", ("Modell", "Användning", "Kontrollsumma"), tuple(models), "lll"),
        ),
    )


def _privacy(mode: str) -> str:
    known = {"plain": "varje organisations summor är synliga för samordnaren",
             "secagg": "bara summor över flera organisationer är synliga för samordnaren"}  # fmt: skip
    return known.get(mode, mode)


def _places(info: RunInfo, received: Sequence[Received]) -> Section:
    kinds = {"municipality": "kommun", "region": "region", "other": "annan"}
    rows = []
    for site in info.roster:
        own = [each for each in received if each.site == site.name]
        answered = sum(each.status == "ok" for each in own)
        size = sum(each.bytes_out for each in own)
        rows.append(
            (site.title, kinds[site.kind], "ja" if site.trains else "nej", f"{answered} av {len(own)}", str(size))
        )
    table = Table(
        "Organisationer", ("Organisation", "Slag", "Tränar", "Svarade", "Byte mottagna"), tuple(rows), "lllrr"
    )
    text = (
        "Varje organisation läste sin egen text hos sig. Det som kom till samordnaren är det som står "
        "under nästa rubriker."
    )
    return Section("Var behandlingen skedde", text=(text,), tables=(table,))


def _summed(info: RunInfo, received: Sequence[Received]) -> Section:
    """What left where sums are masked: no site's own numbers can be read."""
    rows = []
    for site in info.roster:
        own = [each for each in received if each.site == site.name]
        refused = Counter(each.code for each in own if each.code is not Code.OK)
        words = "; ".join(f"{count}: {sentence(code).sv}" for code, count in refused.items()) or "inget"
        rows.append((site.title, f"{sum(each.status == 'ok' for each in own)} av {len(own)}", words))
    counts = [(code, count) for each in received if each.site == MASKED_SUM and each.status == "ok"
              for (_, code, _), count in zip(each.slots, each.given_by, strict=True)]  # fmt: skip
    open_sums = [count for code, count in counts if code is Code.OK]
    text = (
        "Varje organisation lämnade sina tal bakom masker. Samordnaren kunde bara läsa summor: "
        f"{len(open_sums)} tal över minst {min(open_sums, default=0)} organisationer. "
        f"{len(counts) - len(open_sums)} tal hölls inne av alla, då för få organisationer hade något att lämna."
    )
    table = Table("Summor", ("Organisation", "Med i summan", "Nekade"), tuple(rows), "lrl")
    return Section("Vad som lämnade organisationerna", text=(text,), tables=(table,))


def _released(info: RunInfo, received: Sequence[Received]) -> Section:
    if info.spec.privacy == "secagg":
        return _summed(info, received)
    rows = []
    for site in info.roster:
        own = [each for each in received if each.site == site.name]
        slots = [(code, row) for each in own for _, code, row in each.slots]
        held = Counter(code for code, _ in slots if code is not Code.OK)
        held.update(each.code for each in own if each.code is not Code.OK and not each.slots)
        words = "; ".join(f"{count}: {sentence(code).sv}" for code, count in held.items()) or "inget"
        least = min((row[0] for code, row in slots if code is Code.OK), default=None)
        rounding = max((each.rounding for each in own), default=1)
        rows.append(
            (site.title, str(sum(code is Code.OK for code, _ in slots)), "–" if least is None else str(least),
             "nej" if rounding == 1 else f"till {rounding}", words)
        )  # fmt: skip
    heads = ("Organisation", "Tal som lämnades", "Minst antal exempel", "Avrundat", "Hölls inne")
    text = (
        "Ett tal är här en grupp heltal för ett mått på en uppgift. Minst antal exempel är det lägsta "
        "antal som ligger bakom "
        "något av organisationens tal."
    )
    return Section(
        "Vad som lämnade organisationerna", text=(text,), tables=(Table("Tal", heads, tuple(rows), "lrrll"),)
    )


def _controls(received: Sequence[Received], found: Verified) -> Section:
    codes = Counter(code for each in received for _, code, _ in each.slots)
    refused = sum(each.status == "refused" for each in received)
    rounded = len({each.site for each in received if each.rounding > 1})
    cells = {Cell(*key[0]).task for each in received for key, code, _ in each.slots if code is Code.OK}
    shown = {
        "numbers": f"{codes[Code.OK]} grupper av heltal; uppgifter: {len(cells)}",
        "text": "visas av testet; mappen är inte genomsökt",
        "few": f"{codes[Code.TOO_FEW_EXAMPLES]} tal hölls inne av det skälet",
        "cell": f"{codes[Code.SMALL_CELL]} tal hölls inne av det skälet",
        "policy": f"{refused} hela svar nekades; policyernas kontrollsummor står i kvittona",
        "rounding": f"{rounded} organisationer avrundar",
        "receipts": f"{found.receipts} kvitton, {len(found.faults)} fel",
        "report": "stämmer" if not found.faults else "se felen ovan",
    }
    return control_section([(control(name), words) for name, words in shown.items()])


def _noise(info: RunInfo) -> Section:
    text = "Körningens specifikation anger ingen differentiell integritet, så inget epsilon kan anges."
    noise = getattr(info.spec, "dp", None)
    if noise is None:
        return Section("Epsilon", text=(text,))
    rows = tuple((name, str(value)) for name, value in noise.model_dump().items())
    return Section(
        "Epsilon", tables=(Table("Differentiell integritet enligt specifikationen", ("Vad", "Värde"), rows, "ll"),)
    )


def _receipts(folder: RunFolder, info: RunInfo, found: Verified) -> Section:
    last = {each.site: each.receipt for each in folder.journal if each.receipt is not None}
    counts = Counter(each.site for each in folder.journal if each.receipt is not None)
    titles = {site.name: site.title for site in info.roster}
    rows, marks = [], []
    for site, receipt in last.items():
        how = "registrerad" if site in found.registered else "första kvittots"
        rows.append((titles.get(site, site), str(counts[site]), receipt.public, how))
        short = (receipt.digests.data, receipt.digests.code, receipt.digests.environment, receipt.digests.policy)
        marks.append((titles.get(site, site), *(digest[:16] for digest in short)))
    text = (
        "Varje kvitto binder körning, fråga, uppgifter, modeller, datamängd, kod, miljö och policy till "
        "de tal som lämnades. "
        "Datamängdens kontrollsumma är gjord med organisationens egen nyckel, så att ingen annan kan "
        "pröva gissningar mot den."
    )
    return Section(
        "Kvitton",
        text=(text,),
        tables=(
            Table("Nycklar", ("Organisation", "Kvitton", "Öppen nyckel (Ed25519)", "Känd genom"), tuple(rows), "lrll"),
            Table(
                "Senaste kvittot, de första 16 tecknen",
                ("Organisation", "Datamängd", "Kod", "Miljö", "Policy"),
                tuple(marks),
                "lllll",
            ),
        ),
    )


def facts_of(bundle: Bundle) -> Iterator[str]:
    """Every string of a bundle, for whoever searches it."""
    yield from (bundle.title, *bundle.lead)
    for section in bundle.sections:
        yield from (section.title, *section.text, *section.points, section.code)
        for table in section.tables:
            yield from (table.caption, *table.header, *(cell for row in table.rows for cell in row))
