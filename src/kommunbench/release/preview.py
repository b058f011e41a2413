"""The exact bytes of a release as a page that a person can read before saying yes, in Swedish and English.

The page is made from the bytes and the request alone. Every number in the bytes is on it, but for trained weights,
which are shown by name, size, range and their share of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np

from kommunbench.core.answer import Code
from kommunbench.core.digests import digest_bytes
from kommunbench.core.metric import Metric
from kommunbench.core.registry import find
from kommunbench.core.spec import Cell, Request
from kommunbench.release.review import unpack, unpack_cost, unpack_status
from kommunbench.release.sealed import read_payload

Language = Literal["sv", "en"]

WORDS = {
    "title": ("Det här lämnar platsen om ni godkänner det", "This leaves the site if you approve it"),
    "digest": ("Kontrollsumma (SHA-256)", "Digest (SHA-256)"),
    "bytes": ("Storlek i byte", "Size in bytes"),
    "run": ("Uppdrag", "Run"),
    "asked": ("Frågan", "The request"),
    "code": ("Svaret som helhet", "The reply as a whole"),
    "numbers": ("Tal som lämnar platsen", "Numbers that leave the site"),
    "held": ("Det som hålls inne (nollor och en kod)", "What is held back (zeros and a code)"),
    "cost": ("Åtgång, avrundad", "Cost, rounded"),
    "weights": ("Tränade vikter", "Trained weights"),
    "none": ("Inga.", "None."),
    "reading": (
        "n är antalet poängsatta exempel och unscored antalet som inte gick att poängsätta. Övriga är summor över"
        " exemplen, aldrig ett enskilt exempels tal. Vad som har decimaler lämnar platsen som ett heltal; summan det"
        " står för är inom parentes.",
        "n counts scored examples, unscored those that could not be. The others are sums over the examples, never one"
        " example's own number. What has decimals leaves as a whole number; the sum it stands for is in parentheses.",
    ),
    "end": (
        "Bytena innehåller inget mer än det som står här. Ingen text ur något exempel finns bland dem.",
        "The bytes hold nothing but what is shown here. No text of any example is among them.",
    ),
    "memory": (
        "Vikter kan minnas text. De visas inte tal för tal.",
        "Weights can remember text. They are not shown number by number.",
    ),
}


def preview_page(request: Request, data: bytes, language: Language) -> str:
    """A Markdown page about the bytes `data` (`Release.payload()`) that answer `request`.

    Raises:
        ValueError: not a release's bytes.
        FederationError: not an answer to `request`.
    """
    (status, values, codes, cost), adapter = read_payload(data)
    rows = unpack(request, values, codes, cost)
    whole, weights = unpack_status(status)

    def say(word: str) -> str:
        return WORDS[word][language == "en"]

    lines = [
        f"# {say('title')}",
        "",
        f"- {say('digest')}: `{digest_bytes(data)}`",
        f"- {say('bytes')}: {len(data)}",
        f"- {say('run')}: {_plain(request.spec.run)}",
        f"- {say('asked')}: {request.action}, round {request.round}, `{request.digest}`",
        f"- {say('code')}: {whole.name}",
        "",
        f"## {say('numbers')}",
        "",
        say("reading"),
        "",
        *([_row(key, row) for key, code, row in rows if code is Code.OK] or [say("none")]),
        "",
        f"## {say('held')}",
        "",
        *([f"- {_name(key)}: {code.name}" for key, code, _ in rows if code is not Code.OK] or [say("none")]),
        "",
        f"## {say('cost')}",
        "",
        "- " + ", ".join(f"{name}={number}" for name, number in asdict(unpack_cost(cost)).items()),
        "",
        f"## {say('weights')}" + ("" if weights is Code.OK else f" ({weights.name})"),
        "",
        *(list(_weights(adapter)) or [say("none")]),
        *(["", say("memory")] if adapter else []),
        "",
        say("end"),
    ]
    return "\n".join(lines) + "\n"


def _row(key: Sequence[object], row: Sequence[int]) -> str:
    """One slot's numbers, each by its name; in parentheses what a sum in fixed point stands for."""
    named = list(zip(("n", "sum u", "sum u^2"), row, strict=False))
    scales: dict[str, int] = {}
    if len(key) == 2:
        metric: Metric = find("metrics", str(key[1]))
        named = list(zip(metric.names, row, strict=True))
        scales = {field.name: field.scale for field in metric.fields if field.scale > 1}
    shown = (
        f"{name}={number}" + (f" ({number / scales[name]:.6f})" if name in scales else "") for name, number in named
    )
    return f"- {_name(key)}: " + ", ".join(shown)


def _name(key: Sequence[object]) -> str:
    return _plain(" | ".join(_system(part) if isinstance(part, Cell) else str(part) for part in key))


def _system(cell: Cell) -> str:
    """`summarization, lead, prompt plain, base, round 0, test, seed 1`, and where an adapter or a run is another's."""
    words = [cell.task, cell.model, f"prompt {cell.prompt}", cell.stage, f"round {cell.round}", cell.split]
    return ", ".join([*words, f"seed {cell.seed}", *(part for part in (cell.origin, cell.run) if part)])


def _weights(adapter: dict[str, np.ndarray]) -> Iterator[str]:
    for name, array in adapter.items():
        yield f"- {_plain(name)}: {array.shape}, {array.min():.6g} .. {array.max():.6g}, {array.nbytes}"


def _plain(text: str) -> str:
    """A name that the coordinator sent, on one line, without anything that Markdown or a terminal would act on."""
    return "".join(letter if letter.isalnum() or letter in " .,:+-_/|=^" else "?" for letter in text)
