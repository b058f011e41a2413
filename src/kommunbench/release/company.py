"""Which sites a number has been summed with. It goes to one set of sites, ever: several sums of it are equations.

Whoever has A + B, A + C and B + C has A, B and C, though each two of these sums are over sites enough. So a site notes
in its ledger, before it signs who is in a sum, which sites give each number together with its own, and gives that
number to no other set of sites again: not a larger or a smaller one, nor a wholly different one. Price: when the
members of a federation change, what they measured together before cannot be summed again in the new company.

Who gives a number is not who is in the sum: a site whose own rules hold a number back puts zeros there. So members tell
each other, sealed, what they give and whom they are bound to (`Note`), and all of them leave out what does not fit.

A number is known by its marks: by what it measures (task, model, prompt, adapter, metric), in whatever run; by the same
without the metric, since two metrics of a cell count the same examples; and by its place in its run, to which closing
sums belong as well: together with a total they tell a site's own. What it took has marks of its own. Within one sum the
metrics of a cell may have unlike sites behind them, since one is suppressed more often than another, and it is their
counts of examples that can be subtracted then. A cell that was in sums over two sets is bound, for a third metric, to
nobody: that metric stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from kommunbench.core.answer import Code
from kommunbench.core.digests import digest
from kommunbench.core.model import Adapter
from kommunbench.core.spec import OPINIONS, Cell, Request, Slot
from kommunbench.release.masked import WithheldError

Marks = tuple[str, ...]
Sites = frozenset[str]
NOBODY: Sites = frozenset()
"""Who gives a unit that is left out, and whom one is bound to that may be in no sum."""
MARK_DIGITS = 16
BOUND_BYTES = 8
FREE = bytes(BOUND_BYTES)


def marks(request: Request, sent: Adapter | None) -> list[Marks]:
    """The marks of each unit of a sum (release/masked.py), in order."""
    weights = _weights(sent)
    found = [*(_slot_marks(request, slot, weights) for slot in request.slots()), _cost_marks(request, weights)]
    return [*found, (_mark("train", weights, request.seed),)] if request.train else found


def bound(entries: Iterable[Mapping[str, Any]], units: Sequence[Marks]) -> list[Sites | None]:
    """By unit, the one set of sites whose sum it may be in, as the ledger's `entries` tell; None: it is free.

    NOBODY where its marks were in sums over unlike sets.
    """
    seen: dict[str, set[Sites]] = {}
    for entry in entries:
        companies = entry.get("company", ())
        for company in [companies] if isinstance(companies, dict) else companies:  # older lines have one
            for mark in company["marks"]:
                seen.setdefault(mark, set()).add(frozenset(company["sites"]))
    return [_one([seen[mark] for mark in unit if mark in seen]) for unit in units]


def _one(found: Sequence[set[Sites]]) -> Sites | None:
    common = set.intersection(*found) if found else set()
    return None if not found else common.pop() if len(common) == 1 else NOBODY


@dataclass(frozen=True, slots=True)
class Note:
    """What a member tells the others of a sum, out of the coordinator's sight.

    Args:
        least: fewest sites that it asks for behind a number.
        given: which units it gives.
        bound: by unit, which sites it is bound to: 8 bytes of their digest, `FREE` where it is not.
    """

    least: int
    given: tuple[bool, ...]
    bound: tuple[bytes, ...]

    def pack(self) -> bytes:
        """`note_bytes` bytes."""
        bits = np.packbits(np.array(self.given, dtype=bool)).tobytes()
        return self.least.to_bytes(4, "little") + bits + b"".join(self.bound)

    @classmethod
    def read(cls, data: bytes, units: int) -> Note:
        """From `pack`. Raises WithheldError where it is of another sum."""
        if len(data) != note_bytes(units):
            raise WithheldError(Code.BAD_REQUEST, "a member's note is of another sum")
        end = len(data) - BOUND_BYTES * units
        given = np.unpackbits(np.frombuffer(data[4:end], np.uint8))[:units].astype(bool).tolist()
        bound = (data[at : at + BOUND_BYTES] for at in range(end, len(data), BOUND_BYTES))
        return cls(int.from_bytes(data[:4], "little"), tuple(given), tuple(bound))


def note_bytes(units: int) -> int:
    """Length of a member's note."""
    return 4 + (units + 7) // 8 + BOUND_BYTES * units


def sites_digest(sites: Sites | None) -> bytes:
    """How a note names the sites that a unit is bound to."""
    return FREE if sites is None else bytes.fromhex(digest(sorted(sites)))[:BOUND_BYTES]


def companies(notes: Mapping[str, Note]) -> list[Sites]:
    """By unit, the sites that give it to a sum over these members; NOBODY where all of them leave it out.

    That is so where fewer give it than any of them asks for, and where one that gives it is bound to others.
    """
    least = max(note.least for note in notes.values())
    found = []
    for unit in range(max(len(note.given) for note in notes.values())):
        sites = frozenset(site for site, note in notes.items() if note.given[unit])
        fits = {notes[site].bound[unit] for site in sites} <= {FREE, sites_digest(sites)}
        found.append(sites if len(sites) >= least and fits else NOBODY)
    return found


def noted(units: Sequence[Marks], sites: Sequence[Sites]) -> dict[str, Any]:
    """What the ledger says of the units that this site gives, before it signs; NOBODY for those it does not give."""
    found: dict[Sites, set[str]] = {}
    for unit, company in zip(units, sites, strict=True):
        if company:
            found.setdefault(company, set()).update(unit)
    told = sorted((sorted(company), sorted(kept)) for company, kept in found.items())
    return {"company": [{"sites": company, "marks": kept} for company, kept in told]}


def _slot_marks(request: Request, slot: Slot, weights: str) -> Marks:
    metric = slot.metric_name
    placed = tuple(_mark("place", request.spec.digest, list(cell), metric) for cell in slot.cells)
    if slot.metric is None:
        return placed
    kind = "rated" if metric in OPINIONS else "counted"  # what staff rated is another set of examples
    *asked, adapter = _measured(request, slot.cells[0], weights)
    return (*placed, _mark("measured", *asked, metric, adapter), _mark(kind, *asked, adapter))


def _cost_marks(request: Request, weights: str) -> Marks:
    """By what was asked, and by each thing that was measured or trained: costs of the parts add up to the whole's."""
    trained = [_mark("cost", weights, request.seed)] if request.train else []
    cells = [_mark("cost", *_measured(request, cell, weights)) for cell in request.cells]
    return (_mark("cost", request.work.digest), *cells, *trained)


def _measured(request: Request, cell: Cell, weights: str) -> tuple[object, ...]:
    """Decoding and the run's name are not in it: changing them a little changes a sum a little, or not at all."""
    tasks = {task.name: task.digest for task in request.spec.tasks}
    models = {model.name: model.digest for model in request.spec.models}
    variants = {prompt.name: prompt.variant for prompt in request.spec.prompts}
    adapter = "" if cell.stage == "base" else weights
    asked = [cell.task, tasks.get(cell.task), cell.split, cell.model, models.get(cell.model), variants.get(cell.prompt)]
    return (*asked, adapter)


def _weights(sent: Adapter | None) -> str:
    total = sha256()
    for name, array in sorted((sent or {}).items()):
        total.update(name.encode() + b"\0" + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _mark(*parts: object) -> str:
    return digest(parts)[:MARK_DIGITS]
