"""Is a run's folder what it was when it was written, and are its answers the ones that the sites signed? Works offline.

Three things are held against each other. The journal (`report/journal.py`) says what each file was, and its own lines
are chained. The receipts in it say what each site signed: the numbers in `releases/` must give the very bytes that were
signed, and each receipt names the one before it, so that an answer that was taken away leaves a gap. The report is made
again from the answers and must be the report that lies there.

What cannot be seen from the folder alone: a folder in which the last answers and their lines were all taken away, or
one whose sites are invented with keys of their own. A site's ledger shows the first; registered keys, the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from kommunbench import __version__
from kommunbench.core.answer import Code
from kommunbench.core.digests import digest, digest_bytes
from kommunbench.core.errors import Fault
from kommunbench.core.spec import RunSpec
from kommunbench.release import Ledger, Receipt
from kommunbench.release.proof import offline, released_cells, vectors_of
from kommunbench.report.build import build_report
from kommunbench.report.earlier import BEFORE
from kommunbench.report.journal import JOURNAL, Noted
from kommunbench.report.record import Received, RunFolder, RunInfo, request_file
from kommunbench.report.transcript import MaskedRecord
from kommunbench.report.verify_masked import MaskedVerdict
from kommunbench.report.write import outputs

NOTED = ("spec.json", "requests/*.json", "releases/*/*.json", "masked/*/*.json", "masked/*/*/*.json", "adapter/*")
"""Files that numbers are made of: each has a line in the journal."""


@dataclass(slots=True)
class Verified:
    """What was looked at, and what is wrong.

    Args:
        keys: the public key that each site's receipts are signed with.
        registered: sites whose key was known before the run; the others' first receipt said it.
        privacy: the run's mode: with `secagg` a receipt is about numbers behind masks (`verify_masked.py`).
        remarks: what a reader should know that is no fault.
    """

    run: str
    files: int = 0
    answers: int = 0
    receipts: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    registered: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    privacy: str = "plain"


def verify_run(folder: RunFolder, ledgers: Iterable[Path] = ()) -> Verified:
    """Look at everything; nothing is written.

    Args:
        ledgers: sites' own ledgers, where they are at hand: each receipt in them must be in the run as well.

    Raises:
        DataError: the folder is no run.
    """
    found = Verified(folder.name)
    try:
        info = folder.info()
    except ValueError:
        found.faults.append(Fault("changed: not a run's specification any more", "spec.json"))
        return found
    found.keys = {**folder.journal.keys(), **{site.name: site.key for site in info.roster if site.key}}
    found.registered = tuple(site.name for site in info.roster if site.key)
    noted = list(_noted(folder, found.faults))
    found.faults += _file_faults(folder, noted)
    found.faults += _answer_faults(folder, info, noted, found)
    for site in found.keys:
        found.faults += _gaps(site, noted, found.remarks)
    for path in ledgers:
        found.faults += _ledger_faults(path, spec_digest(folder), noted)
    found.faults += _report_faults(folder, info, found.remarks)
    found.privacy = info.spec.privacy
    found.files = sum(1 for _ in _files(folder))
    return found


def spec_digest(folder: RunFolder) -> str:
    """The specification's digest as the sites saw it, from the file as it is: a later version may know more fields."""
    return digest(json.loads((folder.path / "spec.json").read_bytes())["spec"])


def _noted(folder: RunFolder, faults: list[Fault]) -> Iterator[Noted]:
    """The journal's readable lines; what is wrong with it goes to `faults`."""
    if not folder.journal.path.is_file():
        faults.append(Fault("missing: there is no journal, so nothing can be held against it", JOURNAL))
        return
    faults += [Fault(f"{each.kind}: {each.what}", f"{JOURNAL}:{each.line}") for each in folder.journal.findings()]
    yield from folder.journal


def _files(folder: RunFolder) -> Iterator[str]:
    for pattern in NOTED:
        yield from (str(path.relative_to(folder.path)) for path in sorted(folder.path.glob(pattern)) if path.is_file())


def _file_faults(folder: RunFolder, noted: list[Noted]) -> Iterator[Fault]:
    """Each file is the one that was last noted under its name, and none is there or away that should not be."""
    last = {each.file: each.digest for each in noted}
    for file in _files(folder):
        if file not in last:
            yield Fault("added: it was never written by the run", file)
        elif digest_bytes((folder.path / file).read_bytes()) != last[file]:
            yield Fault("changed: it is not what was written", file)
    for file, known in last.items():
        if known and not (folder.path / file).is_file():
            yield Fault("missing: it was written and is not here", file)


def _answer_faults(folder: RunFolder, info: RunInfo, noted: list[Noted], found: Verified) -> Iterator[Fault]:
    """Each receipt is the site's, and each answer's numbers are the ones that its receipt was made for."""
    spec = spec_digest(folder)
    receipts = {each.file: each.receipt for each in noted if each.receipt}  # an answer that was amended keeps its own
    for each in noted:
        if each.receipt is not None and not (each.receipt.genuine and each.receipt.public == found.keys[each.site]):
            yield Fault("changed: its receipt is not signed by the site", each.file)
    read = dict(_read_answers(folder))
    found.answers = len(read)
    for file, received in read.items():
        if received is None:
            yield Fault("changed: not an answer any more", file)
        elif (received.site, received.moment) != (Path(file).stem, Path(file).parent.name):
            yield Fault("moved: it is another site's or another moment's answer", file)
    whole = {file: received for file, received in read.items() if received is not None}
    if info.spec.privacy == "secagg":
        found.receipts = sum(each.receipt is not None for each in noted)
        for moment, group in groupby(whole.values(), key=lambda received: received.moment):
            record = MaskedRecord(folder, moment)
            yield from MaskedVerdict(record, (info.spec, spec), found.keys, noted, group).faults()
        return
    carried = [file for file in whole if Path(file).parent.name.startswith(BEFORE)]
    if carried:
        found.remarks.append(f"{len(carried)} answers are carried over from earlier runs: verify those")
    for file, received in whole.items():
        receipt = receipts.get(file)
        found.receipts += receipt is not None
        if file in carried:
            continue
        if receipt is None:
            if received.status == "ok":
                yield Fault("missing: numbers without a receipt", file)
        elif not _fits((info.spec, spec), received, _stated_costs(folder.path / file), receipt):
            yield Fault("changed: its numbers are not those that the site signed", file)
        else:
            yield from _name_faults(folder, received, receipt, file)
    if receipts and not any((folder.path / "requests").glob("*.json")):
        found.remarks.append(
            "the requests were not kept: that numbers stand under their own names rests on the journal"
        )


def _read_answers(folder: RunFolder) -> Iterator[tuple[str, Received | None]]:
    """Every file of an answer, and the answer; None where it is none any more."""
    for path in sorted(folder.path.glob("releases/*/*.json")):
        try:
            received = Received.model_validate_json(path.read_bytes())
        except ValueError:
            received = None
        yield str(path.relative_to(folder.path)), received


def _stated_costs(path: Path) -> list[int]:
    """The costs that an answer's file states, in its order: a later version may know more of them."""
    return list(json.loads(path.read_bytes())["cost"].values())


def _name_faults(folder: RunFolder, received: Received, receipt: Receipt, file: str) -> Iterator[Fault]:
    """The numbers stand under the names of what the site was asked, in its order."""
    if not received.slots or not (folder.path / "requests").is_dir():
        return
    request = folder.request(receipt.digests.request)
    if request is None:
        yield Fault("missing: what the site was asked", request_file(receipt.digests.request))
    elif digest([slot.key for slot in request.slots()]) != digest([key for key, _, _ in received.slots]):
        yield Fault("changed: its numbers are not about what the site was asked", file)


def _fits(specification: tuple[RunSpec, str], received: Received, cost: Sequence[int], receipt: Receipt) -> bool:
    """Whether the answer as it is kept, with the costs that its file states, gives the bytes that were signed.

    The coordinator may have turned the weights down, and then the answer says so where the site had said OK. What does
    not fit in 64 bits was never signed.
    """
    spec, known = specification
    values = [entry for _, _, row in received.slots for entry in row]
    codes = [code for _, code, _ in received.slots]
    cells = released_cells((key, code) for key, code, _ in received.slots)
    weights = receipt.digests.payload != receipt.digests.numbers
    try:
        stated = [
            offline(spec, vectors_of([received.code, code], values, codes, cost), cells, weights)
            for code in {received.adapter_code, Code.OK}
        ]
    except OverflowError:
        return False
    numbers = any(not receipt.disagreements({**each, "spec": known}) for each in stated)
    return numbers and receipt.rounding == received.rounding


def _gaps(site: str, noted: list[Noted], remarks: list[str]) -> Iterator[Fault]:
    """Each of a site's receipts names the one before it in the run.

    A reply that came too late to be kept leaves a gap as well; then the journal has a line without a receipt.
    """
    room = "masked" if any(each.file.startswith("masked/") for each in noted) else "releases"
    own = [each for each in noted if Path(each.file).parts[0] == room and each.site == site]
    lost = sum(1 for each in own if each.receipt is None and each.digest)
    before = "0" * 64
    once = {each.receipt.digest: each for each in own if each.receipt}  # an answer that was amended has two lines
    for each in sorted(once.values(), key=lambda each: each.receipt.number if each.receipt else 0):
        assert each.receipt is not None  # noqa: S101 - for the type checker: they were chosen so
        if each.receipt.digests.before != before and lost:
            lost -= 1
            remarks.append(f"{site}: an answer before {each.file} was signed and never arrived, or came too late")
        elif each.receipt.digests.before != before:
            yield Fault("missing: the site signed an answer before this one that is not here", each.file)
        before = each.receipt.digest


def _ledger_faults(path: Path, spec: str, noted: list[Noted]) -> Iterator[Fault]:
    """What a site's own ledger says it sent to this run is here."""
    here = {each.receipt.pack().hex() for each in noted if each.receipt is not None}
    for entry in Ledger(path).entries():
        if entry.get("spec") == spec and entry.get("receipt") and entry["receipt"] not in here:
            yield Fault(
                "missing: the site's ledger has an answer to this run that is not here", f"{path}:{entry['number']}"
            )


def _report_faults(folder: RunFolder, info: RunInfo, remarks: list[str]) -> Iterator[Fault]:
    """The report that lies there is the one that the answers give."""
    if not (folder.path / "report.json").is_file():
        remarks.append("there is no report yet")
        return
    if info.spec.kommunbench != __version__:
        remarks.append(f"made by kommunbench {info.spec.kommunbench} and looked at with {__version__}")
    try:
        made = outputs(build_report(folder))
    except Exception as error:
        yield Fault(f"changed: no report can be made of the answers ({type(error).__name__})", "releases")
        return
    for name, text in made.items():
        path = folder.path / name
        if not path.is_file() or path.read_bytes() != text.encode():
            yield Fault("changed: the answers give another", name)
