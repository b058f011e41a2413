"""Which sites a number has been summed with before: two sums over nearly the same sites differ by a site or two.

Whoever has the sum over six sites and the sum of the very same over five of them has the sixth's own numbers. So each
site notes, in its ledger, with whom each number was in a sum that was unmasked, and gives it to another sum only in the
same company, or in one that differs by at least `min_sites` sites.

A number is known by two marks: by what it measures (task, model, prompt, adapter, metric), in whatever run, and by its
place in its run, to which closing sums belong as well: together with a total they tell a site's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from kommunbench.core.digests import digest
from kommunbench.core.model import Adapter
from kommunbench.core.spec import Cell, Request, Slot

Marks = tuple[str, ...]
MARK_DIGITS = 16


def marks(request: Request, sent: Adapter | None) -> list[Marks]:
    """The marks of each unit of a sum (release/masked.py), in order."""
    weights = _weights(sent)
    found = [_slot_marks(request, slot, weights) for slot in request.slots()]
    return [*found, (_mark("train", weights, request.seed),)] if request.train else found


def free(entries: Iterable[Mapping[str, Any]], units: Sequence[Marks], sites: Iterable[str], least: int) -> list[bool]:
    """Which units may be in a sum over `sites`, as the ledger's `entries` tell of earlier ones."""
    now, barred = set(sites), set[str]()
    for entry in entries:
        company = entry.get("company")
        if company and 0 < len(now ^ set(company["sites"])) < least:
            barred |= set(company["marks"])
    return [barred.isdisjoint(unit) for unit in units]


def note(units: Sequence[Marks], keep: Sequence[bool], sites: Iterable[str]) -> dict[str, Any]:
    """What the ledger notes of a sum before it is unmasked."""
    kept = {mark for unit, kept in zip(units, keep, strict=True) if kept for mark in unit}
    return {"company": {"sites": sorted(sites), "marks": sorted(kept)}}


def _slot_marks(request: Request, slot: Slot, weights: str) -> Marks:
    metric = str(slot.key[1] if slot.metric is not None else slot.key[-2])
    cells = [part for part in slot.key if isinstance(part, Cell)]
    placed = tuple(_mark("place", request.spec.digest, list(cell), metric) for cell in cells)
    return placed if slot.metric is None else (*placed, _measured(request, cells[0], metric, weights))


def _measured(request: Request, cell: Cell, metric: str, weights: str) -> str:
    """Decoding and the run's name are not in it: changing them a little changes a sum a little, or not at all."""
    tasks = {task.name: task.digest for task in request.spec.tasks}
    models = {model.name: model.digest for model in request.spec.models}
    variants = {prompt.name: prompt.variant for prompt in request.spec.prompts}
    adapter = "" if cell.stage == "base" else weights
    asked = [cell.task, tasks.get(cell.task), cell.split, cell.model, models.get(cell.model), variants.get(cell.prompt)]
    return _mark("measured", *asked, metric, adapter)


def _weights(sent: Adapter | None) -> str:
    total = sha256()
    for name, array in sorted((sent or {}).items()):
        total.update(name.encode() + b"\0" + np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _mark(*parts: object) -> str:
    return digest(parts)[:MARK_DIGITS]
