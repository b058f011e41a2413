"""The bundle from a site's own ledger: what left this site to one run, in Swedish, for its data-protection officer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kommunbench.core.answer import Code
from kommunbench.core.errors import DataError, Fault
from kommunbench.privacy.memorisation import FALSE_ALARMS
from kommunbench.release import Ledger, ReleasePolicy, verify
from kommunbench.report.codes import sentence
from kommunbench.report.controls import control
from kommunbench.report.evidence import ARCHIVE, Bundle, control_section, legal_section
from kommunbench.report.sections import Section
from kommunbench.report.tables import Table
from kommunbench.site.kept import KeptFile

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SiteRecords:
    """What a site has of a run.

    Args:
        ledger: the ledger's file.
        public: the site's public key.
        policy: what it is now; None where it cannot be read.
        kept: files that are still kept of the run.
    """

    ledger: Path
    public: str
    policy: ReleasePolicy | None = None
    kept: Sequence[KeptFile] = ()


def site_bundle(run: str, records: SiteRecords) -> Bundle:
    """The bundle about `run` at this site. Nothing is written.

    Raises:
        DataError: the ledger has no line about such a run.
    """
    entries = Ledger(records.ledger).entries()
    own = [entry for entry in entries if entry.get("run") == run]
    if not own:
        raise DataError(Fault(f"no line about a run {run!r}", str(records.ledger), "see `kommunbench site ledger`"))
    payloads = {entry.get("payload") for entry in own}
    decisions = [entry for entry in entries if "decision" in entry and entry.get("payload") in payloads]
    lead = (
        f"Underlaget gäller vad som lämnade den här organisationen till körningen {run}. Det är gjort av "
        "organisationens egen "
        "liggare, och säger vad den visar och inget mer. Rutor märkta [fylls i] fyller organisationen i.",
    )
    sections = (
        _whole(records),
        _asked(own),
        legal_section(),
        _left(own),
        _decided(decisions),
        _data(own),
        _policy(own, records.policy),
        _controls(own, records),
        _noise(own),
        *_remembered(own),
        _kept(records.kept, [entry for entry in entries if "purged" in entry]),
        Section("Arkiv och utlämnande", points=ARCHIVE),
        Section(
            "Så kontrolleras underlaget",
            text=("Liggaren läses utan nätverk.",),
            code="kommunbench site ledger --verify",
        ),
    )
    return Bundle(f"Underlag för dataskydd hos organisationen: {run}", own[0]["time"], lead, sections)


def _whole(records: SiteRecords) -> Section:
    faults = verify(records.ledger, records.public)
    if faults:
        points = tuple(f"rad {fault.line}: {fault.kind}: {fault.what}" for fault in faults)
        return Section(
            "Kontrollen av liggaren hittade fel", text=("Utred dem innan underlaget används:",), points=points
        )
    lines = len(Ledger(records.ledger).entries())
    text = (
        f"{lines} rader, hela och i ordning. Kvittona i dem är signerade med organisationens nyckel {records.public}."
    )
    return Section("Kontrollen av liggaren hittade inga fel", text=(text,))


def _names(own: Iterable[Entry], kind: str) -> str:
    return ", ".join(sorted({name for entry in own for name in entry[kind]})) or "inga som policyn godkänner"


def _asked(own: Sequence[Entry]) -> Section:
    facts = (
        ("Första och sista svaret (UTC)", f"{own[0]['time']} – {own[-1]['time']}"),
        ("Uppgifter", _names(own, "tasks")),
        ("Modeller", _names(own, "models")),
        ("Mått", _names(own, "metrics")),
        ("Träning", "ja" if any(entry["adapter"] for entry in own) else "nej"),
        ("Arbetstid", f"{sum(entry.get('ms', 0) for entry in own) / 1000:.0f} s"),
        ("Specifikation", ", ".join(sorted({entry["spec"] for entry in own}))),
    )
    return Section("Vad som behandlades", tables=(Table("Körningen", ("Vad", "Värde"), facts, "ll"),))


def _left(own: Sequence[Entry]) -> Section:
    kinds = {"work": "mätning", "close": "avslutning"}
    rows = []
    for entry in own:
        held = "; ".join(f"{count}: {sentence(Code[code]).sv}" for code, count in entry["withheld"].items()) or "inget"
        kind = f"{kinds.get(entry['action'], entry['action'])} {entry['round']}"
        weights = (
            sentence(Code[entry["adapter"]]).sv
            if entry["adapter"] not in ("", "OK")
            else "ja"
            if entry["adapter"]
            else "–"
        )
        rows.append(
            (str(entry["number"]), entry["time"][:16].replace("T", " "), kind, str(entry["released"]), held, weights,
             str(entry["bytes"]))
        )  # fmt: skip
    heads = ("Rad", "Tid (UTC)", "Svar på", "Tal", "Hölls inne", "Vikter lämnade", "Byte")
    return Section("Vad som lämnade organisationen", tables=(Table("Liggarens rader", heads, tuple(rows), "lllrllr"),))


def _decided(decisions: Sequence[Entry]) -> Section:
    words = {"approved": "godkänt", "denied": "nekat"}
    rows = tuple(
        (entry["time"][:16].replace("T", " "), words[entry["decision"]], entry["by"], entry["payload"][:16])
        for entry in decisions
    )
    if not rows:
        return Section("Godkännanden", text=("Liggaren har inget beslut av en person om den här körningens svar.",))
    return Section(
        "Godkännanden", tables=(Table("Beslut", ("Tid (UTC)", "Beslut", "Av", "Kontrollsumma"), rows, "llll"),)
    )


def _data(own: Sequence[Entry]) -> Section:
    used: dict[tuple[str, str], list[int]] = {}
    for entry in own:
        for task, mark in entry.get("data", {}).items():
            used.setdefault((task, mark), []).append(entry["number"])
    rows = tuple((task, mark, ", ".join(map(str, lines))) for (task, mark), lines in used.items())
    text = (
        "Registreringen är gjord med organisationens egen nyckel. Tas ett exempel bort ur data blir det "
        "en ny registrering."
    )
    return Section(
        "Datamängder",
        text=(text,),
        tables=(Table("Registreringar", ("Uppgift", "Registrering", "Rader"), rows, "lll"),),
    )


def _policy(own: Sequence[Entry], policy: ReleasePolicy | None) -> Section:
    used = sorted({entry["policy"] for entry in own if entry["policy"]})
    if policy is None or policy.digest not in used:
        text = (
            f"Policyn som gällde har kontrollsumman {', '.join(used)}. Den nuvarande policyn är en annan och "
            "visas därför inte."
        )
        return Section("Policy", text=(text,))
    rows = tuple((name, str(value)) for name, value in policy.model_dump(mode="json").items())
    table = Table(f"Kontrollsumma {policy.digest}", ("Inställning", "Värde"), rows, "ll")
    return Section("Policy", text=("Den nuvarande policyn är den som gällde för körningen.",), tables=(table,))


def _controls(own: Sequence[Entry], records: SiteRecords) -> Section:
    held: Counter[str] = Counter()
    for entry in own:
        held.update(entry["withheld"])
    shown = {
        "numbers": f"{sum(entry['released'] for entry in own)} grupper av heltal lämnades",
        "text": "visas av testet; liggaren säger inget om text",
        "few": f"{held[Code.TOO_FEW_EXAMPLES.name]} tal hölls inne av det skälet",
        "cell": f"{held[Code.SMALL_CELL.name]} tal hölls inne av det skälet",
        "policy": f"{sum(entry['code'] != 'OK' for entry in own)} hela svar nekades",
        "ledger": "hel och i ordning" if not verify(records.ledger, records.public) else "fel, se ovan",
        "receipts": f"{sum('receipt' in entry for entry in own)} av {len(own)} svar signerade",
    }
    return control_section([(control(name), words) for name, words in shown.items()])


def _noise(own: Sequence[Entry]) -> Section:
    spent = [
        (str(entry["number"]), f"{entry['dp']['epsilon']:.4g}".replace(".", ","), f"{entry['dp']['delta']:.1g}")
        for entry in own
        if entry.get("dp")
    ]
    if not spent:
        return Section("Epsilon", text=("Liggaren har ingen förbrukning av epsilon för körningen.",))
    text = "Varje rad säger vad körningen har kostat dittills, för ett exempel: den sista raden gäller."
    table = Table("Förbrukat enligt liggaren", ("Rad", "Epsilon", "Delta"), tuple(spent), "lrr")
    return Section("Epsilon", text=(text,), tables=(table,))


def _remembered(own: Sequence[Entry]) -> tuple[Section, ...]:
    """What trained weights gave away, where the site measured it; nothing where there was no training to measure."""
    measured = [(entry, entry["memory"]) for entry in own if entry.get("memory")]
    if not measured:
        return ()
    rows = tuple(
        (str(entry["number"]), _decimals(found["exposure_bits"], 2), _decimals(found["auc"], 3),
         _decimals(found["tpr"], 3), f"{found['members']} och {found['non_members']}",
         sentence(Code[entry["adapter"]]).sv if entry["adapter"] != "OK" else "ja")
        for entry, found in measured
    )  # fmt: skip
    heads = ("Rad", "Exponering, bitar", "AUC", "Funna vid 1 % falsklarm", "Tränade och andra", "Vikter lämnade")
    text = ["Av en slump är exponeringen 1,44 bitar och AUC 0,5. Siffrorna är det minsta som en angripare kan veta."]
    if any(found["non_members"] < 1 / FALSE_ALARMS for _, found in measured):
        text.append(
            f"Med färre än {1 / FALSE_ALARMS:.0f} andra exempel är 1 % falsklarm inga alls: andelen funna är grov."
        )
    table = Table("Vad vikterna minns av enskilda exempel", heads, rows, "lrrrrl")
    return (Section("Minne", text=tuple(text), tables=(table,)),)


def _decimals(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def _kept(kept: Sequence[KeptFile], purged: Sequence[Entry]) -> Section:
    counts = Counter((each.kind.sv, each.kind.text) for each in kept)
    words = {"yes": "ja", "no": "nej", "unknown": "okänt"}
    rows = tuple((what, words[text], str(count)) for (what, text), count in counts.items())
    gone = tuple(f"{entry['time'][:10]}: {entry['purged']} filer ({entry['why']})" for entry in purged)
    return Section(
        "Vad som finns kvar",
        text=() if rows else ("Inget finns kvar av körningen utöver liggaren.",),
        points=gone,
        tables=(Table("Filer av körningen", ("Ändamål", "Text", "Filer"), rows, "llr"),) if rows else (),
    )
