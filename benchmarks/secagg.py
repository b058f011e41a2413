"""What secure aggregation costs: bytes and time a site and at the coordinator, for one masked sum.

    python benchmarks/secagg.py

The mechanism alone (privacy/secagg.py), in one process and one thread: evaluating and training are left out. Bytes are
those of the protocol, without Flower's framing; a plain reply has 8 bytes a number, 4 a weight.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from kommunbench.federation.masked import threshold_for
from kommunbench.privacy import secagg
from kommunbench.release.company import note_bytes
from kommunbench.release.identity import Identity

SITES, NUMBERS, UNITS = (6, 20), {"evaluation": 1_000, "adapter": 100_000}, 100


def measure(folder: Path, count: int, numbers: int, lost: int) -> dict[str, float]:
    """One sum over `count` sites of which `lost` give no vector after they have dealt shares."""
    names = [f"site-{place:02}" for place in range(count)]
    sessions = {name: secagg.Session("5" * 32, "a" * 64, name) for name in names}
    known = {name: Identity.of(folder / name) for name in names}
    peers = {name: identity.public for name, identity in known.items()}
    threshold, note = threshold_for(count, 3), bytes(note_bytes(UNITS))
    vectors = {name: np.random.default_rng(place).integers(-(10**12), 10**12, numbers) for place, name in
               enumerate(names)}  # fmt: skip
    took: Counter[str] = Counter()
    clock = time.perf_counter
    start = clock()
    secrets = {name: secagg.Secrets.fresh() for name in names}
    cards = {name: secrets[name].card(sessions[name], known[name]) for name in names}
    dealt = {}
    for name in names:
        secagg.check_cards(sessions[name], cards, peers)
        dealt[name] = secagg.deal(secrets[name], sessions[name], cards, threshold, note)
    shares, masked = {}, {}
    for name in names:
        sealed = {other: dealt[other][1][name] for other in names if other != name}
        shares[name] = {**secagg.unseal(secrets[name], sessions[name], cards, sealed), name: dealt[name][0]}
        if name in names[lost:]:
            masked[name] = secagg.mask(secrets[name], sessions[name], cards, names, vectors[name])
    signed = {name: secagg.confirm(known[name], sessions[name], masked) for name in masked}
    revealed = {}
    for name in masked:
        secagg.check_confirmed(sessions[name], sorted(masked), signed, peers, threshold)
        revealed[name] = secagg.reveal(shares[name], masked)
    took["site_ms"] = round(1000 * (clock() - start) / count, 1)
    start = clock()
    total = secagg.Masked("5" * 32, "a" * 64, cards, names, masked, threshold, numbers).unmask(revealed)
    took["sum_ms"] = round(1000 * (clock() - start), 1)
    if total.tolist() != sum(vectors[name] for name in masked).tolist():
        raise AssertionError("the sum is not the plain one")
    one = len(next(iter(dealt[names[0]][1].values())))
    up = secagg.CARD_BYTES + one * (count - 1) + 8 * numbers + 64 + 32 * count
    down = (secagg.CARD_BYTES + one + 64) * (count - 1)
    return {**took, "plain_up": 8 * numbers, "up": up, "down": down, "threshold": threshold}


def main() -> None:
    """Print a table in Markdown."""
    print(
        "| sites | lost | numbers | threshold | a site sends (plain) | is sent besides | ms a site | ms coordinator |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        for count in SITES:
            for numbers in NUMBERS.values():
                for lost in (0, 1):
                    found = measure(Path(folder), count, numbers, lost)
                    print(
                        f"| {count} | {lost} | {numbers:,} | {found['threshold']} | {found['up']:,} "
                        f"({found['plain_up']:,}) | {found['down']:,} | {found['site_ms']} | {found['sum_ms']} |"
                    )


if __name__ == "__main__":
    main()
